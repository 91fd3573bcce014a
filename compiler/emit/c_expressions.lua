-- c_expressions: what is constant in the C text of an expression. The text becomes a tree, constants take the places
-- of names, and what they decide is gone: sums with 0, products with 0 and 1, comparisons, branches of ?:.
--
-- Nodes: { "number", text }, { "name", text }, { "call", name or node, arguments }, { "index", of, at },
-- { "member", of, text }, { "cast", type, of }, { "unary", operator, of }, { "list", values }, { "sizeof", type },
-- { "?", condition, one, other } and { operator, left, right }.
local c_expressions = {}

local levels <const> = { ["="] = 1, ["+="] = 1, ["-="] = 1, ["?"] = 2, ["||"] = 3, ["&&"] = 4, ["=="] = 5, ["!="] = 5,
                         ["<"] = 6, [">"] = 6, ["<="] = 6, [">="] = 6, ["+"] = 7, ["-"] = 7, ["*"] = 8, ["/"] = 8,
                         ["%"] = 8 }
local UNARY <const>, POSTFIX <const> = 9, 10
local types <const> = { ptrdiff_t = true, size_t = true, int = true }

-- ---- text to tree; an error where the text is none of these ----

local function tokens_of(text)
    local list, at = {}, 1
    while at <= #text do
        local found = text:match("^%d[%w.]*", at) or text:match("^[%a_][%w_]*", at) or text:match("^%->", at)
            or text:match("^[|&=!<>+*-][|&=+-]", at) or text:match("^%S", at)
        if found then list[#list + 1] = found end
        at = at + #(found or text:match("^%s+", at))
    end
    return list
end

local expression, unary

local function expect(p, token)
    if p.list[p.at] ~= token then error({ c_expression = true }, 0) end
    p.at = p.at + 1
end

local function values(p, close)
    local list = {}
    while p.list[p.at] ~= close do
        list[#list + 1] = expression(p, 1)
        if p.list[p.at] ~= close then expect(p, ",") end
    end
    p.at = p.at + 1
    return list
end

local function primary(p)
    local token = p.list[p.at] or ""
    p.at = p.at + 1
    if token == "(" then
        local inner = expression(p, 1)
        expect(p, ")")
        return inner
    end
    if token == "{" then return { "list", values(p, "}") } end
    if token:find "^%d" then return { "number", token } end
    if not token:find "^[%a_]" then error({ c_expression = true }, 0) end
    if token == "sizeof" then
        expect(p, "(")
        local of = p.list[p.at]
        p.at = p.at + 1
        expect(p, ")")
        return { "sizeof", of }
    end
    if p.list[p.at] == "(" then
        p.at = p.at + 1
        return { "call", token, values(p, ")") }
    end
    return { "name", token }
end

local function postfix(p)
    local node = primary(p)
    while true do
        local token = p.list[p.at]
        if token == "[" then
            p.at = p.at + 1
            node = { "index", node, expression(p, 1) }
            expect(p, "]")
        elseif token == "->" or token == "." then
            node = { "member", node, token .. p.list[p.at + 1] }
            p.at = p.at + 2
            if p.list[p.at] == "(" then
                p.at = p.at + 1
                node = { "call", node, values(p, ")") }
            end
        else
            return node
        end
    end
end

function unary(p)
    local token = p.list[p.at]
    if token == "(" and types[p.list[p.at + 1]] and p.list[p.at + 2] == ")" then
        p.at = p.at + 3
        return { "cast", p.list[p.at - 2], unary(p) }
    end
    for _, operator in ipairs { "!", "-", "&", "*", "++", "--" } do
        if token == operator then
            p.at = p.at + 1
            return { "unary", operator, unary(p) }
        end
    end
    return postfix(p)
end

-- What binds at least as much as `level`.
function expression(p, level)
    local left = unary(p)
    while true do
        local token = p.list[p.at]
        local own = levels[token]
        if not own or own < level then return left end
        p.at = p.at + 1
        if token == "?" then
            local one = expression(p, 2)
            expect(p, ":")
            left = { "?", left, one, expression(p, 2) }
        else
            left = { token, left, expression(p, own == 1 and 1 or own + 1) }
        end
    end
end

-- The tree of C text, or nil: it is no expression that this file knows.
local function parsed(text)
    local p = { list = tokens_of(text), at = 1 }
    local ok, tree = pcall(expression, p, 1)
    if not ok and not (type(tree) == "table" and tree.c_expression) then error(tree, 0) end
    return ok and p.at > #p.list and tree or nil
end

-- ---- tree to text ----

local write

-- In brackets, if it binds less than `level`.
local function inside(node, level)
    local text, own = write(node)
    return own < level and "(" .. text .. ")" or text
end

local function joined(list)
    local words = {}
    for i, value in ipairs(list) do words[i] = inside(value, 1) end
    return table.concat(words, ", ")
end

-- The text of a node, and how much it binds.
function write(node)
    local kind = node[1]
    if kind == "number" or kind == "name" then return node[2], POSTFIX end
    if kind == "call" then
        local name = type(node[2]) == "table" and inside(node[2], POSTFIX) or node[2]
        return name .. "(" .. joined(node[3]) .. ")", POSTFIX
    end
    if kind == "index" then return inside(node[2], POSTFIX) .. "[" .. inside(node[3], 1) .. "]", POSTFIX end
    if kind == "member" then return inside(node[2], POSTFIX) .. node[3], POSTFIX end
    if kind == "sizeof" then return "sizeof(" .. node[2] .. ")", POSTFIX end
    if kind == "list" then return "{ " .. joined(node[2]) .. " }", POSTFIX end
    if kind == "cast" then return "(" .. node[2] .. ")" .. inside(node[3], UNARY), UNARY end
    if kind == "unary" then return node[2] .. inside(node[3], UNARY), UNARY end
    if kind == "?" then
        return inside(node[2], 3) .. " ? " .. inside(node[3], 2) .. " : " .. inside(node[4], 2), 2
    end
    local own = levels[kind]
    -- && in || has brackets, for people and for compilers that warn.
    local least = kind == "||" and 5 or own
    return inside(node[2], least) .. " " .. kind .. " " .. inside(node[3], kind == "||" and 5 or own + 1), own
end

-- ---- folding ----

local function number(node)
    return node[1] == "number" and node[2]:find "^%d+$" and math.tointeger(tonumber(node[2])) or nil
end
local function of_number(value) return { "number", tostring(value) } end
local function of_truth(value) return of_number(value and 1 or 0) end

local compare <const> = {
    ["=="] = function(a, b) return a == b end, ["!="] = function(a, b) return a ~= b end,
    ["<"] = function(a, b) return a < b end, [">"] = function(a, b) return a > b end,
    ["<="] = function(a, b) return a <= b end, [">="] = function(a, b) return a >= b end,
}

-- Does it leave things as they are, so that it need not be computed?
local function plain(node)
    if node[1] == "call" or node[1] == "=" or node[1] == "+=" or node[1] == "-=" then return false end
    if node[1] == "unary" and #node[2] == 2 then return false end
    for i = 2, #node do
        if type(node[i]) == "table" and not plain(node[i]) then return false end
    end
    return true
end

-- An operation of two operands that are folded; nil: it stays. Numbers are those of sizes: not below 0.
local function operation(kind, a, b)
    local m, n = number(a), number(b)
    if compare[kind] then
        if m and n then return of_truth(compare[kind](m, n)) end
        if a[1] == "name" and b[1] == "name" and a[2] == b[2] then return of_truth(compare[kind](0, 0)) end
    elseif kind == "&&" then
        if m then return m == 0 and a or b end
        if n and (n ~= 0 or plain(a)) then return n ~= 0 and a or b end
    elseif kind == "||" then
        if m then return m == 0 and b or of_number(1) end
        if n == 0 then return a end
    elseif kind == "+" then
        if m and n then return of_number(m + n) end
        if m == 0 then return b end
        if n == 0 then return a end
        -- What is constant comes together: x + 1 + 2.
        if n and a[1] == "+" and number(a[3]) then return { "+", a[2], of_number(number(a[3]) + n) } end
    elseif kind == "-" then
        if m and n and m >= n then return of_number(m - n) end
        if n == 0 then return a end
    elseif kind == "*" then
        if m and n then return of_number(m * n) end
        if m == 0 and plain(b) or n == 0 and plain(a) then return of_number(0) end
        if m == 1 then return b end
        if n == 1 then return a end
    elseif kind == "/" then
        if m and n and n > 0 then return of_number(m // n) end
        if n == 1 then return a end
    elseif kind == "%" then
        if m and n and n > 0 then return of_number(m % n) end
        if n == 1 and plain(a) then return of_number(0) end
    end
    return nil
end

-- The folded tree; known(name) gives the tree that stands for it, or nil. state.changed: was there anything?
local function folded(node, known, state)
    local kind = node[1]
    if kind == "name" then
        local value = known(node[2])
        if value then state.changed = true end
        return value or node
    end
    local copy = { kind }
    for i = 2, #node do
        local part = node[i]
        if type(part) ~= "table" then
            copy[i] = part
        elseif (kind == "call" and i == 3 or kind == "list") then
            copy[i] = {}
            for k, value in ipairs(part) do copy[i][k] = folded(value, known, state) end
        else
            copy[i] = folded(part, known, state)
        end
    end
    local result
    if kind == "?" then
        local decided = number(copy[2])
        if decided then result = decided ~= 0 and copy[3] or copy[4] end
    elseif kind == "cast" then
        if number(copy[3]) or copy[3][1] == "cast" and copy[3][2] == copy[2] then result = copy[3] end
    elseif kind == "unary" and copy[2] == "!" then
        local value = number(copy[3])
        if value then result = of_truth(value == 0) end
    elseif #copy == 3 and levels[kind] then
        result = operation(kind, copy[2], copy[3])
    end
    if result then state.changed = true end
    return result or copy
end

-- c_expressions.folded(text, known) -> the text with constants in place of names and without what they decide; the
-- same text if it has none of them. known: name -> C text that stands for it, or nil.
function c_expressions.folded(text, known)
    local there = false
    for word in text:gmatch "[%a_][%w_]*" do there = there or known[word] end
    local tree = there and parsed(text)
    if not tree then return text end
    local state = {}
    local result = folded(tree, function(name)
        return known[name] and parsed(known[name])
    end, state)
    return state.changed and (write(result)) or text
end

-- c_expressions.understood(text) -> is it an expression that `folded` knows?
function c_expressions.understood(text) return parsed(text) ~= nil end

return c_expressions
