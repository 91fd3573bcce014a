-- interpret: runs any program in double precision, with plain loops. What a program means is what this does.
--
-- It is strict: an index outside of a buffer, or a value that nobody wrote, is an error.
local affine = require "ir.affine"
local functions = require "tables.functions"
local grammar = require "ir.grammar"

local interpret = {}

-- interpret.strides(buffer, symbols) -> distance in values by dim, and how many values there are.
function interpret.strides(buffer, symbols)
    local strides, count = {}, 1
    local order = buffer.order
    for k = #buffer.dims, 1, -1 do
        local dim = order and order[k] or k
        strides[dim] = count
        count = count * affine.value(buffer.dims[dim], symbols)
    end
    return strides, count
end

-- Forms and trees are turned into closures once; they would be walked for every value otherwise.
local compile = {}

local function form_of(form)
    local constant, n = form[1], #form - 1
    if n == 0 then return function() return constant end end
    local name, factor = table.unpack(form[2])
    if n == 1 then return function(v) return constant + factor * v[name] end end
    local rest = form_of { constant, table.unpack(form, 3) }
    return function(v) return factor * v[name] + rest(v) end
end

local function place_of(state, access)
    local buffer = grammar.find(state.program, access[1])
    local strides, parts = interpret.strides(buffer, state.symbols), {}
    for i, dim in ipairs(buffer.dims) do
        local index, extent = access[i + 1], affine.value(dim, state.symbols)
        local form, stride = form_of(index), strides[i]
        local lookup = index.lookup and compile.read(state, index.lookup)
        parts[i] = function(v)
            local at = form(v) + (lookup and math.tointeger(lookup(v)) or 0)
            if at < 0 or at >= extent then
                error(string.format("%s: index %d is %d, outside of 0 .. %d", buffer.name, i, at, extent - 1), 0)
            end
            return at * stride
        end
    end
    local first, second, third = parts[1], parts[2], parts[3]
    if #parts == 1 then return function(v) return 1 + first(v) end end
    if #parts == 2 then return function(v) return 1 + first(v) + second(v) end end
    if #parts == 3 then return function(v) return 1 + first(v) + second(v) + third(v) end end
    return function(v)
        local at = 1
        for _, part in ipairs(parts) do at = at + part(v) end
        return at
    end
end

function compile.read(state, access)
    local values, place = state.values[access[1]], place_of(state, access)
    return function(v)
        return values[place(v)] or error(access[1] .. " is read where nothing was written", 0)
    end
end

function compile.expression(state, tree)
    if type(tree) == "number" then return function() return tree end end
    if tree[1] == "read" then return compile.read(state, tree[2]) end
    if tree[1] == "index" then return form_of(tree[2]) end
    if tree[1] == "local" then
        local name = "local " .. tree[2]
        return function(v) return v[name] end
    end
    if tree[1] == "let" then
        local name = "local " .. tree[2]
        local value, body = compile.expression(state, tree[3]), compile.expression(state, tree[4])
        return function(v)
            v[name] = value(v)
            return body(v)
        end
    end
    local row = functions.of(tree[1])
    if row.means then return compile.expression(state, require("ir.expressions").expanded(tree)) end
    local f, arguments = row.value, {}
    for i = 2, #tree do arguments[i - 1] = compile.expression(state, tree[i]) end
    local a, b, c = table.unpack(arguments)
    if row.arity == 1 then return function(v) return f(a(v)) end end
    if row.arity == 2 then return function(v) return f(a(v), b(v)) end end
    return function(v) return f(a(v), b(v), c(v)) end
end

local function each(state, ranges, run)
    local function level(i)
        local range = ranges[i]
        if not range then return run end
        local name, extent, inner = range[1], affine.value(range[2], state.symbols), level(i + 1)
        return function(v)
            for k = 0, extent - 1 do
                v[name] = k
                inner(v)
            end
        end
    end
    return level(1)
end

local function store(state, access, accumulate)
    local values, place = state.values[access[1]], place_of(state, access)
    return function(v, value)
        local at = place(v)
        if accumulate then
            value = value + (values[at] or error(access[1] .. " is added to where nothing was written", 0))
        end
        values[at] = value
    end
end

local runs = {}

local function sequence(state, body)
    local list = {}
    for i, s in ipairs(body) do list[i] = runs[s.op](state, s) end
    return function(v)
        for _, run in ipairs(list) do run(v) end
    end
end

runs["for"] = function(state, s)
    local body, extent, name = sequence(state, s.body), affine.value(s.extent, state.symbols), s.var
    return function(v)
        local first, last = 0, extent - 1
        if s.step < 0 then first, last = last, first end
        for k = first, last, s.step do
            v[name] = k
            body(v)
        end
    end
end

function runs.product(state, s)
    local a, b, put = compile.read(state, s.a), compile.read(state, s.b), store(state, s.out, s.accumulate)
    local total
    local add = each(state, s.sum, function(v) total = total + a(v) * b(v) end)
    return each(state, s.over, function(v)
        total = 0.0
        add(v)
        put(v, total)
    end)
end

function runs.map(state, s)
    local sets = {}
    for i, set in ipairs(s.sets) do
        sets[i] = { compile.expression(state, set[2]), store(state, set[1], s.accumulate) }
    end
    return each(state, s.over, function(v)
        for _, set in ipairs(sets) do set[2](v, set[1](v)) end
    end)
end

local combine = {
    sum = { 0.0, function(a, b) return a + b end },
    -- NaN stays, as in PyTorch
    max = { -math.huge, function(a, b) if b > a or b ~= b then return b end return a end },
}

function runs.reduce(state, s)
    local value, put = compile.expression(state, s.value), store(state, s.out, false)
    local first, both = table.unpack(combine[s.kind])
    local total
    local add = each(state, s.sum, function(v) total = both(total, value(v)) end)
    return each(state, s.over, function(v)
        total = first
        add(v)
        put(v, total)
    end)
end

-- interpret.run(program, symbols, given) -> values by buffer, each a list in the buffer's order in memory.
-- symbols: their values; given: lists by the names of buffers that are there before; they are not changed.
-- Errors: a buffer that is missing or has another size; what the top of the file says.
function interpret.run(program, symbols, given)
    local state = { program = program, symbols = symbols, values = {} }
    for _, buffer in ipairs(program.buffers) do
        local values = {}
        if grammar.given[buffer.role] then
            local _, count = interpret.strides(buffer, symbols)
            values = given[buffer.name] or error("no values of " .. buffer.name)
            if #values ~= count then
                error(string.format("%s has %d values, not %d", buffer.name, #values, count))
            end
        end
        state.values[buffer.name] = values
    end
    local variables = {}
    for name, value in pairs(symbols) do variables[name] = value end
    sequence(state, program.body)(variables)
    return state.values
end

return interpret
