-- fold: a program of statements without what is decided when it is generated: names of constants, loops of one trip or
-- of none, branches that are taken always or never, names for names.
local c_expressions = require "emit.c_expressions"

local fold = {}

local function copy_of(node)
    local copy = {}
    for k, value in pairs(node) do copy[k] = value end
    return copy
end

-- Calls see(node) for all nodes of a list.
local function each(list, see)
    for _, node in ipairs(list) do
        see(node)
        if node.first then see(node.first) end
        if node.body then each(node.body, see) end
        if node.otherwise then each(node.otherwise, see) end
    end
end

-- The C texts of a node itself, as fields of it or of a list in it: visit(text) gives the new one.
local function rewrite(node, visit)
    if node.kind == "declare" then
        local entries = {}
        for i, entry in ipairs(node.entries) do
            entries[i] = { entry[1], entry[2] and visit(entry[2]), entry[3] }
        end
        node.entries = entries
    elseif node.kind == "loop" then
        if node.first then
            node.first = copy_of(node.first)
            rewrite(node.first, visit)
        end
        node.condition, node.step = visit(node.condition), node.step and visit(node.step)
    elseif node.kind == "when" then
        node.condition = visit(node.condition)
    elseif node.kind == "call" then
        local words = {}
        for i, word in ipairs(node.arguments) do words[i] = visit(word) end
        node.arguments = words
    elseif node.kind == "set" and node.text ~= "continue" then
        node.text = visit(node.text)
    elseif node.kind == "barrier" then
        node.passed = visit(node.passed)
    end
    return node
end

-- Calls see(name) for every word of a text that may be a name.
local function words_of(text, see)
    for word in text:gmatch "[%a_][%w_]*" do see(word) end
end

-- Names that a list assigns, declares, or takes the address of; those that no folding reaches are `pinned`.
local function facts_of(list)
    local assigned, declared, pinned = {}, {}, {}
    each(list, function(node)
        if node.kind == "text" then
            words_of(node.text, function(name) pinned[name], assigned[name] = true, true end)
            return
        end
        if node.kind == "declare" then
            for _, entry in ipairs(node.entries) do declared[entry[1]] = true end
        elseif node.kind == "barrier" or node.kind == "post" then
            -- They are printed with these names.
            pinned.team, pinned.part, pinned.parts = true, true, true
        end
        rewrite(copy_of(node), function(text)
            local name = text:match "^([%a_][%w_]*) [+-]?= " or text:match "^[+-][+-]([%a_][%w_]*)$"
            if name then assigned[name] = true end
            for at in text:gmatch "&([%a_][%w_]*)" do assigned[at] = true end
            if not c_expressions.understood(text) then words_of(text, function(word) pinned[word] = true end) end
            return text
        end)
    end)
    return assigned, declared, pinned
end

local integers <const> = { ["const size_t"] = true, ["const ptrdiff_t"] = true, ["const int"] = true }

-- May what a declaration names be replaced by its value?
local function constant(node, entry)
    if not entry[2] or entry[3] or node.kept then return false end
    if entry[2]:find "^%d+$" then return integers[node.type] end
    local name, more = entry[2]:match "^([%a_][%w_]*)(.*)$"
    if not name or name == "NULL" then return false end
    local pointer = node.type:find "%*const$"
    return more == "" and (pointer or integers[node.type]) or pointer and more:find "^ %+ %d+$"
end

local folded_list

-- What is left of a loop whose variable has one value at most; nil: it stays a loop.
local function unrolled(node, scope)
    local first = node.first
    if not first or #first.entries ~= 1 or not node.step then return nil end
    local name, from = first.entries[1][1], first.entries[1][2]
    local by = node.step == "++" .. name and 1 or tonumber(node.step:match("^" .. name .. " %+= (%d+)$"))
    if not by or not from or not from:find "^%d+$" then return nil end
    local assigned, _, pinned = facts_of(node.body)
    local stays = assigned[name] or pinned[name]
    each(node.body, function(inner) stays = stays or inner.kind == "set" and inner.text == "continue" end)
    if stays then return nil end
    local function condition(value)
        return c_expressions.folded(node.condition, setmetatable({ [name] = tostring(value) }, { __index = scope }))
    end
    local now, behind = condition(tonumber(from)), condition(tonumber(from) + by)
    if now == "0" then return {} end
    if behind ~= "0" then return nil end
    local inner = setmetatable({ [name] = from }, { __index = scope })
    local body = folded_list(node.body, inner)
    if now ~= "1" then return { { kind = "when", condition = now, body = body } } end
    return body, true
end

-- How often a name is declared in a list and all that is in it.
local function declarations(list)
    local times = {}
    local function add(name) times[name] = (times[name] or 0) + 1 end
    each(list, function(node)
        for _, entry in ipairs(node.kind == "declare" and node.entries or {}) do add(entry[1]) end
        for _, name in ipairs(node.kind == "text" and node.names or {}) do add(name) end
    end)
    return times
end

-- Puts a body in place of its statement, in braces if what is around it declares one of its names, too. whole: how
-- often all of it does.
local function splice(result, body, whole)
    local clash = false
    for name, times in pairs(declarations(body)) do clash = clash or times < (whole[name] or 0) end
    if clash then
        result[#result + 1] = { kind = "block", body = body }
    else
        table.move(body, 1, #body, #result + 1, result)
    end
end

-- The declarations of a node that stay; the others' values are known from here on. rest: what is behind it.
local function declared(node, scope, rest)
    local kept, assigned, hidden, pinned = {}, nil, nil, nil
    for _, entry in ipairs(node.entries) do
        local value = entry[2] and c_expressions.folded(entry[2], scope)
        local one = { entry[1], value, entry[3] }
        local may = constant(node, one)
        if may and not assigned then assigned, hidden, pinned = facts_of(rest) end
        local of = may and value:match "^[%a_][%w_]*" or 0
        if may and not (assigned[entry[1]] or pinned[entry[1]] or assigned[of] or hidden[of]) then
            scope[entry[1]] = value
        else
            scope[entry[1]] = false
            kept[#kept + 1] = one
        end
    end
    return kept
end

function folded_list(list, outer)
    local result, names = {}, nil
    local scope = setmetatable({}, { __index = outer })
    for i, node in ipairs(list) do
        local copy = copy_of(node)
        if node.kind == "declare" then
            copy.entries = declared(node, scope, table.move(list, i + 1, #list, 1, {}))
            if #copy.entries > 0 then result[#result + 1] = copy end
        else
            local inner = scope
            if node.kind == "loop" and node.first then
                -- Its variables hide others of their names, in all but their own first values.
                inner = setmetatable({}, { __index = scope })
                for _, entry in ipairs(node.first.entries) do inner[entry[1]] = false end
            end
            rewrite(copy, function(text) return c_expressions.folded(text, inner) end)
            local body, whole
            if node.kind == "when" and copy.condition:find "^%d+$" then
                body, whole = folded_list(copy.condition ~= "0" and node.body or node.otherwise or {}, scope), true
            elseif node.kind == "loop" then
                body, whole = unrolled(copy, scope)
            end
            if whole then
                names = names or declarations(list)
                splice(result, body, names)
            elseif body then
                table.move(body, 1, #body, #result + 1, result)
            else
                copy.body = node.body and folded_list(node.body, inner)
                copy.otherwise = node.otherwise and folded_list(node.otherwise, inner)
                result[#result + 1] = copy
            end
        end
    end
    return result
end

-- fold.program(list) -> the same program with less in it. list: without lists in lists.
function fold.program(list) return folded_list(list, {}) end

return fold
