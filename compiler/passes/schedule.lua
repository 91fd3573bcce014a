-- schedule: the order of chunks and layers, and the buffers between layers.
--
-- One direction: every layer runs a chunk before the next chunk begins, so that buffers are as long
-- as a chunk. Two directions: a layer needs the whole sequence of the layer below, so layers go one
-- after the other and what lies between them is as long as the sequence.
local schedule = {}

schedule.doc = "the order of layers and chunks of time"

function schedule.run(ir)
    local s = ir.sizes
    local whole = s.D == 2 and s.L > 1
    ir.schedule = {
        outer = s.D == 1 and "chunks" or "layers",
        between = math.min(s.L - 1, 2),          -- buffers that layers hand on in turn
        slots = whole and "steps" or "chunk",    -- time steps that one of them holds
    }
    return ir
end

return schedule
