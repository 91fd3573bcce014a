-- check: is a program one? Run after every pass. The first mistake is an error that names the program, the statement,
-- the row or layer that made it, and what is wrong.
--
-- Checked: fields and ops as in grammar.lua; every access names a buffer and has its rank; indices stay within the
-- dims for all values of variables and all symbols from 1 on; variables are in scope and named once; functions exist
-- and have their arity; locals are bound; indices are looked up in i32, values read from f32; what the program is
-- given is not written, and nothing is read, or added to, before something wrote to it.
local affine = require "ir.affine"
local dump = require "ir.dump"
local functions = require "tables.functions"
local grammar = require "ir.grammar"

local rules = {}

local function fail(state, message)
    local at = ""
    if state.statement then
        local s = state.statement
        at = string.format(": in \"%s\"%s", dump.head(s), s.from and " of " .. s.from or "")
    end
    error(string.format("%s%s: %s", state.program.name, at, message), 0)
end

-- Is the form at least 0 whatever the symbols are, each 1 or more?
local function never_negative(form)
    local least = form[1]
    for i = 2, #form do
        if form[i][2] < 0 then return false end
        least = least + form[i][2]
    end
    return least >= 0
end

-- The form with every variable at the end of its range that makes it `most` (or least).
local function extreme(state, form, most)
    local out = form
    for i = 2, #form do
        local name, factor = form[i][1], form[i][2]
        local extent = state.scope[name]
        if extent then
            local last = affine.add(extent, { -1 })
            out = affine.substitute(out, name, (factor > 0) == most and last or { 0 })
        end
    end
    return out
end

local function check_index(state, form)
    for i = 2, #form do
        local name = form[i][1]
        if not state.scope[name] and not state.symbols[name] then fail(state, "no variable " .. name .. " here") end
    end
end

local function check_access(state, access, dtype)
    local buffer = type(access) == "table" and grammar.find(state.program, access[1])
    if not buffer then fail(state, "no buffer " .. tostring(type(access) == "table" and access[1] or access)) end
    if #access - 1 ~= #buffer.dims then
        fail(state, string.format("%s has %d dims, not %d", buffer.name, #buffer.dims, #access - 1))
    end
    if buffer.dtype ~= dtype then
        fail(state, string.format("%s holds %s, wanted is %s", buffer.name, buffer.dtype, dtype))
    end
    for i, dim in ipairs(buffer.dims) do
        local index = access[i + 1]
        check_index(state, index)
        if index.lookup then
            check_access(state, index.lookup, "i32")
            if not state.written[index.lookup[1]] then fail(state,
                index.lookup[1] .. " is read before it is written") end
        elseif not never_negative(extreme(state, index, false))
            or not never_negative(affine.add(affine.add(dim, extreme(state, index, true), -1), { -1 })) then
            fail(state, string.format("index %s of %s is not within 0 .. %s - 1", affine.text(index), buffer.name,
                affine.text(dim)))
        end
    end
    return buffer
end

local function check_read(state, access, dtype)
    local buffer = check_access(state, access, dtype)
    if not state.written[buffer.name] then fail(state, buffer.name .. " is read before it is written") end
end

local function check_expression(state, tree, bound)
    if type(tree) == "number" then return end
    if type(tree) ~= "table" then fail(state, "no expression: " .. tostring(tree)) end
    local name = tree[1]
    if name == "read" then
        local buffer = type(tree[2]) == "table" and grammar.find(state.program, tree[2][1])
        return check_read(state, tree[2], buffer and buffer.dtype or "f32")
    end
    if name == "index" then return check_index(state, tree[2]) end
    if name == "local" then
        if not bound[tree[2]] then fail(state, "no local " .. tostring(tree[2])) end
        return
    end
    if name == "let" then
        check_expression(state, tree[3], bound)
        return check_expression(state, tree[4], setmetatable({ [tree[2]] = true }, { __index = bound }))
    end
    local row = functions.rows[name]
    if not row then fail(state, "no function " .. tostring(name)) end
    if row.arity ~= #tree - 1 then
        fail(state, string.format("%s takes %d, not %d", name, row.arity, #tree - 1))
    end
    for i = 2, #tree do check_expression(state, tree[i], bound) end
end

local function check_target(state, access, accumulate)
    local buffer = check_access(state, access, "f32")
    if grammar.given[buffer.role] then
        fail(state, string.format("%s is given (%s) and not to be written", buffer.name, buffer.role))
    end
    if accumulate and not state.written[buffer.name] then
        fail(state, buffer.name .. " is added to before it is written")
    end
    state.written[buffer.name] = true
end

local function enter(state, name, extent)
    if state.scope[name] or state.symbols[name] then fail(state, "there is a variable " .. name .. " already") end
    check_index(state, extent)
    for i = 2, #extent do
        if not state.symbols[extent[i][1]] then fail(state, "an extent has symbols only, not " .. extent[i][1]) end
    end
    if not never_negative(affine.add(extent, { -1 })) then fail(state, "extent " .. affine.text(extent)) end
    state.scope[name] = extent
end

local function within(state, ranges, run)
    for _, range in ipairs(ranges) do enter(state, range[1], range[2]) end
    run()
    for _, range in ipairs(ranges) do state.scope[range[1]] = nil end
end

local check_body

rules["for"] = function(state, s)
    if s.step ~= 1 and s.step ~= -1 then fail(state, "step is " .. tostring(s.step)) end
    within(state, { { s.var, s.extent } }, function() check_body(state, s.body) end)
end

function rules.product(state, s)
    within(state, s.over, function()
        within(state, s.sum, function()
            check_read(state, s.a, "f32")
            check_read(state, s.b, "f32")
        end)
        check_target(state, s.out, s.accumulate)
    end)
end

function rules.map(state, s)
    within(state, s.over, function()
        for _, set in ipairs(s.sets) do
            check_expression(state, set[2], {})
            check_target(state, set[1], s.accumulate)
        end
    end)
end

function rules.reduce(state, s)
    if not grammar.kinds[s.kind] then fail(state, "no reduction " .. tostring(s.kind)) end
    within(state, s.over, function()
        within(state, s.sum, function() check_expression(state, s.value, {}) end)
        check_target(state, s.out, false)
    end)
end

function check_body(state, body)
    for _, s in ipairs(body) do
        local fields = grammar.statements[s.op]
        if not fields then fail(state, "no statement " .. tostring(s.op)) end
        local outer = state.statement
        state.statement = s
        for field in pairs(fields) do
            if s[field] == nil and not grammar.optional[field] then fail(state, "needs " .. field) end
        end
        rules[s.op](state, s)
        state.statement = outer
    end
end

-- check(program) -> the program.
return function(program)
    local state = { program = program, scope = {}, symbols = {}, written = {} }
    for _, symbol in ipairs(program.symbols) do state.symbols[symbol] = true end
    local seen = {}
    for _, buffer in ipairs(program.buffers) do
        if seen[buffer.name] then fail(state, "two buffers " .. buffer.name) end
        seen[buffer.name] = true
        if not grammar.dtypes[buffer.dtype] then fail(state, buffer.name .. ": no type " .. tostring(buffer.dtype)) end
        if not grammar.roles[buffer.role] then fail(state, buffer.name .. ": no role " .. tostring(buffer.role)) end
        state.written[buffer.name] = grammar.given[buffer.role]
    end
    check_body(state, program.body)
    return program
end
