-- cost: how many cycles a piece of work takes on a target, from a few documented numbers.
--
-- The model: a register tile is bound by the slowest of its multiply-adds, its loads, and the latency
-- of its accumulators' chains; a product's weights come through the cache level that holds them; a
-- vector update costs its arithmetic or its divisions. Nothing overlaps but what is said so. It
-- orders candidates; it does not promise times.
local expressions = require "ir.expressions"

local cost = {}

-- Bytes per cycle from L1, L2 and beyond (Intel's optimisation manual: two 64-byte loads from L1, 64
-- bytes from L2, of which two thirds are sustained; the last is what one core of a server sustains).
local function bandwidth(target, bytes)
    if bytes <= target.l1 then return target.lanes * 4 * target.loads_per_cycle end
    if bytes <= target.l2 then return 36 end
    return 8
end

-- cost.rate(target, bytes) -> bytes a cycle from the cache that holds so many.
cost.rate = bandwidth

-- Cycles for `columns` rank-1 updates of a tile of rows x vectors accumulators, `split` of each.
function cost.tile(target, rows, vectors, split, columns)
    local arithmetic = rows * vectors / target.fma_per_cycle
    local loads = (rows + vectors) / target.loads_per_cycle
    local latency = target.fma_latency / split
    local joins = split > 1 and rows * vectors * (split - 1) / target.fma_per_cycle or 0
    return columns * math.max(arithmetic, loads, latency) + joins + 2 * target.fma_latency
end

-- Cycles more for weights that are loaded as vectors: with a load for each, multiply-adds take 0.7 cycles instead
-- of 0.5 (a loop of 12, Sapphire Rapids); broadcasts cost nothing beside them.
function cost.vector_loads(rows, vectors, columns)
    return columns * vectors / rows / 4
end

-- Cycles to bring weights of that many bytes in once.
function cost.weights(target, bytes, working_set)
    return bytes / bandwidth(target, working_set)
end

-- Cycles to bring in, step after step, the weights of `panels` panels of `bytes` each. Steps go through
-- the panels back and forth, so that what a step read last is still in the cache for the next one:
-- about the cache less half a panel, where a cache that is read round and round would keep nothing
-- (rnn_relu 128 with batch 1: 45 us against 57). Every panel broadcasts all `columns` once more. A panel that
-- the first cache does not hold comes anew for each of its `passes`. most, if given: bytes of all panels together.
function cost.stream(target, bytes, panels, columns, passes, most)
    local all, cycles, below = most and math.min(bytes * panels, most) or bytes * panels, 0, 0
    for _, size in ipairs { target.l1, target.l2 } do
        local kept = all <= size and all or bytes <= size and size - bytes // 2 or 0
        cycles = cycles + math.max(kept - below, 0) / bandwidth(target, size)
        below = math.max(below, kept)
    end
    cycles = cycles + (all - below) / bandwidth(target, math.huge)
    if bytes > target.l1 then cycles = cycles + (passes - 1) * all / bandwidth(target, bytes) end
    return cycles + columns * panels / 2
end

-- Cycles for the update of one vector of units when others run beside it.
function cost.update(target, update)
    local divisions, arithmetic = 0, 0
    for _, pair in ipairs(update) do
        local own_divisions, own_arithmetic = expressions.cost(pair[2])
        divisions, arithmetic = divisions + own_divisions, arithmetic + own_arithmetic
    end
    return math.max(divisions * target.divide_cycles, arithmetic / target.fma_per_cycle)
end

-- Cycles to take four vectors of grouped gates apart: eight shuffles, of which one port does one a cycle.
function cost.regroup()
    return 8
end

-- Cycles to add up the lanes of a vector: a shuffle and an addition for each halving.
function cost.total(target)
    local halvings, n = 0, 1
    while n < target.lanes do halvings, n = halvings + 1, n * 2 end
    return 2 * halvings
end

-- Cycles of a tile's epilogue that the next tile's product does not hide: about half its chain (a gru
-- of 50 units takes 20.6 us with one tile, 22.1 with two, 26.5 with four; a tanh layer of 64 11.2, 11.8, 13.6).
function cost.epilogue(target, update)
    return 8 * target.fma_latency + cost.update(target, update)
end

-- Cycles from the last sum of a step to the first product of the next: update, store, load.
function cost.step_latency(target)
    return 16 * target.fma_latency
end

-- Cycles to transpose that many floats: a shuffle of each vector for each doubling, and moving it in and out. Within
-- 128 bits, or of those as they are, two shuffles go a cycle (AVX-512: 2.2 cycles a vector of 2.5); of groups of so
-- many `beside` each other, across them, one.
function cost.transpose(target, floats, beside)
    local rounds, n = 0, beside
    while n < target.lanes do rounds, n = rounds + 1, n * 2 end
    return floats / target.lanes * (rounds + 1) / (beside == 1 and 2 or 1)
end

return cost
