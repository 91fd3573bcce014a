-- choose: a kernel for the network and register tiles for each of its stages, by the cost model; what
-- was considered and why the rest was not taken stays in the plan.
local kernels = require "kernels"

local choose = {}

choose.doc = "a kernel and its register tiles"

local function describe(stack)
    local s = stack.sizes
    return {
        I = s.I, H = s.H, P = s.P, L = s.L, D = s.D, G = s.G, apart = #stack.apart, update = stack.update,
        steps = stack.steps, batch = stack.batch, kinds = s.L > 1 and { "first", "upper" } or { "first" },
        columns = { first = s.I, upper = s.D * s.P },
    }
end

-- The plans of all stages with one kernel, and their cycles.
local function plan_with(kernel, ir, target)
    local plans, cycles = {}, 0
    for i, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local net = describe(ir.stacks[stage.stack])
            plans[i] = kernel.plan(net, target, ir.deterministic)
            if net.P ~= net.H then
                local product = { inputs = net.H, units = net.P, batch = ir.batch }
                plans[i].projection = kernel.dense(product, target, ir.deterministic)
                plans[i].cycles = plans[i].cycles + net.L * net.D * plans[i].projection.cycles
            end
        elseif stage.kind == "dense" then
            plans[i] = kernel.dense({ inputs = stage.inputs, units = stage.units, batch = ir.batch }, target,
                ir.deterministic)
        else
            plans[i] = { cycles = 0 }
        end
        cycles = cycles + plans[i].cycles
    end
    return plans, cycles
end

function choose.run(ir, target)
    local best, considered = nil, {}
    for _, kernel in ipairs(kernels) do
        local applies, why = kernel.applies(ir, target)
        if applies then
            local plans, cycles = plan_with(kernel, ir, target)
            considered[#considered + 1] = { kernel = kernel.label, cycles = math.ceil(cycles) }
            if not best or cycles < best.cycles then
                best = { kernel = kernel.name, label = kernel.label, plans = plans, cycles = cycles }
            end
        else
            considered[#considered + 1] = { kernel = kernel.label, why_not = why }
        end
    end
    ir.kernel, ir.label, ir.cycles, ir.considered = best.kernel, best.label, math.ceil(best.cycles), considered
    for i, stage in ipairs(ir.stages) do
        stage.choice = best.plans[i]
        if stage.kind == "stack" then ir.block = best.plans[i].block end
    end
    return ir
end

return choose
