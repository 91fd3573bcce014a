-- expressions: what can be asked of an expression (grammar.lua) and done with it, by the rows of functions.lua.
local affine = require "ir.affine"
local functions = require "tables.functions"

local expressions = {}

-- Those of a program, those of a row of functions.lua and those of a row of cells.lua.
local leaves = { read = true, index = true, ["local"] = true, arg = true, value = true,
                 gate = true, input = true, recurrent = true, state = true, new = true, weight = true, normed = true }

local function is_leaf(tree) return type(tree) ~= "table" or leaves[tree[1]] or false end

-- expressions.is_leaf(tree): has it no parts that are expressions?
expressions.is_leaf = is_leaf

-- expressions.rebuilt(tree, change) -> the tree with change(part) in place of each of its own parts.
function expressions.rebuilt(tree, change)
    if is_leaf(tree) then return tree end
    local out = { tree[1] }
    local first = 2
    if tree[1] == "let" then out[2], first = tree[2], 3 end
    for i = first, #tree do out[i] = change(tree[i]) end
    return out
end

-- expressions.walk(tree, visit): visit(part) for the tree and all its parts, from the top.
function expressions.walk(tree, visit)
    visit(tree)
    if is_leaf(tree) then return end
    for i = tree[1] == "let" and 3 or 2, #tree do expressions.walk(tree[i], visit) end
end

local function access_key(access)
    local words = { access[1] }
    for i = 2, #access do
        words[i] = affine.text(access[i]) .. (access[i].lookup and " + " .. access_key(access[i].lookup) or "")
    end
    return words[1] .. "[" .. table.concat(words, ", ", 2) .. "]"
end

-- The access as a text; equal accesses have equal ones.
expressions.access_key = access_key

-- A tree as text: equal trees have equal keys.
function expressions.key(tree)
    if type(tree) == "number" then return string.format("%.17g", tree) end
    if type(tree) ~= "table" then return tostring(tree) end
    if tree[1] == "read" then return access_key(tree[2]) end
    if tree[1] == "index" then return "#" .. affine.text(tree[2]) end
    local parts = {}
    for i, part in ipairs(tree) do parts[i] = expressions.key(part) end
    return "(" .. table.concat(parts, " ") .. ")"
end

-- expressions.filled(tree, arguments, value) -> the tree of a row of functions.lua with its arguments.
function expressions.filled(tree, arguments, value)
    if type(tree) ~= "table" then return tree end
    if tree[1] == "arg" then return arguments[tree[2]] end
    if tree[1] == "value" then return value end
    return expressions.rebuilt(tree, function(part) return expressions.filled(part, arguments, value) end)
end

-- expressions.expanded(tree) -> the same value without `let` and without functions that only abbreviate others.
function expressions.expanded(tree, bound)
    bound = bound or {}
    if is_leaf(tree) then
        return type(tree) == "table" and tree[1] == "local" and assert(bound[tree[2]], "no local " .. tree[2]) or tree
    end
    if tree[1] == "let" then
        local inner = setmetatable({ [tree[2]] = expressions.expanded(tree[3], bound) }, { __index = bound })
        return expressions.expanded(tree[4], inner)
    end
    local out = expressions.rebuilt(tree, function(part) return expressions.expanded(part, bound) end)
    local row = functions.of(out[1])
    if not row.means then return out end
    return expressions.expanded(expressions.filled(row.means, { table.unpack(out, 2) }))
end

local function only_numbers(tree)
    for i = 2, #tree do
        if type(tree[i]) ~= "number" then return false end
    end
    return #tree > 1
end

-- Rewrites to something shorter of the same value, tried in this order at every node, from the leaves up: name, then
-- a function (tree) -> the better tree, or nil. 0 * x is 0 for numbers x that are finite; derivatives need it.
expressions.rewrites = {
    { "constants are computed", function(t)
        local row = only_numbers(t) and functions.of(t[1])
        return row and row.value and row.value(table.unpack(t, 2)) or nil end },
    { "0 + x", function(t) return t[1] == "add" and t[2] == 0 and t[3] or nil end },
    { "x + 0", function(t) return t[1] == "add" and t[3] == 0 and t[2] or nil end },
    { "x - 0", function(t) return t[1] == "sub" and t[3] == 0 and t[2] or nil end },
    { "0 - x", function(t) return t[1] == "sub" and t[2] == 0 and { "neg", t[3] } or nil end },
    { "0 * x", function(t) return t[1] == "mul" and (t[2] == 0 or t[3] == 0) and 0 or nil end },
    { "1 * x", function(t) return t[1] == "mul" and t[2] == 1 and t[3] or nil end },
    { "x * 1", function(t) return t[1] == "mul" and t[3] == 1 and t[2] or nil end },
    { "-1 * x", function(t) return t[1] == "mul" and t[2] == -1 and { "neg", t[3] } or nil end },
    { "x * -1", function(t) return t[1] == "mul" and t[3] == -1 and { "neg", t[2] } or nil end },
    { "x / 1", function(t) return t[1] == "div" and t[3] == 1 and t[2] or nil end },
    { "-(-x)", function(t) return t[1] == "neg" and type(t[2]) == "table" and t[2][1] == "neg" and t[2][2] or nil end },
    { "x + (-y)", function(t)
        return t[1] == "add" and type(t[3]) == "table" and t[3][1] == "neg" and { "sub", t[2], t[3][2] } or nil end },
}

-- expressions.simplified(tree) -> a tree of the same value, by expressions.rewrites.
function expressions.simplified(tree)
    if is_leaf(tree) then return tree end
    local out = expressions.rebuilt(tree, expressions.simplified)
    for _, rewrite in ipairs(expressions.rewrites) do
        local better = rewrite[2](out)
        if better ~= nil then return expressions.simplified(better) end
    end
    return out
end

-- expressions.adjoints(tree, seed, found): appends { access, expression } to `found`, what the tree adds to the adjoint
-- of each place that it reads, where `seed` is the adjoint of the tree. A part that occurs several times is one part.
function expressions.adjoints(tree, seed, found)
    local order, seen = {}, {}
    local function gather(part)
        if type(part) ~= "table" or part[1] == "index" then return end
        local key = expressions.key(part)
        if seen[key] then return end
        seen[key] = true
        for i = 2, part[1] == "read" and 1 or #part do gather(part[i]) end
        order[#order + 1] = { key, part }
    end
    local whole = expressions.expanded(tree)
    gather(whole)
    local adjoint = { [expressions.key(whole)] = seed }
    -- Behind all that uses it, a part has its whole adjoint.
    for i = #order, 1, -1 do
        local key, part = table.unpack(order[i])
        local own = adjoint[key] or 0
        if own ~= 0 and part[1] == "read" then
            found[#found + 1] = { part[2], own }
        elseif own ~= 0 then
            local row, arguments = functions.of(part[1]), { table.unpack(part, 2) }
            for k, argument in ipairs(arguments) do
                if type(argument) == "table" then
                    local name = expressions.key(argument)
                    local slope = expressions.filled(row.derivative[k], arguments, part)
                    adjoint[name] = expressions.simplified { "add", adjoint[name] or 0, { "mul", own, slope } }
                end
            end
        end
    end
end

-- expressions.shared(trees, prefix) -> locals { { name, tree }... }, the trees by these: what occurs more than once in
-- them and is no leaf is computed once.
function expressions.shared(trees, prefix)
    local count, locals, names = {}, {}, {}
    local function visit(tree)
        if is_leaf(tree) then return end
        local key = expressions.key(tree)
        count[key] = (count[key] or 0) + 1
        if count[key] == 1 then
            for i = 2, #tree do visit(tree[i]) end
        end
    end
    for _, tree in ipairs(trees) do visit(tree) end
    local function change(tree)
        if is_leaf(tree) then return tree end
        local key = expressions.key(tree)
        if names[key] then return { "local", names[key] } end
        local out = expressions.rebuilt(tree, change)
        if count[key] == 1 then return out end
        names[key] = prefix .. #locals + 1
        locals[#locals + 1] = { names[key], out }
        return { "local", names[key] }
    end
    local out = {}
    for i, tree in ipairs(trees) do out[i] = change(tree) end
    return locals, out
end

-- expressions.calls(tree, visit): visit(name, row of functions.lua) for every function, each time it is written.
function expressions.calls(tree, visit)
    expressions.walk(tree, function(part)
        if not is_leaf(part) and part[1] ~= "let" then visit(part[1], functions.of(part[1])) end
    end)
end

-- expressions.cost(tree) -> divisions, other arithmetic; what is shared counts each time it is written.
function expressions.cost(tree)
    local divisions, arithmetic = 0, 0
    expressions.calls(tree, function(_, row)
        divisions, arithmetic = divisions + row.cost[1], arithmetic + row.cost[2]
    end)
    return divisions, arithmetic
end

-- expressions.range(tree) -> least, most: an interval that has the value for all finite leaves; infinities: unknown.
function expressions.range(tree)
    if type(tree) == "number" then return tree, tree end
    if is_leaf(tree) then return -math.huge, math.huge end
    if tree[1] == "let" then return expressions.range(expressions.expanded(tree)) end
    local row = functions.of(tree[1])
    if row.range then return row.range[1], row.range[2] end
    if row.means then return expressions.range(expressions.expanded(tree)) end
    local a, b = { expressions.range(tree[2]) }, tree[3] and { expressions.range(tree[3]) }
    if tree[1] == "neg" then return -a[2], -a[1] end
    if tree[1] == "add" then return a[1] + b[1], a[2] + b[2] end
    if tree[1] == "sub" then return a[1] - b[2], a[2] - b[1] end
    if tree[1] == "mul" then
        local least, most = math.huge, -math.huge
        for _, x in ipairs(a) do
            for _, y in ipairs(b) do
                local product = (x == 0 or y == 0) and 0 or x * y
                least, most = math.min(least, product), math.max(most, product)
            end
        end
        return least, most
    end
    return -math.huge, math.huge
end

return expressions
