-- units: the lanes of a vector carry units. Weights are read in panels of some vectors of units, column
-- by column; each value of the state or input is broadcast. Works for every batch; for a batch of one
-- it is a matrix-vector product whose only traffic is the weights.
local cost = require "cost"
local tiles = require "kernels.tiles"

local units = { name = "units", label = "units", doc = "lanes carry units, inputs are broadcast" }

-- An input this narrow goes into the step; a product of its own would only store and load gates.
units.narrow = 4

-- More rows than this at a time only grow the workspace.
units.most_rows = 32

function units.applies() return true end

-- The rows of a block, and the shapes over which a tile is judged. An unknown batch is judged at one
-- row and at sixteen, equally.
local function row_shapes(batch, vectors, columns)
    if batch ~= "any" then
        local rows = math.min(batch, units.most_rows)
        return rows, { { rows = rows, vectors = vectors, columns = columns, weight = 1 } }
    end
    return units.most_rows, {
        { rows = 1, vectors = vectors, columns = columns, weight = 16 },
        { rows = 16, vectors = vectors, columns = columns, weight = 1 },
    }
end

local function splits(deterministic) return deterministic and { 1 } or { 1, 2, 4, 8 } end

function units.plan(net, target, deterministic)
    local vectors = tiles.ceil(net.H, target.lanes)
    local block, shapes = row_shapes(net.batch, vectors, net.P)
    local rows = shapes[1].rows
    local sums = net.G + (net.I <= units.narrow and net.apart or 0)
    local step = tiles.best(target, shapes, sums, splits(deterministic))
    local chains = net.L * net.D
    local weights = net.G * vectors * target.lanes * net.P * 4
    local cycles = chains * (math.max(step.cycles, cost.weights(target, weights, weights * chains))
        + vectors * rows * cost.update(target, net.update) + cost.handover(target))
    local inputs = {}
    for _, kind in ipairs(net.kinds) do
        local columns = net.columns[kind]
        local many = (net.steps == "any" or net.steps * rows > 24) and 24 or net.steps * rows
        local tile = tiles.best(target, { { rows = many, vectors = vectors, columns = columns, weight = 1 } },
            net.G, many == 1 and splits(deterministic) or { 1 })
        inputs[kind] = tile
        local times = kind == "first" and 1 or net.L - 1
        cycles = cycles + net.D * times * tile.cycles * rows / many
    end
    local blocks = net.batch == "any" and 1 or tiles.ceil(net.batch, block)
    return { cycles = cycles * blocks, block = block, step = step, inputs = inputs, vectors = vectors }
end

function units.tile(plan)
    return { rows = plan.step.rows, vectors = plan.step.vectors, split = plan.step.split }
end

function units.retile(net, target, plan, tile, deterministic)
    local sums = net.G + (net.I <= units.narrow and net.apart or 0)
    -- Where gates are grouped, panels are cut for the width that was chosen.
    if plan.grouped and tile.vectors ~= plan.step.vectors then return false end
    if tile.rows > plan.block or tile.vectors > plan.vectors or (deterministic and tile.split > 1)
        or tile.split > net.P or not tiles.fits(target, tile.rows, tile.vectors * sums, tile.split) then
        return false
    end
    plan.step = { rows = tile.rows, vectors = tile.vectors, split = tile.split, cycles = plan.step.cycles }
    return true
end

function units.dense(net, target, deterministic)
    local vectors = tiles.ceil(net.units, target.lanes)
    local _, shapes = row_shapes(net.batch, vectors, net.inputs)
    local tile = tiles.best(target, shapes, 1, splits(deterministic))
    return { tile = tile, vectors = vectors, cycles = tile.cycles }
end

return units
