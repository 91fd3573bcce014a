-- cost: how many cycles a piece of work takes on a target, from a few documented numbers.
--
-- The model: a register tile is bound by the slowest of its multiply-adds, its loads, and the latency
-- of its accumulators' chains; a product's weights come through the cache level that holds them; a
-- vector update costs its arithmetic or its divisions. Nothing overlaps but what is said so. It
-- orders candidates; it does not promise times.
local expressions = require "expressions"

local cost = {}

-- Bytes per cycle from L1, L2 and beyond (Intel's optimisation manual: two 64-byte loads from L1, 64
-- bytes from L2 of which half is sustained; the last is what one core of a server sustains).
local function bandwidth(target, bytes)
    if bytes <= target.l1 then return target.lanes * 4 * target.loads_per_cycle end
    if bytes <= target.l2 then return 32 end
    return 8
end

-- Cycles for `columns` rank-1 updates of a tile of rows x vectors accumulators, `split` of each.
function cost.tile(target, rows, vectors, split, columns)
    local arithmetic = rows * vectors / target.fma_per_cycle
    local loads = (rows + vectors) / target.loads_per_cycle
    local latency = target.fma_latency / split
    local joins = split > 1 and rows * vectors * (split - 1) / target.fma_per_cycle or 0
    return columns * math.max(arithmetic, loads, latency) + joins + 2 * target.fma_latency
end

-- Cycles to bring weights of that many bytes in once.
function cost.weights(target, bytes, working_set)
    return bytes / bandwidth(target, working_set)
end

-- Cycles for the update of one vector of units when others run beside it.
function cost.update(target, update)
    local divisions, arithmetic = 0, 0
    for _, pair in ipairs(update) do
        expressions.walk(pair[2], function(name)
            divisions = divisions + expressions.functions[name].divisions
            arithmetic = arithmetic + expressions.functions[name].arithmetic
        end)
    end
    return math.max(divisions * target.divide_cycles, arithmetic / target.fma_per_cycle)
end

-- Cycles from the last sum of a step to the first product of the next: update, store, load.
function cost.handover(target)
    return 16 * target.fma_latency
end

-- Cycles to transpose that many floats by zipping registers.
function cost.transpose(target, floats)
    local rounds, n = 0, 1
    while n < target.lanes do rounds, n = rounds + 1, n * 2 end
    return floats / target.lanes * (rounds + 1)
end

return cost
