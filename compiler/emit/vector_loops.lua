-- vector_loops: how emit.program prints products and maps where a target has vectors: products by vector_products, maps
-- as loops over whole vectors with what is left of one behind them. What does not fit is left to the plain loops of
-- emit.program.
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
        local stride = strides.of(self.program, set[1], var)
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
