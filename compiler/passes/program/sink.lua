-- program.sink: the other half of hoist: statements that only add to something go behind the loop, where they run for
-- all trips at once. The gradient of a weight becomes one product over all steps and sequences.
--
-- A statement may go if no statement of the loop reads or otherwise writes what it adds to, and if what it reads is
-- final when its trip ends: written in the loop only in front of it and at the loop's variable, so that no other
-- trip touches it, or not at all. Sums come in another order.
local accesses = require "ir.accesses"
local check = require "ir.check"

local own_dim = accesses.own_dim

local sink = {}

-- What statement i adds to is its own, but for others that add to it and go too?
local function adds_alone(touched, i, goes)
    for _, write in ipairs(touched[i].writes) do
        for k, other in ipairs(touched) do
            for _, read in ipairs(other.reads) do
                if read[1] == write[1] then return false end
            end
            for _, also in ipairs(other.writes) do
                if also[1] == write[1] and k ~= i and not goes[k] then return false end
            end
        end
    end
    return true
end

local function reads_final(touched, i, goes, var)
    for _, read in ipairs(touched[i].reads) do
        for k, other in ipairs(touched) do
            for _, write in ipairs(other.writes) do
                if write[1] == read[1] and not goes[k] then
                    local dim = own_dim(read, var)
                    if k > i or not dim or own_dim(write, var) ~= dim then return false end
                end
            end
        end
    end
    return true
end

local function movable(loop)
    local touched, goes = {}, {}
    for i, s in ipairs(loop.body) do
        local reads, writes = accesses.of(s)
        touched[i], goes[i] = { reads = reads, writes = writes }, s.op ~= "for" and s.accumulate or false
    end
    local changed = true
    while changed do
        changed = false
        for i in ipairs(loop.body) do
            if goes[i] and not (adds_alone(touched, i, goes) and reads_final(touched, i, goes, loop.var)) then
                goes[i], changed = false, true
            end
        end
    end
    return goes
end

-- For all trips: the variable is summed over, unless the target has a place for each.
local function over_all(s, loop)
    local range = { loop.var, loop.extent }
    local field = s.op == "product" and not accesses.names_variable(s.out, loop.var) and "sum" or "over"
    return accesses.changed(s, { [field] = { range, table.unpack(s[field]) } })
end

local function behind(loop)
    if loop.op ~= "for" then return { loop } end
    local goes, rest, out = movable(loop), {}, {}
    for i, s in ipairs(loop.body) do
        if not goes[i] then rest[#rest + 1] = s end
    end
    if #rest > 0 then out[1] = accesses.changed(loop, { body = rest }) end
    for i, s in ipairs(loop.body) do
        if goes[i] then out[#out + 1] = over_all(s, loop) end
    end
    return out
end

-- sink.run(program) -> program, checked.
function sink.run(program) return check(accesses.with_body(program, accesses.map_body(program.body, behind))) end

return sink
