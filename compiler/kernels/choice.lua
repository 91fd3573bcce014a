-- choice: the cheapest kernel for all stages of a network, by the cost model.
--
-- ir.like, if it is there, are widths of another target's panels (see layout.lua), by stage: the choice is one that
-- can read weights which lie so.
--
-- ir.wanted, if it is there, is what was measured to be better (see tune.lua) and takes the place of the model's
-- choice: { file (for messages), kernel (its label), tiles = { index of a stage -> { rows, vectors, split } } }.
local cost = require "kernels.cost"
local fail = require "base.fail"
local kernels = require "kernels.kernels"
local tiles = require "kernels.tiles"

local function describe(stack, ir, members, like)
    local s = stack.sizes
    return {
        like = like, several = ir.several or false, normalised = stack.norm ~= nil,
        I = s.I, H = s.H, P = s.P, L = s.L, D = s.D, G = s.G, separate = #stack.separate, update = stack.update,
        steps = stack.steps, batch = stack.batch, members = members or 1,
        kinds = s.L > 1 and { "first", "upper" } or { "first" },
        columns = { first = s.I, upper = s.D * s.P },
    }
end

-- The plans of all stages with one kernel, and their cycles; nil: none can read the panels of another target.
local function plan_with(kernel, ir, target, members)
    local plans, cycles = {}, 0
    for i, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local like = ir.like and ir.like[i]
            local net = describe(ir.stacks[stage.stack], ir, members, like)
            plans[i] = kernel.plan(net, target, ir.deterministic)
            if not plans[i] then return nil end
            if net.P ~= net.H then
                local product = { inputs = net.H, units = net.P, batch = ir.batch, steps = 1, members = members,
                                  like = like and like.projection, several = ir.several }
                plans[i].projection = kernel.dense(product, target, ir.deterministic)
                if not plans[i].projection then return nil end
                plans[i].cycles = plans[i].cycles + net.L * net.D * plans[i].projection.cycles
            end
        elseif stage.kind == "dense" then
            local product = { inputs = stage.inputs, units = stage.units, batch = ir.batch, members = members,
                              steps = stage.once and 1 or ir.steps, like = ir.like and ir.like[i].state,
                              several = ir.several }
            plans[i] = kernel.dense(product, target, ir.deterministic)
            if not plans[i] then return nil end
        elseif stage.update then
            local vectors = tiles.ceil(stage.width, target.lanes) * (ir.batch == "any" and 1 or ir.batch)
            plans[i] = { cycles = vectors * cost.update(target, stage.update) }
        else
            plans[i] = { cycles = 0 }
        end
        cycles = cycles + plans[i].cycles
    end
    return plans, cycles
end

-- The network for another batch.
local function for_batch(ir, batch)
    if ir.batch == batch then return ir end
    local own = setmetatable({ batch = batch, stacks = {} }, { __index = ir })
    for i, stack in ipairs(ir.stacks) do own.stacks[i] = setmetatable({ batch = batch }, { __index = stack }) end
    return own
end

local function stale(wanted, what)
    fail.stale(wanted.file, what)
end

-- Puts the wanted tiles in the place of those of the model.
local function apply_tiles(ir, target, best, wanted)
    for i, stage in ipairs(ir.stages) do
        local tile = wanted.tiles[i]
        if tile then
            local possible = stage.kind == "stack"
                and best.of.retile(describe(ir.stacks[stage.stack], ir), target, best.plans[i], tile, ir.deterministic)
            if not possible then stale(wanted, "the kernel " .. best.label .. " has no such tile for layer " .. i) end
        end
    end
end

-- Adds that a kernel is not possible; those with the same reason stand together.
local function refuse(considered, label, why)
    local last = considered[#considered]
    if last and last.why_not == why then
        last.kernel = last.kernel .. ", " .. label
    else
        considered[#considered + 1] = { kernel = label, why_not = why }
    end
end

-- The choice for calls of `batch` sequences (a number or "any"): { kernel, label, plans = one for each
-- stage, cycles = of a step of all sequences }, and what was considered: { kernel, cycles }, or { kernel =
-- one or more labels, why_not }.
-- members, if given: of a team that share the panels of every product. The kernel is one that can be shared, cycles
-- are those of the member that has most; nil if there is none.
return function(ir, target, batch, members)
    local own, best, considered, wanted = for_batch(ir, batch), nil, {}, ir.wanted
    for _, kernel in ipairs(kernels) do
        local applies, why = kernel.applies(own, target)
        if members and not kernel.shares then
            refuse(considered, kernel.label, "it has no panels to share")
        elseif applies then
            local plans, cycles = plan_with(kernel, own, target, members)
            if not plans then return nil, considered end
            considered[#considered + 1] = { kernel = kernel.label, in_lanes = kernel.in_lanes,
                                            cycles = math.ceil(cycles) }
            local better = not best or cycles < best.cycles
            if wanted then better = kernel.label == wanted.kernel end
            if better then
                best = { of = kernel, label = kernel.label, plans = plans, cycles = cycles }
            end
        else
            refuse(considered, kernel.label, why)
        end
    end
    if wanted then
        if not best and members then return nil end
        if not best then stale(wanted, 'the kernel "' .. wanted.kernel .. '" cannot run this network') end
        apply_tiles(own, target, best, wanted)
    end
    return best, considered
end
