-- program.keep: values of functions that take long, tanh, sigmoid and the like, get buffers of their own in a forward
-- program, so that its backward program can read them (program.recall) where it would compute them once more.
local accesses = require "ir.accesses"
local check = require "ir.check"
local expressions = require "ir.expressions"
local functions = require "tables.functions"
local grammar = require "ir.grammar"

local keep = {}

-- Instructions from which on a value is worth a store and a load.
local COST <const> = 8

-- keep.takes_long(tree) -> is it the call of a function that is worth keeping?
function keep.takes_long(tree)
    local row = type(tree) == "table" and functions.rows[tree[1]]
    return row and row.cost[1] * 10 + row.cost[2] >= COST and tree[1] ~= "div" or false
end

-- The maps that compute what a map has within its trees, each into a buffer over all ranges around it, then the map by
-- these. around: the ranges of the loops that it stands in.
local function kept(program, s, around)
    local ranges = table.move(s.over, 1, #s.over, #around + 1, table.move(around, 1, #around, 1, {}))
    local list, known = {}, {}
    local function place()
        local indices, dims = {}, {}
        for i, range in ipairs(ranges) do indices[i], dims[i] = { 0, { range[1], 1 } }, range[2] end
        program.kept = program.kept + 1
        local buffer = grammar.buffer("kept" .. program.kept, "workspace", dims)
        program.buffers[#program.buffers + 1] = buffer
        return grammar.access(buffer.name, table.unpack(indices))
    end
    local function change(tree, is_whole)
        if type(tree) ~= "table" or tree[1] == "read" or tree[1] == "index" then return tree end
        local key = expressions.key(tree)
        if known[key] then return known[key] end
        local out = expressions.rebuilt(tree, function(part) return change(part, false) end)
        -- The target of the set keeps what is the whole value.
        if is_whole or not keep.takes_long(out) then return out end
        local target = place()
        list[#list + 1] = grammar.statement { op = "map", from = s.from, over = s.over, sets = { { target, out } } }
        known[key] = { "read", target }
        return known[key]
    end
    local sets = {}
    for i, set in ipairs(s.sets) do sets[i] = { set[1], change(expressions.expanded(set[2]), true) } end
    list[#list + 1] = accesses.changed(s, { sets = sets })
    return list
end

local function changed(program, body, around)
    local out = {}
    for _, s in ipairs(body) do
        if s.op == "for" then
            local inside = table.move(around, 1, #around, 1, {})
            inside[#inside + 1] = { s.var, s.extent }
            out[#out + 1] = accesses.changed(s, { body = changed(program, s.body, inside) })
        elseif s.op == "map" and #s.sets == 1 and not s.accumulate then
            for _, new in ipairs(kept(program, s, around)) do out[#out + 1] = new end
        else
            out[#out + 1] = s
        end
    end
    return out
end

-- keep.run(program) -> program, checked. For programs where no value is written twice, as lower's are.
function keep.run(program)
    local out = { name = program.name, symbols = program.symbols, kept = 0,
                  buffers = table.move(program.buffers, 1, #program.buffers, 1, {}) }
    out.body = changed(out, program.body, {})
    return check { name = out.name, symbols = out.symbols, buffers = out.buffers, body = out.body }
end

-- Values of the forward program by the text of their tree, where they are kept.
local function values_of(program)
    local found = {}
    local function visit(body)
        for _, s in ipairs(body) do
            if s.op == "for" then
                visit(s.body)
            elseif s.op == "map" and not s.accumulate and #s.sets == 1 then
                local target, value = s.sets[1][1], expressions.expanded(s.sets[1][2])
                if keep.takes_long(value) and grammar.find(program, target[1]).role == "workspace" then
                    found[expressions.key(value)] = target
                end
            end
        end
    end
    visit(program.body)
    return found
end

-- keep.recall(backward, forward) -> the backward program, checked: where it would compute a value that the forward
-- program has stored, it reads that; `forward` is keep.run of the program that `backward` is the derivative of. Tapes
-- that nothing reads are gone.
function keep.recall(backward, forward)
    local values = values_of(forward)
    local function change(tree)
        if type(tree) ~= "table" or tree[1] == "read" or tree[1] == "index" then return tree end
        -- What a kept value is made of may be kept too.
        local out = expressions.rebuilt(tree, change)
        local target = values[expressions.key(out)]
        return target and { "read", target } or out
    end
    local function recalled(s)
        if s.op ~= "map" then return { s } end
        local sets = {}
        for i, set in ipairs(s.sets) do sets[i] = { set[1], change(expressions.expanded(set[2])) } end
        return { accesses.changed(s, { sets = sets }) }
    end
    local out = accesses.with_body(backward, accesses.map_body(backward.body, recalled))
    local read = {}
    for _, s in ipairs(out.body) do
        for _, access in ipairs((accesses.of(s))) do read[access[1]] = true end
    end
    local buffers = {}
    for _, b in ipairs(backward.buffers) do
        if b.role ~= "tape" or read[b.name] then buffers[#buffers + 1] = b end
    end
    for _, b in ipairs(forward.buffers) do
        if read[b.name] and not grammar.find(backward, b.name) then
            buffers[#buffers + 1] = grammar.buffer(b.name, "tape", b.dims, { dtype = b.dtype, order = b.order })
        end
    end
    return check { name = out.name, symbols = out.symbols, buffers = buffers, body = out.body }
end

return keep
