-- parts: the statements that divide what a call has: its sequences and its work among the members of a team, and the
-- workspace among what lies in it. `f` is what places.of gives.
local statements = require "emit.statements"

local sum, times, declare = statements.sum, statements.times, statements.declare
local format = string.format

local parts = {}

-- parts.share(f): which share of a call is a member's: a slice of the batch, and a part of the work on it.
function parts.share(f)
    local v, space = f.v, f.v.workspace
    local list, from = {}, v.division.slices_from
    if f.sliced and f.parted then
        list[1] = statements.comment "Members share the work of one slice of the batch, or each has a slice."
        list[2] = declare("const size_t", { "slices", format("batch < %d ? 1 : members", from) },
            { "parts", format("batch < %d ? members : 1", from) })
        list[3] = declare("const size_t", { "slice", "slices > 1 ? member : 0" }, { "part", "parts > 1 ? member : 0" })
    elseif f.sliced then
        list[1] = declare("const size_t", { "slices", "members" }, { "slice", "member" })
    elseif f.parted then
        list[1] = declare("const size_t", { "parts", "members" }, { "part", "member" })
    end
    if f.by_chunk then
        list[#list + 1] = declare("const size_t",
            { "chunk", format("parts > 1 ? %d : %s", math.min(v.division.chunk, v.chunk), f.most) })
    elseif f.barriers then
        list[#list + 1] = declare("size_t", { "passed", "0" })
    end
    if not f.sliced then return list end
    local floats = sum(space.fixed, times("room", space.per_chunk_step), times("seq_len", space.per_step))
    local grain = f.growing and 1 or v.block
    if f.growing then
        list[#list + 1] = statements.comment "Each slice begins in a cache line of its own."
        list[#list + 1] = statements.set(format("workspace += slice * ((held * (%s) + 15) / 16 * 16)", floats))
    else
        list[#list + 1] = statements.set(format("workspace += slice * (%s)", floats))
    end
    local grains = grain > 1 and format("(batch + %d) / %d", grain - 1, grain) or "batch"
    return { list, declare("const size_t", { "grains", grains }, { "more", "grains % slices" }),
        declare("const size_t",
            { "begin", times("(grains / slices * slice + (slice < more ? slice : more))", grain) }),
        declare("const size_t", { "share", times("(grains / slices + (slice < more ? 1 : 0))", grain) }),
        declare("const size_t",
            { "end", "begin < batch && share < batch - begin ? begin + share : batch" }) }
end

-- parts.space(f): where the parts of the workspace begin.
function parts.space(f)
    local room, between = f.v.workspace, f.v.schedule.between
    local list = {}
    local function add(node)
        node.kept = true
        list[#list + 1] = node
    end
    if room.states > 0 then add(declare("float *const", { "states", "workspace" })) end
    if room.last > 0 then add(declare("float *const", { "ends", sum("workspace", f:floats(room.states)) })) end
    -- One behind the other.
    local at = sum("workspace", f:floats(room.fixed), f.concurrent and times("part", f.span, room.per_chunk_step))
    for _, name in ipairs { "gates", "input", "top" } do
        if room[name] > 0 then
            add(declare("float *const", { name, at }))
            at = sum(name, times(f.span, room[name]))
        end
    end
    if between == 0 then return list end
    if f.long and f.concurrent then
        at = sum("workspace", f:floats(room.fixed), times("parts", f.span, room.per_chunk_step))
    end
    local steps = f.long and (f.growing and "seq_len * held" or "seq_len") or f.span
    add(declare("float *const", { "between",
        between > 1 and format("{ %s, %s }", at, sum(at, times(steps, room.between))) or "{ " .. at .. " }", "[]" }))
    return list
end

return parts
