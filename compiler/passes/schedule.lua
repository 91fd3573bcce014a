-- schedule: the order of chunks and stages, and the buffers between stages.
--
-- Where all layers go through time one way, every stage runs a chunk before the next chunk begins, so that buffers are
-- as long as a chunk. Otherwise a layer needs the whole sequence of the stage below, so stages go one after the other
-- and what lies between them is as long as the sequence.
local schedule = {}

schedule.doc = "the order of stages and chunks of time"

function schedule.run(ir)
    local whole, outputs = ir.time == "whole", 0
    for _, stage in ipairs(ir.stages) do
        outputs = outputs + (stage.kind == "stack" and ir.stacks[stage.stack].sizes.L or 1)
    end
    ir.schedule = {
        outer = whole and "stages" or "chunks",
        backward = ir.time == "backward",             -- the last chunk comes first
        between = math.min(outputs - 1, 2),           -- buffers that stages hand on in turn
        slots = whole and "steps" or "chunk",         -- time steps that one of them holds
    }
    return ir
end

return schedule
