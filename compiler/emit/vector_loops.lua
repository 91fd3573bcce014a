-- vector_loops: how emit.program prints products and maps where a target has vectors: products by vector_products, maps
-- as loops over whole vectors with what is left of one behind them. What does not fit is left to the plain loops of
-- emit.program.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local functions = require "tables.functions"
local grammar = require "ir.grammar"
local strides = require "emit.strides"
local vector_products = require "emit.vector_products"

local is_one, is_uniform = strides.is_one, strides.is_uniform

local vector_loops = {}

-- Functions of vectors besides those with helpers in templates.
local operations <const> = { add = true, sub = true, mul = true, div = true, at_least = true, at_most = true,
                             tanh = true, sigmoid = true, relu = true, less = true, neg = true }

-- Can the tree be computed on vectors?
local function fits(program, tree, var)
    if is_uniform(program, tree, var) then return true end
    if tree[1] == "index" then return false end
    if tree[1] == "read" then
        local stride = strides.of(program, tree[2], var)
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

-- The vector at a place, which is loaded once: a local that self.loaded has by the access. part: how many values of a
-- vector there are, as C, or nil: all.
local function loaded(self, access, part)
    local v, key = self.vectors, expressions.access_key(access)
    if not self.loaded[key] then
        local at = "&" .. self:place(access)
        local text = part and string.format("%s_load_part(%s, %s)", v.vec, at, part)
            or string.format("%s_load(%s)", v.vec, at)
        local name = self.optional[access[1]] and self.c_name(access[1])
        if name then text = string.format("%s ? %s : %s_splat(0.0f)", name, text, v.vec) end
        self.loads = self.loads + 1
        self:say(string.format("const %s m%d = %s;", v.vec, self.loads, text))
        self.loaded[key] = { name = "m" .. self.loads, buffer = access[1] }
    end
    return self.loaded[key].name
end

-- The text of a tree on vectors. var: the variable that a vector runs along; part: as in loaded.
local function vector_text(self, tree, var, part)
    local v = self.vectors
    local function call(name, ...) return string.format("%s_%s(%s)", v.vec, name, table.concat({ ... }, ", ")) end
    if type(tree) == "table" and tree[1] == "local" then return tree[2] end
    if is_uniform(self.program, tree, var) then return call("splat", self:expression(tree, 0)) end
    if tree[1] == "read" then return loaded(self, tree[2], part) end
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

-- The sets for one vector, or a part of one. What one of them makes the next ones have as a local.
local function sets_text(self, s, var, part)
    local v = self.vectors
    self.loaded, self.loads = {}, 0
    for i, set in ipairs(s.sets) do
        local locals, tree = shared(self.program, expressions.expanded(set[2]), var, string.format("v%d_", i))
        for _, pair in ipairs(locals) do
            local text = vector_text(self, pair[2], var, part)
            self:say(string.format("const %s %s = %s;", v.vec, pair[1], text))
        end
        local target, wanted = set[1], ""
        if self.optional[target[1]] and not self.guarded then
            wanted = "if (" .. self.c_name(target[1]) .. ") "
        end
        local value = vector_text(self, tree, var, part)
        if s.accumulate then
            v.used.add = true
            value = string.format("%s_add(%s, %s)", v.vec, loaded(self, target, part), value)
        end
        -- Other places of the buffer may be the same one.
        for key, entry in pairs(self.loaded) do
            if entry.buffer == target[1] then self.loaded[key] = nil end
        end
        if i < #s.sets and wanted == "" then
            if not value:find("^%w+$") then
                self.loads = self.loads + 1
                self:say(string.format("const %s m%d = %s;", v.vec, self.loads, value))
                value = "m" .. self.loads
            end
            self.loaded[expressions.access_key(target)] = { name = value, buffer = target[1] }
        end
        local at = "&" .. self:place(target)
        self:say(part and string.format("%s%s_store_part(%s, %s, %s);", wanted, v.vec, at, value, part)
            or string.format("%s%s_store(%s, %s);", wanted, v.vec, at, value))
    end
end

-- Fewer values than that are not worth a vector.
local FEW <const> = 3

-- The statement with as many of its last ranges as are one after the other in all that it touches as one, along the
-- last variable; and that one's extent (see strides).
local function flattened(program, s)
    local last = s.over[#s.over]
    local extent, over = strides.monomial(last[2]), table.move(s.over, 1, #s.over, 1, {})
    local reads, writes = accesses.of(s)
    while extent and #over > 1 do
        local range = over[#over - 1]
        local more = strides.monomial(range[2])
        local joins = more ~= nil
        for _, list in ipairs { reads, writes } do
            for _, access in ipairs(list) do
                local inner, outer = strides.of(program, access, last[1]), strides.of(program, access, range[1])
                joins = joins and inner and outer and strides.same(outer, strides.times(inner, extent))
            end
        end
        for _, set in ipairs(s.sets) do
            expressions.walk(set[2], function(part)
                if type(part) == "table" and part[1] == "index" and affine.factor(part[2], range[1]) ~= 0 then
                    joins = false
                end
            end)
        end
        if not joins then break end
        extent = strides.times(more, extent)
        s = accesses.with(s, range[1], { 0 })
        table.remove(over, #over - 1)
    end
    return accesses.changed(s, { over = over }), extent
end

-- map(self, s) -> has it been printed?
local function map(self, s)
    local range, lanes = s.over[#s.over], self.vectors.lanes
    if not range or #range[2] > 1 or range[2][1] < FEW then return false end
    local var = range[1]
    for _, set in ipairs(s.sets) do
        local stride = strides.of(self.program, set[1], var)
        if not stride or not is_one(stride) or not fits(self.program, expressions.expanded(set[2]), var) then
            return false
        end
    end
    local flat, extent = flattened(self.program, s)
    local count, known = strides.text(extent), extent.symbols == "" and extent.number
    local function within(head, part)
        self:say(head)
        self.depth = self.depth + 1
        if part and known then self:say(string.format("const size_t %s = %d;", var, known - known % lanes)) end
        sets_text(self, flat, var, part)
        self.depth = self.depth - 1
        self:say("}")
    end
    self:each(table.move(flat.over, 1, #flat.over - 1, 1, {}), function()
        if known then
            if known >= lanes then
                within(string.format("for (size_t %s = 0; %s < %d; %s += %d) {", var, var, known - known % lanes, var,
                    lanes))
            end
            if known % lanes > 0 then within("{", tostring(known % lanes)) end
        else
            self:say(string.format("size_t %s = 0;", var))
            within(string.format("for (; %s + %d <= %s; %s += %d) {", var, lanes, count, var, lanes))
            if lanes > 1 then within(string.format("if (%s < %s) {", var, count), count .. " - " .. var) end
        end
    end, not known)
    return true
end

-- vector_loops.of(target, suffix) -> what emit.parts takes as `vectors` for a program of vector_products.prepare: vec,
-- lanes, suffix; used (names of functions that the text calls, when it is made), multiplies, blocks (does it call
-- multiply, multiply_blocks?), widths of panels, most and heights of vector_products.tiles; start, which prints what
-- comes first; and product and map, which print a statement and return true, or print nothing.
function vector_loops.of(target, suffix)
    local most, heights = vector_products.tiles(target)
    return { vec = target.vector, lanes = target.lanes, suffix = suffix, used = {}, widths = {}, most = most,
             heights = heights, start = vector_products.start,
             product = vector_products.product, map = map }
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
