-- run_statements: runs functions of emit/statements.lua as they are, without a C compiler: a checker of the text of
-- expressions as much as of what they compute. Numbers are Lua's, floats are doubles; a pointer is { of, at }, `of` a
-- buffer of `count` values. What is outside of its buffer, or read before it is written, is an error.
local run_statements = {}

-- run_statements.buffer(count, values) -> a pointer at `count` values, of which those of the list are there.
function run_statements.buffer(count, values)
    local of = { count = count }
    for i, value in ipairs(values or {}) do of[i - 1] = value end
    return { of = of, at = 0 }
end

local function is_pointer(value) return type(value) == "table" and value.of ~= nil end

function run_statements.get(pointer, i)
    local at = pointer.at + i
    if at < 0 or at >= pointer.of.count then
        error(string.format("value %d of %d is read", at, pointer.of.count), 0)
    end
    return pointer.of[at] or error(string.format("value %d is read before it is written", at), 0)
end

function run_statements.put(pointer, i, value)
    local at = pointer.at + i
    if at < 0 or at >= pointer.of.count then
        error(string.format("value %d of %d is written", at, pointer.of.count), 0)
    end
    pointer.of[at] = value
end

local function plus(a, b, sign)
    if is_pointer(a) then return { of = a.of, at = a.at + sign * b } end
    if is_pointer(b) then return { of = b.of, at = b.at + a } end
    return a + sign * b
end

local function truth(value) return value ~= 0 and value ~= false and value ~= nil end
local function bit(value) return value and 1 or 0 end

-- ---- expressions: a parser that gives functions of the variables ----

local binary = {
    { ["||"] = false }, { ["&&"] = false },
    { ["=="] = function(a, b) return bit(a == b) end, ["!="] = function(a, b) return bit(a ~= b) end },
    { ["<"] = function(a, b) return bit(a < b) end, [">"] = function(a, b) return bit(a > b) end,
      ["<="] = function(a, b) return bit(a <= b) end, [">="] = function(a, b) return bit(a >= b) end },
    { ["+"] = function(a, b) return plus(a, b, 1) end, ["-"] = function(a, b) return plus(a, b, -1) end },
    { ["*"] = function(a, b) return a * b end, ["/"] = function(a, b) return a // b end,
      ["%"] = function(a, b) return a % b end },
}

local function tokens_of(text)
    local list, at = {}, 1
    while at <= #text do
        local found = text:match("^%s+", at)
        if not found then
            found = text:match("^%d[%w.]*", at) or text:match("^[%a_][%w_]*", at)
                or text:match("^[|&=!<>+*-][|&=+]", at) or text:match("^.", at)
            list[#list + 1] = found
        end
        at = at + #found
    end
    return list
end

local types = { ["ptrdiff_t"] = true, ["size_t"] = true, ["int"] = true }
local expression, unary

local function expect(p, token)
    if p.list[p.at] ~= token then
        error(string.format("%q: %s and not %s", p.text, tostring(p.list[p.at]), token), 0)
    end
    p.at = p.at + 1
end

local function arguments(p, close)
    local list = {}
    while p.list[p.at] ~= close do
        list[#list + 1] = expression(p)
        if p.list[p.at] == "," then p.at = p.at + 1 end
    end
    p.at = p.at + 1
    return list
end

local function values(list, scope)
    local out = {}
    for i, one in ipairs(list) do out[i] = one(scope) end
    return out
end

local function primary(p)
    local token = p.list[p.at] or error(string.format("%q ends early", p.text), 0)
    p.at = p.at + 1
    if token == "(" then
        if types[p.list[p.at]] and p.list[p.at + 1] == ")" then
            p.at = p.at + 2
            return unary(p)
        end
        local inner = expression(p)
        expect(p, ")")
        return inner
    elseif token == "{" then
        local list = arguments(p, "}")
        return function(scope)
            local all = values(list, scope)
            return run_statements.buffer(#all, all)
        end
    elseif token:find("^%d") then
        local number = tonumber((token:gsub("f$", "")))
        return function() return number end
    elseif token == "NULL" then
        return function() return 0 end
    elseif token == "sizeof" then
        expect(p, "(")
        expect(p, "float")
        expect(p, ")")
        return function() return 1 end
    elseif p.list[p.at] == "(" then
        p.at = p.at + 1
        local list = arguments(p, ")")
        return function(scope) return scope.call(token, values(list, scope)) end
    end
    return function(scope)
        local value = scope.variables[token]
        if value == nil then error(token .. " is not there", 0) end
        return value
    end
end

local function postfix(p)
    local value = primary(p)
    while p.list[p.at] == "[" do
        p.at = p.at + 1
        local of, index = value, expression(p)
        expect(p, "]")
        value = function(scope) return run_statements.get(of(scope), index(scope)) end
    end
    return value
end

function unary(p)
    if p.list[p.at] == "!" then
        p.at = p.at + 1
        local value = unary(p)
        return function(scope) return bit(not truth(value(scope))) end
    end
    return postfix(p)
end

local function level(p, n)
    if n > #binary then return unary(p) end
    local left = level(p, n + 1)
    while binary[n][p.list[p.at]] ~= nil do
        local token, a = p.list[p.at], left
        p.at = p.at + 1
        local b, of = level(p, n + 1), binary[n][token]
        if of then
            left = function(scope) return of(a(scope), b(scope)) end
        else
            left = function(scope)
                local first = truth(a(scope))
                if first == (token == "||") then return bit(first) end
                return bit(truth(b(scope)))
            end
        end
    end
    return left
end

function expression(p)
    local condition = level(p, 1)
    if p.list[p.at] ~= "?" then return condition end
    p.at = p.at + 1
    local yes = expression(p)
    expect(p, ":")
    local no = expression(p)
    return function(scope)
        if truth(condition(scope)) then return yes(scope) end
        return no(scope)
    end
end

local parsed = {}

local function evaluate(text, scope)
    if not parsed[text] then
        local p = { text = text, list = tokens_of(text), at = 1 }
        local value = expression(p)
        if p.list[p.at] then error(string.format("%q: what is %s?", text, p.list[p.at]), 0) end
        parsed[text] = value
    end
    return parsed[text](scope)
end

-- ---- statements ----

local function assign(text, scope)
    local left, operator, right = text:match("^(.-)%s*([+*-]?)=%s*(.+)$")
    if text:find("^[+-][+-]") then left, operator, right = text:sub(3), text:sub(1, 1), "1" end
    local value = evaluate(right, scope)
    local base, index = left:match("^(.-)%[(.*)%]$")
    local old = operator ~= "" and evaluate(left, scope)
    if operator ~= "" then value = plus(old, value, operator == "-" and -1 or 1) end
    if base then
        run_statements.put(evaluate(base, scope), evaluate(index, scope), value)
    elseif scope.variables[left] == nil then
        error(left .. " is assigned and not there", 0)
    else
        -- In the block that has it.
        local at = scope.variables
        while rawget(at, left) == nil do at = getmetatable(at).__index end
        rawset(at, left, value)
    end
end

local function inner(scope)
    return { call = scope.call, variables = setmetatable({}, { __index = scope.variables }) }
end

local run_list

local run = {
    comment = function() end,
    block = function(node, scope) run_list(node.body, inner(scope)) end,
    set = function(node, scope) assign(node.text, scope) end,
    declare = function(node, scope)
        for _, entry in ipairs(node.entries) do
            rawset(scope.variables, entry[1], entry[2] and evaluate(entry[2], scope) or false)
        end
    end,
    call = function(node, scope)
        local list = {}
        for i, text in ipairs(node.arguments) do list[i] = evaluate(text, scope) end
        scope.call(node.fn, list)
    end,
    when = function(node, scope)
        if truth(evaluate(node.condition, scope)) then
            run_list(node.body, inner(scope))
        elseif node.otherwise then
            run_list(node.otherwise, inner(scope))
        end
    end,
}

function run.loop(node, outer)
    local scope = inner(outer)
    if node.first then run.declare(node.first, scope) end
    while truth(evaluate(node.condition, scope)) do
        run_list(node.body, inner(scope))
        for step in (node.step or ""):gmatch("[^,]+") do assign(step:match("^%s*(.*)$"), scope) end
    end
end

function run_list(list, scope)
    for _, node in ipairs(list) do
        local of = run[node.kind] or error("no way to run " .. node.kind, 0)
        of(node, scope)
    end
end

-- run_statements.run(program, names, given, call): a function's program with the parameters `names` and their values;
-- call(fn, values) is what it calls.
function run_statements.run(program, names, given, call)
    local variables = {}
    for i, name in ipairs(names) do
        if given[i] == nil then error(name .. " is not given", 0) end
        variables[name] = given[i]
    end
    run_list(program, { variables = variables, call = call })
end

return run_statements
