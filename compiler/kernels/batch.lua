-- batch: the lanes of a vector carry sequences of the batch. The state lies as (hidden, batch), weights
-- are broadcast, and no hidden size wastes a lane; x and y are transposed in registers on their way.
-- The input product needs no loop of its own: each weight is used for a whole vector of sequences.
local cost = require "cost"
local tiles = require "kernels.tiles"

-- Units of a tile: with more, the weights of a column come from more than one cache line, and the tail
-- is longer (350 us against 361 with up to 14 at 20-50-50, batch 32).
local most_units = 10

local function applies(ir, target)
    if ir.batch == "any" then return false, "the batch is not known" end
    if ir.lengths then return false, "sequences of different lengths end at different steps" end
    if 2 * ir.batch < target.lanes then return false, "the batch fills less than half a vector" end
    return true
end

-- The cheapest height of a tile for `units` units with `sums` sums each, and its cycles over all units; `after`
-- is what each tile's epilogue adds to them.
local function best_height(target, vectors, units, gates, sums, columns, after)
    local best
    for rows = 1, most_units do
        if tiles.fits(target, math.max(rows * sums, 2), vectors, 1) then
            local cycles, count = 0, 0
            for _, tile in ipairs(tiles.exact(units, rows)) do
                cycles = cycles + tile.count * cost.tile(target, tile.rows * gates, vectors, 1, columns)
                count = count + tile.count
            end
            if not best or cycles < best.cycles then best = { rows = rows, cycles = cycles, count = count } end
        end
    end
    best.cycles = best.cycles + best.count * after
    return best
end

-- The candidate with so many vectors of sequences in a block.
return function(vectors)
    local batch = {
        name = "batch", label = "batch x " .. vectors, applies = applies,
        doc = "lanes carry the batch, weights are broadcast",
    }

    function batch.plan(net, target)
        local block = vectors * target.lanes
        local wide = math.max(net.columns.first, net.L > 1 and net.columns.upper or 0)
        local tile = best_height(target, vectors, net.H, net.G, net.G + net.apart, wide + net.P,
            cost.epilogue(target, net.update))
        local cycles = cost.transpose(target, (net.columns.first + net.P) * net.D * block) + cost.handover(target)
        for _, kind in ipairs(net.kinds) do
            local columns = net.columns[kind] + net.P
            local bytes = net.G * net.H * columns * 4
            local product = tile.cycles * columns / (wide + net.P)
            cycles = cycles + net.D * (kind == "first" and 1 or net.L - 1)
                * (math.max(product, cost.weights(target, bytes, bytes * net.L * net.D))
                    + net.H * vectors * cost.update(target, net.update))
        end
        return { cycles = cycles * tiles.ceil(net.batch, block), serial = cycles / (net.L * net.D), block = block,
                 rows = tile.rows, vectors = vectors }
    end

    function batch.tile(plan) return { rows = plan.rows, vectors = vectors, split = 1 } end

    function batch.retile(net, target, plan, tile)
        local sums = net.G + net.apart
        if tile.vectors ~= vectors or tile.split ~= 1 or tile.rows > net.H
            or not tiles.fits(target, math.max(tile.rows * sums, 2), vectors, 1) then
            return false
        end
        plan.rows = tile.rows
        return true
    end

    function batch.dense(net, target)
        local tile = best_height(target, vectors, net.units, 1, 1, net.inputs, 0)
        return { rows = tile.rows, vectors = vectors,
                 cycles = tile.cycles * tiles.ceil(net.batch, vectors * target.lanes) }
    end

    return batch
end
