-- hoist: takes the input products out of the recurrence. They do not wait for the state, so one product
-- serves all steps of a chunk of time; a chunk's gate inputs are to stay in the nearest cache. A narrow
-- input, and every input of the batch kernel (where each weight serves a whole vector already), stays in
-- the step.
local units = require "kernels.units"

local hoist = {}

hoist.doc = "input products out of the time loop, by chunks of time"

local function chunk_length(ir, target)
    local choice, s = ir.choice, ir.sizes
    if choice.kernel == "batch" then return 8 end
    local row = choice.vectors * target.lanes * s.G * 4
    -- An unknown batch may be large or one: its chunk is sized for the second cache.
    local room = ir.batch == "any" and target.l2 // 4 or target.l1 // 2
    local chunk = room // (row * choice.block)
    local enough = (24 + choice.block - 1) // choice.block
    return math.min(math.max(chunk, enough), 128)
end

function hoist.run(ir, target)
    local chunk = chunk_length(ir, target)
    if ir.steps ~= "any" then chunk = math.min(chunk, ir.steps) end
    ir.chunk = chunk
    ir.hoisted = {}
    for _, scan in ipairs(ir.scans) do
        local kind = scan.layer == 0 and "first" or "upper"
        local columns = scan.body[1].terms[1].columns
        ir.hoisted[kind] = ir.choice.kernel == "units" and columns > units.narrow
    end
    return ir
end

return hoist
