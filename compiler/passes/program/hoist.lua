-- program.hoist: loop fission. Statements of a loop that depend on nothing the loop carries from trip to trip go in
-- front of it, where they run for all trips at once: the product with the input of a recurrent layer.
--
-- A statement may go if what it and others of the loop touch is the same afterwards: nothing that it reads or writes is
-- written by one that stays in front of it; and whatever of what it touches is touched by others too is indexed by the
-- loop's variable alone, in the same dim, so that trips have places of their own.
local accesses = require "ir.accesses"
local check = require "ir.check"

local own_dim = accesses.own_dim

local hoist = {}

-- Do two accesses meet in a buffer, other than in the same trip?
local function cross(a, b, var)
    local dim = own_dim(a, var)
    return a[1] == b[1] and (not dim or dim ~= own_dim(b, var))
end

local function any(list, others, holds)
    for _, a in ipairs(list) do
        for _, b in ipairs(others) do
            if a[1] == b[1] and holds(a, b) then return true end
        end
    end
    return false
end

-- Has statement i to stay, where `goes` says which others go?
local function stays(i, touched, goes, var)
    local mine = touched[i]
    for _, write in ipairs(mine.writes) do
        if not own_dim(write, var) then return true end
    end
    for k, other in ipairs(touched) do
        local function across(a, b) return cross(a, b, var) or (k < i and not goes[k]) end
        if any(mine.writes, other.writes, across)
            or any(mine.reads, other.writes, across)
            or any(mine.writes, other.reads, function(a, b) return k < i or cross(a, b, var) end) then
            return true
        end
    end
    return false
end

-- Which statements of the body go, by index.
local function movable(loop)
    local goes, touched = {}, {}
    for i, s in ipairs(loop.body) do
        local reads, writes = accesses.of(s)
        touched[i], goes[i] = { reads = reads, writes = writes }, s.op ~= "for"
    end
    local changed = true
    while changed do
        changed = false
        for i in ipairs(loop.body) do
            if goes[i] and stays(i, touched, goes, loop.var) then goes[i], changed = false, true end
        end
    end
    return goes
end

-- The statement for all trips: the loop's variable as its outermost range.
local function over_all(s, loop)
    local over = { { loop.var, loop.extent }, table.unpack(s.over) }
    return accesses.changed(s, { over = over })
end

local function fission(loop)
    if loop.op ~= "for" then return { loop } end
    local goes, out, rest = movable(loop), {}, {}
    for i, s in ipairs(loop.body) do
        if goes[i] then out[#out + 1] = over_all(s, loop) else rest[#rest + 1] = s end
    end
    if #rest > 0 then out[#out + 1] = accesses.changed(loop, { body = rest }) end
    return out
end

-- hoist.run(program) -> program, checked.
function hoist.run(program)
    return check(accesses.with_body(program, accesses.map_body(program.body, fission)))
end

return hoist
