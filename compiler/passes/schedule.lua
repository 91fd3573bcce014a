-- schedule: the order of chunks and stages, and the buffers between stages.
--
-- Where all layers go through time one way, every stage runs a chunk before the next chunk begins, so that buffers are
-- as long as a chunk. Otherwise a layer needs the whole sequence of the stage below, so stages go one after the other
-- and what lies between them is as long as the sequence.
local activations = require "tables.activations"

local schedule = {}

schedule.doc = "the order of stages and chunks of time"

-- Does the last stage write its rows to y itself? Its vectors have to end where rows do, in the order of y, and nothing
-- may come behind. Where y may be x, x has to be read before: not by the stage itself, a panel of units after the
-- other. Members with panels of their own would write to the same lines.
local function direct(ir, target)
    local last = ir.stages[#ir.stages]
    local softmax = activations.is(last.activation, "of", "row") or ir.by_head
    if ir.in_lanes ~= "units" or ir.lengths or ir.residual or softmax or last.once or ir.division.kind == "panels" then
        return false
    end
    if last.kind == "dense" then return #ir.stages > 1 and last.units % target.lanes == 0 end
    if last.kind ~= "stack" then return false end
    local stack = ir.stacks[last.stack]
    local s = stack.sizes
    local reads_x = #ir.stages == 1 and s.L == 1 and not stack.hoisted.first and s.I == s.D * s.P
    return s.P % target.lanes == 0 and not reads_x
end

function schedule.run(ir, target)
    local whole, outputs = ir.time == "whole", 0
    for _, stage in ipairs(ir.stages) do
        outputs = outputs + (stage.kind == "stack" and ir.stacks[stage.stack].sizes.L or 1)
    end
    ir.schedule = {
        outer = whole and "stages" or "chunks",
        backward = ir.time == "backward",             -- the last chunk comes first
        between = math.min(outputs - 1, 2),           -- buffers that stages hand on in turn
        slots = whole and "steps" or "chunk",         -- time steps that one of them holds
        direct = direct(ir, target),                  -- no buffer between the last stage and y
    }
    return ir
end

return schedule
