-- accesses: what a statement reads and writes, and statements with other accesses in place of theirs.
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"

local accesses = {}

local function add_lookups(access, reads)
    for i = 2, #access do
        if access[i].lookup then
            reads[#reads + 1] = access[i].lookup
            add_lookups(access[i].lookup, reads)
        end
    end
end

local function add_read(access, reads)
    reads[#reads + 1] = access
    add_lookups(access, reads)
end

local function add_tree(tree, reads)
    expressions.walk(tree, function(part)
        if type(part) == "table" and part[1] == "read" then add_read(part[2], reads) end
    end)
end

-- accesses.of(statement) -> reads, writes: lists of accesses; those of a loop are those of its body. What a statement
-- adds to is in `writes` alone.
function accesses.of(s)
    local reads, writes = {}, {}
    local function write(access)
        writes[#writes + 1] = access
        add_lookups(access, reads)
    end
    if s.op == "for" then
        for _, inner in ipairs(s.body) do
            local r, w = accesses.of(inner)
            table.move(r, 1, #r, #reads + 1, reads)
            table.move(w, 1, #w, #writes + 1, writes)
        end
    elseif s.op == "product" then
        add_read(s.a, reads)
        add_read(s.b, reads)
        write(s.out)
    elseif s.op == "reduce" then
        add_tree(s.value, reads)
        write(s.out)
    else
        for _, set in ipairs(s.sets) do
            add_tree(set[2], reads)
            write(set[1])
        end
    end
    return reads, writes
end

-- access with an affine form in place of a variable.
local function access_with(access, name, form)
    local out = { access[1] }
    for i = 2, #access do
        local index = affine.substitute(access[i], name, form)
        if access[i].lookup then
            index = { table.unpack(index) }
            index.lookup = access_with(access[i].lookup, name, form)
        end
        out[i] = index
    end
    return out
end

local function tree_with(tree, name, form)
    if type(tree) ~= "table" or tree[1] == "local" then return tree end
    if tree[1] == "read" then return { "read", access_with(tree[2], name, form) } end
    if tree[1] == "index" then return { "index", affine.substitute(tree[2], name, form) } end
    return expressions.rebuilt(tree, function(part) return tree_with(part, name, form) end)
end

-- By kind of field in grammar.statements, the field with a form in place of a variable. Extents have symbols only.
local with_kind = {
    target = access_with, access = access_with, expression = tree_with,
    sets = function(sets, name, form)
        local out = {}
        for i, set in ipairs(sets) do out[i] = { access_with(set[1], name, form), tree_with(set[2], name, form) } end
        return out
    end,
    body = function(body, name, form)
        local out = {}
        for i, s in ipairs(body) do out[i] = accesses.with(s, name, form) end
        return out
    end,
}

-- accesses.with(statement, name, form) -> the statement with an affine form in place of a free variable.
function accesses.with(s, name, form)
    local out = {}
    for field, value in pairs(s) do
        local change = with_kind[grammar.statements[s.op][field]]
        out[field] = change and change(value, name, form) or value
    end
    return out
end

-- accesses.changed(statement, fields) -> a copy with other fields.
function accesses.changed(s, fields)
    local out = {}
    for field, value in pairs(s) do out[field] = value end
    for field, value in pairs(fields) do out[field] = value end
    return out
end

-- accesses.map_body(body, change) -> the body with the list change(statement) in place of each statement, innermost
-- first.
function accesses.map_body(body, change)
    local out = {}
    for _, s in ipairs(body) do
        if s.op == "for" then s = accesses.changed(s, { body = accesses.map_body(s.body, change) }) end
        for _, new in ipairs(change(s)) do out[#out + 1] = new end
    end
    return out
end

-- accesses.with_body(program, body) -> the program with another body.
function accesses.with_body(program, body)
    return { name = program.name, symbols = program.symbols, buffers = program.buffers, body = body }
end

-- accesses.own_dim(access, var) -> the dim of the access whose index is the variable and nothing else, or nil: trips of
-- its loop then touch different places.
function accesses.own_dim(access, var)
    for i = 2, #access do
        local index = access[i]
        if #index == 2 and index[1] == 0 and index[2][1] == var and index[2][2] == 1 and not index.lookup then
            return i
        end
    end
end

-- accesses.names_variable(access, var) -> does an index of it depend on that variable?
function accesses.names_variable(access, var)
    for i = 2, #access do
        if affine.factor(access[i], var) ~= 0 then return true end
        if access[i].lookup and accesses.names_variable(access[i].lookup, var) then return true end
    end
    return false
end

return accesses
