-- vector_loops: how emit.program prints products and maps where a target has vectors: products as calls of multiply
-- (train_product.c.t), maps as loops over whole vectors with what is left of one behind them. What does not fit is left
-- to the plain loops of emit.program.
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local functions = require "tables.functions"
local grammar = require "ir.grammar"

local vector_loops = {}

-- Functions of vectors besides those with helpers in templates.
local operations <const> = { add = true, sub = true, mul = true, div = true, at_least = true, at_most = true,
                             tanh = true, sigmoid = true, relu = true, less = true, neg = true }

-- ---- strides: a number times symbols ----

local ZERO <const> = { number = 0, symbols = "" }

local function times(a, b)
    local list = {}
    for word in (a.symbols .. " " .. b.symbols):gmatch("%S+") do list[#list + 1] = word end
    table.sort(list)
    local number = a.number * b.number
    return { number = number, symbols = number == 0 and "" or table.concat(list, " ") }
end

-- An extent that is a number or a symbol, or nil.
local function monomial(extent)
    if #extent == 1 then return { number = extent[1], symbols = "" } end
    if #extent == 2 and extent[1] == 0 then return { number = extent[2][2], symbols = extent[2][1] } end
end

local function same(a, b) return a.number == b.number and a.symbols == b.symbols end

local function text_of(m)
    if m.symbols == "" then return tostring(m.number) end
    local words = m.symbols:gsub(" ", " * ")
    return m.number == 1 and words or words .. " * " .. m.number
end

-- How far apart in memory the places for one value of the variable and the next are, or nil: that is not told.
local function stride_of(program, access, var)
    local buffer = grammar.find(program, access[1])
    local stride, found = { number = 1, symbols = "" }, nil
    for k = #buffer.dims, 1, -1 do
        local dim = buffer.order and buffer.order[k] or k
        local index = access[dim + 1]
        local factor = affine.factor(index, var)
        if index.lookup and stride_of(program, index.lookup, var) ~= ZERO then return nil end
        if factor ~= 0 then
            if found or not stride or factor < 0 then return nil end
            found = times(stride, { number = factor, symbols = "" })
        end
        local extent = monomial(buffer.dims[dim])
        stride = stride and extent and times(stride, extent)
    end
    return found or ZERO
end

-- ---- products ----

-- The ranges that are one after the other in all of `names` become one: { vars, extent, strides by name }.
local function merged(list, names)
    local out = {}
    for _, entry in ipairs(list) do
        local last = out[#out]
        local joins = last ~= nil
        for _, name in ipairs(names) do
            joins = joins and same(last[name], times(entry[name], entry.extent))
        end
        if joins then
            local both = { vars = table.move(entry.vars, 1, #entry.vars, #last.vars + 1, last.vars),
                           ranges = table.move(entry.ranges, 1, #entry.ranges, #last.ranges + 1, last.ranges),
                           extent = times(last.extent, entry.extent) }
            for _, name in ipairs { "out", "a", "b" } do both[name] = entry[name] end
            out[#out] = both
        else
            out[#out + 1] = entry
        end
    end
    return out
end

-- The access with its variables at 0, as a pointer.
local function pointer(self, access, gone)
    local out = { access[1] }
    for i = 2, #access do
        local index = access[i]
        for var in pairs(gone) do index = affine.substitute(index, var, { 0 }) end
        out[i] = index
    end
    return "&" .. self:place(out)
end

-- Ranges with their strides, or nil where one is not told.
local function strided(program, s, ranges)
    local list = {}
    for i, range in ipairs(ranges) do
        local entry = { vars = { range[1] }, ranges = { range }, extent = monomial(range[2]),
                        out = stride_of(program, s.out, range[1]), a = stride_of(program, s.a, range[1]),
                        b = stride_of(program, s.b, range[1]) }
        if not (entry.extent and entry.out and entry.a and entry.b) then return nil end
        list[i] = entry
    end
    return list
end

local function is_one(m) return m.number == 1 and m.symbols == "" end

-- The variable along which out and the matrix are contiguous, and which of a and b the matrix is; or nil.
local function columns_of(over)
    for i, entry in ipairs(over) do
        for _, pair in ipairs { { "a", "b" }, { "b", "a" } } do
            if is_one(entry.out) and is_one(entry[pair[2]]) and entry[pair[1]].number == 0 then
                return i, pair[1], pair[2]
            end
        end
    end
end

local NONE <const> = { vars = {}, ranges = {}, extent = { number = 1, symbols = "" }, out = ZERO, a = ZERO, b = ZERO }

-- Loops around the call for what is not within it.
local function outer_ranges(list, kept)
    local out = {}
    for i = 1, #list do
        if list[i] ~= kept then table.move(list[i].ranges, 1, #list[i].ranges, #out + 1, out) end
    end
    return out
end

-- product(self, s) -> has it been printed? out (m, n) is, or gets added, rows of (m, r) times the matrix (r, n).
local function product(self, s)
    local over, sum = strided(self.program, s, s.over), strided(self.program, s, s.sum)
    if not over or not sum then return false end
    local at, rows, matrix = columns_of(over)
    if not at then return false end
    local columns = table.remove(over, at)
    local around, m = {}, {}
    for _, entry in ipairs(over) do table.insert(entry[matrix].number == 0 and m or around, entry) end
    m, sum = merged(m, { "out", rows }), merged(sum, { "a", "b" })
    local row, depth = m[#m] or NONE, sum[#sum] or NONE
    local loops = table.move(outer_ranges(m, row), 1, #m, 1, outer_ranges(around, nil))
    local sums = outer_ranges(sum, depth)
    local gone = {}
    for _, entry in ipairs { columns, row, depth } do
        for _, var in ipairs(entry.vars) do gone[var] = true end
    end
    self:each(loops, function()
        self:each(sums, function()
            local adds = s.accumulate and "1" or "0"
            -- The first of several sums sets what the others add to.
            for i, range in ipairs(sums) do
                if not s.accumulate then adds = (i > 1 and adds .. " || " or "") .. range[1] .. " > 0" end
            end
            self:say(string.format("multiply%s(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s);", self.vectors.suffix,
                text_of(row.extent), text_of(columns.extent), text_of(depth.extent), pointer(self, s[rows], gone),
                text_of(row[rows]), text_of(depth[rows]), pointer(self, s[matrix], gone), text_of(depth[matrix]),
                pointer(self, s.out, gone), text_of(row.out), adds))
        end)
    end)
    self.vectors.multiplies = true
    return true
end

-- ---- maps ----

-- Is the value the same for all of the variable?
local function is_uniform(program, tree, var)
    if type(tree) == "number" then return true end
    if tree[1] == "local" then return false end
    if tree[1] == "index" then return affine.factor(tree[2], var) == 0 end
    if tree[1] == "read" then
        local stride = stride_of(program, tree[2], var)
        return stride and stride.number == 0 or false
    end
    for i = 2, #tree do
        if not is_uniform(program, tree[i], var) then return false end
    end
    return true
end

-- Can the tree be computed on vectors?
local function fits(program, tree, var)
    if is_uniform(program, tree, var) then return true end
    if tree[1] == "index" then return false end
    if tree[1] == "read" then
        local stride = stride_of(program, tree[2], var)
        return stride and is_one(stride) and grammar.find(program, tree[2][1]).dtype == "f32"
    end
    if tree[1] == "select" then
        return is_uniform(program, tree[2], var) and fits(program, tree[3], var) and fits(program, tree[4], var)
    end
    if not operations[tree[1]] then return false end
    for i = 2, #tree do
        if not fits(program, tree[i], var) then return false end
    end
    return true
end

-- expressions.shared for the parts of the tree that are vectors; what is the same for all lanes stays as it is, and so
-- does the condition of a select.
local function shared(program, tree, var, prefix)
    local count, locals, names = {}, {}, {}
    local function is_leaf(part)
        return type(part) == "number" or part[1] == "read" or is_uniform(program, part, var)
    end
    local function first(part) return part[1] == "select" and 3 or 2 end
    local function visit(part)
        if is_leaf(part) then return end
        local key = expressions.key(part)
        count[key] = (count[key] or 0) + 1
        if count[key] == 1 then
            for i = first(part), #part do visit(part[i]) end
        end
    end
    visit(tree)
    local function change(part)
        if is_leaf(part) then return part end
        local key = expressions.key(part)
        if names[key] then return { "local", names[key] } end
        local out = table.move(part, 1, #part, 1, {})
        for i = first(part), #part do out[i] = change(part[i]) end
        if count[key] == 1 then return out end
        names[key] = prefix .. #locals + 1
        locals[#locals + 1] = { names[key], out }
        return { "local", names[key] }
    end
    local whole = change(tree)
    return locals, whole
end

-- The text of a tree on vectors. var: the variable that a vector runs along; part: how many values of a vector there
-- are, or nil: all.
local function vector_text(self, tree, var, part)
    local v = self.vectors
    local function call(name, ...) return string.format("%s_%s(%s)", v.vec, name, table.concat({ ... }, ", ")) end
    if type(tree) == "table" and tree[1] == "local" then return tree[2] end
    if is_uniform(self.program, tree, var) then return call("splat", self:expression(tree, 0)) end
    if tree[1] == "read" then
        local at = "&" .. self:place(tree[2])
        local text = part and call("load_part", at, tostring(part)) or call("load", at)
        local name = self.optional[tree[2][1]] and self.c_name(tree[2][1])
        return name and string.format("(%s ? %s : %s)", name, text, call("splat", "0.0f")) or text
    end
    if tree[1] == "select" then
        return string.format("(%s > 0.0f ? %s : %s)", self:expression(tree[2], 2),
            vector_text(self, tree[3], var, part), vector_text(self, tree[4], var, part))
    end
    local words = {}
    for i = 2, #tree do words[i - 1] = vector_text(self, tree[i], var, part) end
    if tree[1] == "neg" then
        v.used.sub = true
        return call("sub", call("splat", "0.0f"), words[1])
    end
    v.used[tree[1]] = true
    return call(tree[1], table.unpack(words))
end

-- The sets for one vector, or a part of one.
local function sets_text(self, s, var, part)
    local v, assign = self.vectors, s.accumulate
    for i, set in ipairs(s.sets) do
        local locals, tree = shared(self.program, expressions.expanded(set[2]), var, string.format("v%d_", i))
        for _, pair in ipairs(locals) do
            self:say(string.format("const %s %s = %s;", v.vec, pair[1], vector_text(self, pair[2], var, part)))
        end
        local value, at = vector_text(self, tree, var, part), "&" .. self:place(set[1])
        if assign then
            v.used.add = true
            local before = part and string.format("%s_load_part(%s, %d)", v.vec, at, part)
                or string.format("%s_load(%s)", v.vec, at)
            value = string.format("%s_add(%s, %s)", v.vec, before, value)
        end
        local wanted = self.optional[set[1][1]] and not self.guarded and "if (" .. self.c_name(set[1][1]) .. ") " or ""
        self:say(part and string.format("%s%s_store_part(%s, %s, %d);", wanted, v.vec, at, value, part)
            or string.format("%s%s_store(%s, %s);", wanted, v.vec, at, value))
    end
end

-- Fewer values than that are not worth a vector.
local FEW <const> = 3

-- map(self, s) -> has it been printed?
local function map(self, s)
    local range, lanes = s.over[#s.over], self.vectors.lanes
    if not range or #range[2] > 1 or range[2][1] < FEW then return false end
    local var, count = range[1], range[2][1]
    for _, set in ipairs(s.sets) do
        local stride = stride_of(self.program, set[1], var)
        if not stride or not is_one(stride) or not fits(self.program, expressions.expanded(set[2]), var) then
            return false
        end
    end
    self:each(table.move(s.over, 1, #s.over - 1, 1, {}), function()
        local whole = count - count % lanes
        if whole > 0 then
            self:say(string.format("for (size_t %s = 0; %s < %d; %s += %d) {", var, var, whole, var, lanes))
            self.depth = self.depth + 1
            sets_text(self, s, var, nil)
            self.depth = self.depth - 1
            self:say("}")
        end
        if whole < count then
            self:say("{")
            self.depth = self.depth + 1
            self:say(string.format("const size_t %s = %d;", var, whole))
            sets_text(self, s, var, count - whole)
            self.depth = self.depth - 1
            self:say("}")
        end
    end)
    return true
end

-- vector_loops.of(target, suffix) -> what emit.parts takes as `vectors`: vec, lanes, suffix, used (names of functions
-- that the text calls, when it is made), multiplies (does it call multiply?); and product and map, which print a
-- statement and return true, or print nothing.
function vector_loops.of(target, suffix)
    return { vec = target.vector, lanes = target.lanes, suffix = suffix, used = {}, product = product, map = map }
end

-- vector_loops.needs(used) -> functions, helpers and uses of the target's preludes, as templates take them.
function vector_loops.needs(used)
    local set, helpers = {}, { exp = false, expm1 = false, fast = false }
    local uses = setmetatable({}, { __index = function() return false end })
    for _, name in ipairs(functions.names()) do set[name] = false end
    local called = {}
    for name in pairs(used) do
        uses[name] = true
        if functions.rows[name].vector then called[#called + 1] = name end
    end
    for _, name in ipairs(called) do
        set[name] = true
        for _, helper in ipairs(functions.rows[name].vector.helpers) do helpers[helper] = true end
        for _, need in ipairs(functions.rows[name].vector.needs) do uses[need] = true end
    end
    return set, helpers, uses
end

return vector_loops
