-- program.assign: where a buffer is set to 0 and each of its values is then added to once, it is set to that value at
-- once. Adjoints begin as 0, and most of them are one term.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"

local assign = {}

local function is_zero(s)
    if s.op ~= "map" or s.accumulate then return false end
    for _, set in ipairs(s.sets) do
        if set[2] ~= 0 then return false end
    end
    return true
end

-- The box of places that a write covers, { first, extent } by dim, each variable in one index alone and none left
-- over; or nil. ranges: those that the write is repeated over.
local function box_of(access, ranges)
    local box, extents, seen = {}, {}, 0
    for _, range in ipairs(ranges) do extents[range[1]] = range[2] end
    for i = 2, #access do
        local index = access[i]
        if index.lookup or #index > 2 then return nil end
        local name = index[2] and index[2][1]
        if name and (index[2][2] ~= 1 or not extents[name]) then return nil end
        box[i - 1] = { index[1], name and extents[name] or { 1 } }
        if name then
            seen = seen + 1
            extents[name] = nil
        end
    end
    return seen == #ranges and box or nil
end

-- Do boxes make up the whole buffer, each place once? They may differ in one dim, where they stand side by side.
local function cover(boxes, dims)
    local split
    for i, dim in ipairs(dims) do
        for _, box in ipairs(boxes) do
            if box[i][1] ~= 0 or affine.text(box[i][2]) ~= affine.text(dim) then
                if split and split ~= i then return false end
                split = i
            end
        end
    end
    if not split then return #boxes == 1 end
    if #dims[split] > 1 then return false end
    table.sort(boxes, function(a, b) return a[split][1] < b[split][1] end)
    local at = 0
    for _, box in ipairs(boxes) do
        if box[split][1] ~= at or #box[split][2] > 1 then return false end
        at = at + box[split][2][1]
    end
    return at == dims[split][1]
end

-- By buffer: how it is written, { boxes (false: not to be told), zeros }.
local function writes_of(program)
    local found = {}
    local function note(access, ranges, zero)
        local entry = found[access[1]] or { boxes = {}, zeros = 0 }
        found[access[1]] = entry
        if zero then
            entry.zeros = entry.zeros + 1
        elseif entry.boxes then
            local box = box_of(access, ranges)
            if box then table.insert(entry.boxes, box) else entry.boxes = false end
        end
    end
    local function visit(body, around)
        for _, s in ipairs(body) do
            if s.op == "for" then
                local inside = table.move(around, 1, #around, 1, {})
                inside[#inside + 1] = { s.var, s.extent }
                visit(s.body, inside)
            else
                local ranges = table.move(s.over, 1, #s.over, #around + 1, table.move(around, 1, #around, 1, {}))
                for _, set in ipairs(s.sets or { { s.out } }) do
                    note(set[1], ranges, #around == 0 and is_zero(s))
                    if not s.accumulate and not is_zero(s) then found[set[1][1]].boxes = false end
                end
            end
        end
    end
    visit(program.body, {})
    return found
end

-- A statement's sets to buffers that `chosen` has and to others, as one statement each.
local function parted(s, chosen)
    local first, second = {}, {}
    for _, set in ipairs(s.sets) do table.insert(chosen[set[1][1]] and first or second, set) end
    return first, second
end

-- assign.run(program) -> program, checked. What reads such a buffer comes behind what is added, as in programs that
-- differentiate makes.
function assign.run(program)
    local chosen = {}
    for name, entry in pairs(writes_of(program)) do
        if entry.boxes and entry.zeros == 1 and #entry.boxes > 0
            and cover(entry.boxes, grammar.find(program, name).dims) then
            chosen[name] = true
        end
    end
    local function change(s)
        if s.op == "for" then return { s } end
        if s.op ~= "map" then
            return { s.accumulate and chosen[s.out[1]] and accesses.changed(s, { accumulate = false }) or s }
        end
        local set, others = parted(s, chosen)
        if #set == 0 then return { s } end
        if is_zero(s) then return #others > 0 and { accesses.changed(s, { sets = others }) } or {} end
        if #others == 0 then return { accesses.changed(s, { accumulate = false }) } end
        error("assign: a map of several sets: " .. expressions.access_key(set[1][1]))
    end
    return check(accesses.with_body(program, accesses.map_body(program.body, change)))
end

return assign
