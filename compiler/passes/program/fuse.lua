-- program.fuse: maps that follow each other and run over the same points become one, so that what they share is
-- computed once and what one makes is still at hand for the next.
--
-- That is the same program if what one writes and the other touches is, at each point, the same place of its own: equal
-- indices, with an index for each variable alone; or if they touch disjoint parts. Two that only add may meet
-- anywhere: sums commute. One that adds and one that sets go together as two that set, where each point has a place.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"

local fuse = {}

local function same_ranges(a, b)
    if #a ~= #b then return false end
    for i, range in ipairs(a) do
        if range[1] ~= b[i][1] or affine.text(range[2]) ~= affine.text(b[i][2]) then return false end
    end
    return true
end

-- Has every variable of the ranges an index of the access to itself?
local function own_place(access, ranges)
    for _, range in ipairs(ranges) do
        local found = false
        for i = 2, #access do
            local index = access[i]
            local factor = affine.factor(index, range[1])
            local others = false
            for k = 2, #index do
                for _, other in ipairs(ranges) do
                    others = others or (index[k][1] == other[1] and other[1] ~= range[1])
                end
            end
            found = found or (factor ~= 0 and not others and not index.lookup)
        end
        if not found then return false end
    end
    return true
end

-- Are two accesses to a buffer always to different places: is one index the same but for a constant that the ranges do
-- not reach?
local function disjoint(a, b, ranges)
    for i = 2, #a do
        local difference, reach = affine.add(a[i], b[i], -1), 1
        for k = 2, #a[i] do
            for _, range in ipairs(ranges) do
                if range[1] == a[i][k][1] then
                    reach = #range[2] == 1 and reach + (range[2][1] - 1) * math.abs(a[i][k][2]) or math.huge
                end
            end
        end
        if not (a[i].lookup or b[i].lookup) and #difference == 1 and math.abs(difference[1]) >= reach then
            return true
        end
    end
    return false
end

local function meet(list, others, ranges)
    for _, write in ipairs(list) do
        for _, other in ipairs(others) do
            if write[1] == other[1] and not disjoint(write, other, ranges)
                and (expressions.access_key(write) ~= expressions.access_key(other)
                or not own_place(write, ranges)) then
                return true
            end
        end
    end
    return false
end

-- A map that adds as one that sets what it reads, or nil: several points add to a place, or it is a result, of which
-- nobody need want it.
local function as_sets(program, s)
    if not s.accumulate then return s end
    local sets, seen = {}, {}
    for i, set in ipairs(s.sets) do
        local target = set[1]
        if not own_place(target, s.over) or grammar.find(program, target[1]).role ~= "workspace" or seen[target[1]] then
            return nil
        end
        seen[target[1]] = true
        sets[i] = { target, { "add", { "read", target }, set[2] } }
    end
    return accesses.changed(s, { accumulate = false, sets = sets })
end

local function can_fuse(first, second)
    if (first.accumulate or false) ~= (second.accumulate or false) then return false end
    local reads, writes = accesses.of(first)
    local later_reads, later_writes = accesses.of(second)
    if meet(writes, later_reads, first.over) or meet(later_writes, reads, first.over) then return false end
    return first.accumulate or not meet(writes, later_writes, first.over)
end

local function fused(program, body)
    local out = {}
    for _, s in ipairs(body) do
        if s.op == "for" then s = accesses.changed(s, { body = fused(program, s.body) }) end
        local last = out[#out]
        if last and last.op == "map" and s.op == "map" and same_ranges(last.over, s.over) then
            if (last.accumulate or false) ~= (s.accumulate or false) then
                local first, second = as_sets(program, last), as_sets(program, s)
                if first and second and can_fuse(first, second) then last, s = first, second end
            end
        else
            last = nil
        end
        if last and can_fuse(last, s) then
            local sets = table.move(s.sets, 1, #s.sets, #last.sets + 1, table.move(last.sets, 1, #last.sets, 1, {}))
            out[#out] = accesses.changed(last, { sets = sets })
        else
            out[#out + 1] = s
        end
    end
    return out
end

-- fuse.run(program) -> program, checked.
function fuse.run(program) return check(accesses.with_body(program, fused(program, program.body))) end

return fuse
