-- program.assign: where a buffer is set to 0 and then added to, what is added first is set at once: adjoints begin as
-- 0, and most of them are one term. That needs the first additions to be known and to make up the whole buffer.
--
-- Within a loop that counts down, of two statements that add at t + 1 and at t the second one is first at each place
-- that both add to.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local grammar = require "ir.grammar"

local assign = {}

local function is_zero(s)
    if s.op ~= "map" or s.accumulate then return false end
    for _, set in ipairs(s.sets) do
        if set[2] ~= 0 then return false end
    end
    return true
end

-- The box of places that a write covers, { first, extent, var } by dim (forms; var: the one that runs along it or nil),
-- each variable in one index alone and none left over; or nil. ranges: those that the write is repeated over.
local function box_of(access, ranges)
    local box, extents, seen = {}, {}, 0
    for _, range in ipairs(ranges) do extents[range[1]] = range[2] end
    for i = 2, #access do
        local index = access[i]
        if index.lookup then return nil end
        local own
        for k = 2, #index do
            if extents[index[k][1]] then
                if own or index[k][2] ~= 1 then return nil end
                own = index[k][1]
            end
        end
        box[i - 1] = { own and affine.substitute(index, own, { 0 }) or index, own and extents[own] or { 1 }, own }
        if own then
            seen = seen + 1
            extents[own] = nil
        end
    end
    return seen == #ranges and box or nil
end

local function end_of(part) return affine.add(part[1], part[2]) end

-- Is a at most b whatever the symbols are, each 1 or more?
local function at_most(a, b)
    local difference = affine.add(b, a, -1)
    local least = difference[1]
    for i = 2, #difference do
        if difference[i][2] < 0 then return false end
        least = least + difference[i][2]
    end
    return least >= 0
end

local function disjoint(a, b)
    for i in ipairs(a) do
        if at_most(end_of(a[i]), b[i][1]) or at_most(end_of(b[i]), a[i][1]) then return true end
    end
    return false
end

local function same(a, b) return affine.text(a) == affine.text(b) end

-- Do disjoint boxes make up the whole buffer? They may differ in one dim, where they stand side by side.
local function cover(boxes, dims)
    local split
    for i, dim in ipairs(dims) do
        for _, box in ipairs(boxes) do
            if not (same(box[i][1], { 0 }) and same(box[i][2], dim)) then
                if split and split ~= i then return false end
                split = i
            end
        end
    end
    if not split then return #boxes == 1 end
    local at, used = { 0 }, 0
    while not same(at, dims[split]) do
        local next_box
        for _, box in ipairs(boxes) do
            if same(box[split][1], at) then next_box = box end
        end
        if not next_box then return false end
        at, used = end_of(next_box[split]), used + 1
    end
    return used == #boxes
end

-- By buffer: how it is written: { zeros, unknown (is it written otherwise?), adds }, adds being { s, box, loop, order }
-- in the order of the program, loop the one that it stands in.
local function writes_of(program)
    local found, order = {}, 0
    local function entry_of(name)
        found[name] = found[name] or { adds = {}, zeros = 0, unknown = false }
        return found[name]
    end
    local function note(s, around)
        local ranges = table.move(s.over, 1, #s.over, 1, {})
        for _, loop in ipairs(around) do ranges[#ranges + 1] = { loop.var, loop.extent } end
        for _, set in ipairs(s.sets or { { s.out } }) do
            local entry, box = entry_of(set[1][1]), box_of(set[1], ranges)
            order = order + 1
            if is_zero(s) and #around == 0 then
                entry.zeros = entry.zeros + 1
                entry.unknown = entry.unknown or #entry.adds > 0
            elseif s.accumulate and box and #around <= 1 and (not s.sets or #s.sets == 1) then
                table.insert(entry.adds, { s = s, box = box, loop = around[1], order = order })
            else
                entry.unknown = true
            end
        end
    end
    local function visit(body, around)
        for _, s in ipairs(body) do
            if s.op == "for" then
                local inside = table.move(around, 1, #around, 1, {})
                inside[#inside + 1] = s
                visit(s.body, inside)
            else
                note(s, around)
            end
        end
    end
    visit(program.body, {})
    return found
end

-- The place of the loop's variable in a box: the dim and where it begins.
local function own_part(add)
    for i, part in ipairs(add.box) do
        if part[3] == add.loop.var then return i, part[1] end
    end
end

-- Does what a adds to a place come in front of what b does, both in the same loop? nil: that is not told.
local function is_before(a, b)
    local dim, first = own_part(a)
    local other_dim, other = own_part(b)
    if not dim or dim ~= other_dim or #affine.add(first, other, -1) > 1 then return nil end
    local later = affine.add(first, other, -1)[1]
    if later == 0 then return a.order < b.order end
    -- The trip is the place less `first`.
    return (later > 0) == (a.loop.step > 0)
end

-- The statements that add first, as a set, or nil: these do not make up the buffer.
local function firsts_of(entry, dims)
    local firsts, boxes, others = {}, {}, {}
    local adds = table.move(entry.adds, 1, #entry.adds, 1, {})
    for i, add in ipairs(adds) do
        for k = i + 1, #adds do
            local later = adds[k]
            if add.loop and add.loop == later.loop and is_before(add, later) == nil then return nil end
        end
    end
    -- Into the order of time, within a loop for each place.
    table.sort(adds, function(a, b)
        if a.loop and a.loop == b.loop then return is_before(a, b) end
        return a.order < b.order
    end)
    for _, add in ipairs(adds) do
        local is_first = true
        for _, box in ipairs(boxes) do is_first = is_first and disjoint(box, add.box) end
        if is_first then
            for _, box in ipairs(others) do
                if not disjoint(box, add.box) then return nil end
            end
            firsts[add.s] = true
            boxes[#boxes + 1] = add.box
        else
            others[#others + 1] = add.box
        end
    end
    return #boxes > 0 and cover(boxes, dims) and firsts or nil
end

-- A statement's sets to buffers that `chosen` has and to others.
local function parted(s, chosen)
    local first, second = {}, {}
    for _, set in ipairs(s.sets) do table.insert(chosen[set[1][1]] and first or second, set) end
    return first, second
end

-- assign.run(program) -> program, checked. What reads such a buffer comes behind what is added, as in programs that
-- differentiate makes.
function assign.run(program)
    local chosen, firsts = {}, {}
    for name, entry in pairs(writes_of(program)) do
        local found = not entry.unknown and entry.zeros == 1
            and firsts_of(entry, grammar.find(program, name).dims)
        if found then
            chosen[name] = true
            for s in pairs(found) do firsts[s] = true end
        end
    end
    local function change(s)
        if firsts[s] then return { accesses.changed(s, { accumulate = false }) } end
        if not is_zero(s) then return { s } end
        local _, others = parted(s, chosen)
        return #others > 0 and { #others < #s.sets and accesses.changed(s, { sets = others }) or s } or {}
    end
    return check(accesses.with_body(program, accesses.map_body(program.body, change)))
end

return assign
