-- emit.program: any program as plain C11 that is C++17 too: loops as they stand, no kernels. It decides nothing: what
-- the program says is what is printed. Warning-free with -Wall -Wextra -Wpedantic -Wconversion -Wshadow.
--
--     typedef struct NAME_buffers { ... } NAME_buffers;   a pointer for each buffer, its shape and role beside it
--     static void NAME(const NAME_buffers *buffers, size_t T, size_t B)
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local functions = require "tables.functions"
local grammar = require "ir.grammar"

local emit = {}

local WIDTH <const> = 110

-- emit.c_name(name) -> a buffer's in C: they are called by the names of PyTorch's tensors, which have dots, and numbers
-- in front of them.
function emit.c_name(name) return (name:gsub("[^%w_]", "_"):gsub("^%d", "layer_%0")) end

local c_name = emit.c_name

-- emit.literal(text) -> it as a literal of C; `?` too, for trigraphs.
function emit.literal(text) return '"' .. text:gsub('[\\"?]', "\\%0") .. '"' end

-- The text of a form in C; at `level` 2 a sum needs no brackets, at 3 it does.
local function form_text(form, level)
    local out = {}
    for i = 2, #form do
        local name, factor = form[i][1], form[i][2]
        local size = math.abs(factor)
        local text = size == 1 and name or name .. " * " .. size
        out[#out + 1] = (i > 2 and (factor < 0 and " - " or " + ") or (factor < 0 and "0 - " or "")) .. text
    end
    if form[1] ~= 0 or #out == 0 then
        out[#out + 1] = (#out > 0 and (form[1] < 0 and " - " or " + ") or "") .. math.abs(form[1])
    end
    local text = table.concat(out)
    return level > 2 and #out > 1 and "(" .. text .. ")" or text
end

local Writer = { c_name = c_name }
Writer.__index = Writer

-- A line, broken between words where it is too long.
function Writer:say(text)
    local indent = ("    "):rep(self.depth)
    while #indent + #text > WIDTH do
        local at
        for i = WIDTH - #indent, 1, -1 do
            if text:sub(i, i) == " " then at = i break end
        end
        if not at then break end
        self.lines[#self.lines + 1] = indent .. text:sub(1, at - 1)
        text, indent = text:sub(at + 1), ("    "):rep(self.depth + 1)
    end
    self.lines[#self.lines + 1] = indent .. text
end

local function has_one_form(buffer, access)
    for i, dim in ipairs(buffer.dims) do
        if #dim > 1 or access[i + 1].lookup then return false end
    end
    return true
end

-- Where an access is: one sum where all dims are numbers, otherwise nested as (t * B + b) * 3 + i.
function Writer:place(access)
    local buffer = grammar.find(self.program, access[1])
    local order = buffer.order
    self.used[buffer.name] = true
    if has_one_form(buffer, access) then
        local form, stride = { 0 }, 1
        for k = #buffer.dims, 1, -1 do
            local dim = order and order[k] or k
            form = affine.add(form, access[dim + 1], stride)
            stride = stride * buffer.dims[dim][1]
        end
        return c_name(buffer.name) .. "[" .. form_text(form, 0) .. "]"
    end
    local text, single
    for k = 1, #buffer.dims do
        local dim = order and order[k] or k
        local index = access[dim + 1]
        local word
        if index.lookup then
            word = "(size_t)" .. self:place(index.lookup)
            if index[1] ~= 0 then word = word .. (index[1] < 0 and " - " or " + ") .. math.abs(index[1]) end
        else
            word = form_text(index, 0)
        end
        if not text or text == "0" then
            text, single = word, not word:find(" ", 1, true)
        else
            local scaled = (single and text or "(" .. text .. ")") .. " * " .. form_text(buffer.dims[dim], 3)
            text, single = word == "0" and scaled or scaled .. " + " .. word, false
        end
    end
    return c_name(buffer.name) .. "[" .. text .. "]"
end

function Writer:number(value)
    if value ~= value or value == math.huge or value == -math.huge then error("no literal of " .. value) end
    local text = string.format("%.17g", value)
    if not text:find("[.e]") then text = text .. ".0" end
    return text .. self.f
end

local function filled(template, f, words)
    return (template:gsub("{(%w)}", function(key) return key == "f" and f or words[tonumber(key)] end))
end

-- The text of an expression, in brackets where it binds less tightly than `level`.
function Writer:expression(tree, level)
    if type(tree) == "number" then
        local text = self:number(tree)
        return tree < 0 and level > 2 and "(" .. text .. ")" or text
    end
    if tree[1] == "local" then return tree[2] end
    if tree[1] == "index" then return "(" .. self.real .. ")" .. form_text(tree[2], 3) end
    if tree[1] == "read" then
        local cast = grammar.find(self.program, tree[2][1]).dtype == "i32" and "(" .. self.real .. ")" or ""
        local text = cast .. self:place(tree[2])
        if not self.optional[tree[2][1]] then return text end
        return string.format("(%s ? %s : %s)", c_name(tree[2][1]), text, self:number(0))
    end
    local row, words = functions.of(tree[1]), {}
    local template = row.c
    for i = 2, #tree do
        local argument = tree[i]
        local test = type(argument) == "table" and i == 2 and row.if_test and functions.rows[argument[1]]
        if test and test.test then
            template = row.if_test
            words[1] = filled(test.test, self.f, { self:expression(argument[2], 2), self:expression(argument[3], 2) })
        else
            words[i - 1] = self:expression(argument, row.tight and row.tight[i - 1] or 0)
        end
    end
    local text = filled(template, self.f, words)
    return row.level < level and "(" .. text .. ")" or text
end

-- Loops around `run`; a brace for each, and one at least where what is declared in it needs a scope.
function Writer:each(ranges, run, scope)
    local opened = scope and #ranges == 0
    if opened then
        self:say("{")
        self.depth = self.depth + 1
    end
    for _, range in ipairs(ranges) do
        self:say(string.format("for (size_t %s = 0; %s < %s; %s++) {", range[1], range[1], form_text(range[2], 0),
            range[1]))
        self.depth = self.depth + 1
    end
    run()
    for _ = 1, opened and 1 or #ranges do
        self.depth = self.depth - 1
        self:say("}")
    end
end

-- Are the targets of a map read in it? Then its sets share nothing.
local function reads_targets(s)
    local found, targets = false, {}
    for _, set in ipairs(s.sets) do targets[set[1][1]] = true end
    for _, set in ipairs(s.sets) do
        expressions.walk(set[2], function(part)
            if type(part) == "table" and part[1] == "read" and targets[part[2][1]] then found = true end
        end)
    end
    return found
end

-- What functions with `named` are of becomes a local too.
local function with_names(tree, locals, prefix)
    local out = expressions.rebuilt(tree, function(part) return with_names(part, locals, prefix) end)
    local named = type(out) == "table" and functions.rows[out[1]] and functions.rows[out[1]].named
    local part = named and out[named + 1]
    if part and not (type(part) == "number" or part[1] == "local" or part[1] == "read") then
        local name = prefix .. "x" .. #locals + 1
        locals[#locals + 1] = { name, part }
        out[named + 1] = { "local", name }
    end
    return out
end

-- Names the parts that are used more than once, then gives the trees by these.
function Writer:shared(trees)
    local expanded = {}
    for i, tree in ipairs(trees) do expanded[i] = expressions.expanded(tree) end
    self.locals = self.locals + 1
    local prefix = "v" .. (self.locals == 1 and "" or self.locals .. "_")
    local locals, out = expressions.shared(expanded, prefix)
    local all = {}
    for _, pair in ipairs(locals) do
        local value = with_names(pair[2], all, prefix)
        all[#all + 1] = { pair[1], value }
    end
    for i, tree in ipairs(out) do out[i] = with_names(tree, all, prefix) end
    for _, pair in ipairs(all) do
        self:say(string.format("const %s %s = %s;", self.real, pair[1], self:expression(pair[2], 0)))
    end
    return out
end

local writers = {}

writers["for"] = function(self, s)
    local extent = form_text(s.extent, 0)
    if s.step == 1 then
        self:say(string.format("for (size_t %s = 0; %s < %s; %s++) {", s.var, s.var, extent, s.var))
    else
        self:say(string.format("for (size_t %s = %s; %s-- > 0;) {", s.var, extent, s.var))
    end
    self.depth = self.depth + 1
    self:body(s.body)
    self.depth = self.depth - 1
    self:say("}")
end

function writers.product(self, s)
    if self.vectors and self.vectors.product(self, s) then return end
    self:each(s.over, function()
        local a, b, out = self:place(s.a), self:place(s.b), self:place(s.out)
        local assign = s.accumulate and "+=" or "="
        if #s.sum == 0 then
            self:say(string.format("%s %s %s * %s;", out, assign, a, b))
            return
        end
        self:say(self.real .. " sum = " .. self:number(0) .. ";")
        self:each(s.sum, function() self:say(string.format("sum += %s * %s;", a, b)) end)
        self:say(string.format("%s %s sum;", out, assign))
    end, #s.sum > 0)
end

function writers.map(self, s)
    if self.vectors and self.vectors.map(self, s) then return end
    self:each(s.over, function()
        self.locals = 0
        local trees, assign = {}, s.accumulate and "+=" or "="
        for i, set in ipairs(s.sets) do trees[i] = set[2] end
        local together = not reads_targets(s)
        if together then trees = self:shared(trees) end
        for i, set in ipairs(s.sets) do
            local tree = together and trees[i] or self:shared({ trees[i] })[1]
            local wanted = self.optional[set[1][1]] and not self.guarded and "if (" .. c_name(set[1][1]) .. ") " or ""
            self:say(string.format("%s%s %s %s;", wanted, self:place(set[1]), assign, self:expression(tree, 0)))
        end
    end, true)
end

local first_of <const> = { sum = "0.0%s", max = "-HUGE_VAL%s" }

function writers.reduce(self, s)
    self:each(s.over, function()
        self.locals = 0
        self:say(string.format("%s %s = %s;", self.real, s.kind, s.kind == "sum" and first_of.sum:format(self.f)
            or first_of.max:format(self.f == "f" and "F" or "")))
        self:each(s.sum, function()
            local value = self:expression(self:shared({ s.value })[1], 0)
            if s.kind == "sum" then
                self:say(string.format("sum += %s;", value))
            else
                self:say(string.format("const %s value = %s;", self.real, value))
                self:say("if (value > max || isnan(value)) max = value;")
            end
        end)
        self:say(string.format("%s = %s;", self:place(s.out), s.kind))
    end, true)
end

function Writer:body(body)
    local from
    for _, s in ipairs(body) do
        -- Loops say it for what is in them.
        if s.from and s.from ~= from and self.depth == 1 then
            self:say("/* " .. s.from .. " */")
            from = s.from
        end
        self:statement(s)
    end
end

-- A statement all of whose targets are one buffer that may not be wanted is within one question.
function Writer:statement(s)
    local only
    if s.op ~= "for" then
        for _, set in ipairs(s.sets or { { s.out } }) do
            only = (only == nil or only == set[1][1]) and set[1][1] or false
        end
    end
    if not only or not self.optional[only] then return writers[s.op](self, s) end
    self:say("if (" .. c_name(only) .. ") {")
    self.depth, self.guarded = self.depth + 1, true
    writers[s.op](self, s)
    self.depth, self.guarded = self.depth - 1, false
    self:say("}")
end

local function type_of(buffer, real)
    local type = buffer.dtype == "i32" and "int32_t" or real
    return (grammar.given[buffer.role] and "const " or "") .. type
end

-- emit.parts(program, real, options) -> the C texts of the struct and of the function. real: "float" or "double", what
-- f32 is computed and held in. options (or nil):
--   optional   a set of names of buffers that may be NULL: what is read there is 0, what would be written there is not
--              computed
--   vectors    of vector_loops.of: a target whose vectors are used, for a program of vector_products.prepare
--   attribute  what stands in front of the function instead of "static"
-- The includes <math.h>, <stddef.h>, <stdint.h> are the caller's. Errors: two buffers with the same name in C.
function emit.parts(program, real, options)
    options = options or {}
    local self = setmetatable({ program = program, lines = {}, depth = 1, used = {}, locals = 0, real = real,
                                f = real == "float" and "f" or "", optional = options.optional or {},
                                vectors = options.vectors }, Writer)
    if self.vectors then self.vectors.start(self) end
    self:body(program.body)
    local struct, unpacked, seen = { "typedef struct " .. program.name .. "_buffers {" }, {}, {}
    for _, buffer in ipairs(program.buffers) do
        local name, dims = c_name(buffer.name), {}
        if seen[name] then error(program.name .. ": two buffers are called " .. name .. " in C", 0) end
        seen[name] = true
        for i = 1, #buffer.dims do dims[i] = affine.text(buffer.dims[buffer.order and buffer.order[i] or i]) end
        local type = type_of(buffer, real)
        struct[#struct + 1] = string.format("    %s *%s; /* (%s), %s */", type, name, table.concat(dims, ", "),
            buffer.role)
        if self.used[buffer.name] then
            unpacked[#unpacked + 1] = string.format("    %s *const %s = buffers->%s;", type, name, name)
        end
    end
    struct[#struct + 1] = string.format("} %s_buffers;\n", program.name)
    local parameters = { "const " .. program.name .. "_buffers *buffers" }
    for _, symbol in ipairs(program.symbols) do parameters[#parameters + 1] = "size_t " .. symbol end
    local suffix = options.vectors and options.vectors.suffix or ""
    local out = { string.format("%s void %s%s(%s)\n{", options.attribute or "static", program.name, suffix,
        table.concat(parameters, ", ")) }
    table.move(unpacked, 1, #unpacked, #out + 1, out)
    out[#out + 1] = ""
    table.move(self.lines, 1, #self.lines, #out + 1, out)
    out[#out + 1] = "}\n"
    return table.concat(struct, "\n"), table.concat(out, "\n")
end

-- emit.text(program, real) -> the C text of the struct and the function, as emit.parts has them.
function emit.text(program, real)
    local struct, text = emit.parts(program, real)
    return struct .. "\n" .. text
end

return emit
