-- choose: a kernel and its register tiles for the network, by the cost model; what was considered and
-- why the rest was not taken stays in the plan.
local kernels = require "kernels"

local choose = {}

choose.doc = "a kernel and its register tiles"

local function describe(ir)
    local s = ir.sizes
    return {
        I = s.I, H = s.H, L = s.L, D = s.D, G = s.G, steps = ir.steps, batch = ir.batch,
        kinds = s.L > 1 and { "first", "upper" } or { "first" },
        columns = { first = s.I, upper = s.D * s.H },
    }
end

function choose.run(ir, target)
    local net, best, considered = describe(ir), nil, {}
    for _, kernel in ipairs(kernels) do
        local applies, why = kernel.applies(net, target)
        if applies then
            local plan = kernel.plan(net, target)
            considered[#considered + 1] = { kernel = kernel.name, cycles = math.ceil(plan.cycles) }
            if not best or plan.cycles < best.cycles then best = plan end
        else
            considered[#considered + 1] = { kernel = kernel.name, why_not = why }
        end
    end
    best.considered = considered
    ir.choice = best
    return ir
end

return choose
