-- batch: the lanes of a vector carry sequences of the batch. The state lies as (hidden, batch), weights
-- are broadcast, and no hidden size wastes a lane; x and y are transposed in registers on their way.
-- The input product needs no loop of its own: each weight is used for a whole vector of sequences.
local cost = require "cost"
local tiles = require "kernels.tiles"

local batch = { name = "batch", doc = "lanes carry the batch, weights are broadcast" }

function batch.applies(net, target)
    if net.batch == "any" then return false, "the batch is not known" end
    if 2 * net.batch < target.lanes then return false, "the batch fills less than half a vector" end
    return true
end

-- batch.plan(net, target) -> { cycles (of one time step of the whole batch), block, rows, vectors }
function batch.plan(net, target)
    local best
    for vectors = 1, 2 do
        local block = vectors * target.lanes
        local blocks = tiles.ceil(net.batch, block)
        for rows = 1, 14 do
            if tiles.fits(target, math.max(rows, 2) * net.G, vectors, 1) then
                local transposed = (net.columns.first + net.H) * net.D * block
                local cycles = cost.transpose(target, transposed) + cost.handover(target)
                for _, kind in ipairs(net.kinds) do
                    local columns = net.columns[kind]
                    local times = kind == "first" and 1 or net.L - 1
                    local chain = net.G * net.H * vectors * cost.activation(target)
                    local bytes = net.G * net.H * (columns + net.H) * 4
                    local sums = 0
                    for _, tile in ipairs(tiles.exact(net.H, rows)) do
                        sums = sums + tile.count
                            * cost.tile(target, tile.rows * net.G, vectors, 1, columns + net.H)
                    end
                    chain = chain + math.max(sums, cost.weights(target, bytes, bytes * net.L * net.D))
                    cycles = cycles + net.D * times * chain
                end
                cycles = cycles * blocks
                if not best or cycles < best.cycles then
                    best = { kernel = "batch", cycles = cycles, block = block, rows = rows, vectors = vectors }
                end
            end
        end
    end
    return best
end

return batch
