-- schedule: the order of chunks and stages, and the buffers between stages.
--
-- One direction: every stage runs a chunk before the next chunk begins, so that buffers are as long
-- as a chunk. Two directions: a layer needs the whole sequence of the stage below, so stages go one
-- after the other and what lies between them is as long as the sequence.
local schedule = {}

schedule.doc = "the order of stages and chunks of time"

function schedule.run(ir)
    local both, outputs = false, 0
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local s = ir.stacks[stage.stack].sizes
            both = both or s.D == 2
            outputs = outputs + s.L
        else
            outputs = outputs + 1
        end
    end
    ir.schedule = {
        outer = both and "stages" or "chunks",
        between = math.min(outputs - 1, 2),           -- buffers that stages hand on in turn
        slots = both and "steps" or "chunk",          -- time steps that one of them holds
    }
    return ir
end

return schedule
