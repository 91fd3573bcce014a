-- choose: a kernel for the network and register tiles for each of its stages, by the cost model or by what was
-- measured; what was considered and why the rest was not taken stays in the plan.
local choice = require "kernels.choice"

local choose = {}

choose.doc = "a kernel and its register tiles"

function choose.run(ir, target)
    local share = ir.division.share
    local best, considered = choice(ir, target, share)
    -- Of one thread, which runs all shares.
    local cycles = best.cycles * (share == "any" and 1 or (ir.batch + share - 1) // share)
    if ir.division.kind == "panels" then best = choice(ir, target, share, ir.division.members) end
    ir.label, ir.cycles, ir.considered = best.label, math.ceil(cycles), considered
    ir.kernel, ir.in_lanes, ir.most_steps = best.of.name, best.of.in_lanes, best.of.chunk
    for i, stage in ipairs(ir.stages) do
        stage.choice = best.plans[i]
        local plan = best.plans[i]
        if plan.block then ir.block, ir.beside = plan.block, plan.beside or 1 end
    end
    return ir
end

return choose
