-- batch: the lanes of a vector carry sequences of the batch. The state lies as (hidden, batch), weights
-- are broadcast, and no hidden size wastes a lane; x and y are transposed in registers on their way.
-- The input product needs no loop of its own: each weight is used for a whole vector of sequences.
--
-- A batch that fills less than a vector shares it among `beside` neighbouring units: lane b * beside + u has unit u
-- of sequence b, so that 8 sequences and pairs of units fill 16 lanes. The weights of a pair for a column lie next to
-- each other and are broadcast as one; the column's values are spread over their pair by a shuffle, of which there
-- are two for each load of a vector and 2 * rows multiply-adds.
local cost = require "kernels.cost"
local tiles = require "kernels.tiles"

-- Units of a tile: with more, the weights of a column come from more than one cache line, and the tail
-- is longer (350 us against 361 with up to 14 at 20-50-50, batch 32).
local most_units = 10

-- A weight is loaded for one multiply-add where a tile is one vector of groups of units wide. Then a column's value is
-- the only other load, and the higher the tile, the more weights share it: of the loop alone, 0.52 cycles for a
-- multiply-add with 25 rows, 0.54 with 13, 0.56 with 10 (Zen 5).
local most_groups <const> = 28

-- Does a tile of so many sums a vector fit in the registers? With groups, the values of two columns are there at a
-- time, and weights of which no multiply-add takes the load: gcc 12 spills with three registers beside the sums (AVX2,
-- tanh 20-50, batch 4: 37 us with 13 sums, 31 with 9).
local function fits(target, sums, vectors, beside)
    return tiles.fits(target, math.max(sums, 2), vectors, 1)
        and (beside == 1 or sums * vectors + beside * vectors + 2 <= target.registers)
end

-- The cheapest height of a tile for `units` units, `beside` of them in a row, with `sums` sums for each row, and its
-- cycles over all units; `after` is what each tile's epilogue adds to them.
local function best_height(target, vectors, beside, units, gates, sums, columns, after)
    local best
    for rows = 1, beside > 1 and most_groups or most_units do
        if fits(target, rows * sums, vectors, beside) then
            local cycles, count = 0, 0
            for _, tile in ipairs(tiles.exact(tiles.ceil(units, beside), rows)) do
                cycles = cycles + tile.count * cost.tile(target, tile.rows * gates, vectors, 1, columns)
                count = count + tile.count
            end
            if not best or cycles < best.cycles then best = { rows = rows, cycles = cycles, count = count } end
        end
    end
    best.cycles = best.cycles + best.count * after
    return best
end

-- Not fours: broadcasts of 128 bits are slower. With 4 sequences, tanh 20-50 takes 20.4 us (units: 18.4) and 20-64
-- 28.4 (21.0) on Zen 5.
local labels <const> = { "batch", "pairs" }

-- Is there a row of inputs or units that no groups fill? The columns left over are written out once more.
local function leaves_some(ir, beside)
    for _, stack in ipairs(ir.stacks) do
        local s = stack.sizes
        if s.I % beside + s.H % beside + s.P % beside > 0 then return true end
    end
    return false
end

-- The candidate with so many vectors of sequences in a block, and so many units beside each other (default: 1).
return function(vectors, beside)
    beside = beside or 1
    local batch = {
        name = "batch", label = labels[beside] .. " x " .. vectors,
        doc = "lanes carry the batch" .. (beside > 1 and " and " .. beside .. " units" or "")
            .. ", weights are broadcast",
        in_lanes = "sequences",
        -- Steps share nothing: a chunk holds what is transposed at a time.
        chunk = 8,
    }

    function batch.applies(ir, target)
        for _, stack in ipairs(ir.stacks) do
            if stack.norm then return false, "norms are of one sequence's units, side by side" end
        end
        if ir.like then return false, "its panels are as high as its tiles" end
        if ir.batch == "any" then return false, "the batch is not known" end
        if ir.lengths then return false, "sequences of different lengths end at different steps" end
        if beside >= target.lanes then return false, "a vector has " .. target.lanes .. " lane(s)" end
        if 2 * ir.batch * beside < target.lanes then return false, "the batch fills less than half a vector" end
        if vectors > 1 and leaves_some(ir, beside) then return false, "an odd size makes its text long" end
        return true
    end

    function batch.plan(net, target)
        local block = vectors * target.lanes // beside
        local wide = math.max(net.columns.first, net.L > 1 and net.columns.upper or 0)
        local tile = best_height(target, vectors, beside, net.H, net.G, net.G + net.separate, wide + net.P,
            cost.epilogue(target, net.update))
        local cycles = cost.transpose(target, (net.columns.first + net.P) * net.D * block, beside)
            + cost.step_latency(target)
        for _, kind in ipairs(net.kinds) do
            local columns = net.columns[kind] + net.P
            local bytes = net.G * net.H * columns * 4
            local product = tile.cycles * columns / (wide + net.P)
            local stream = cost.weights(target, bytes, bytes * net.L * net.D)
            -- Loads of groups keep the ports busy, so that weights from afar do not hide behind the product quite.
            local exposed = beside > 1 and bytes * net.L * net.D > target.l1 and math.min(product, stream) / 8 or 0
            cycles = cycles + net.D * (kind == "first" and 1 or net.L - 1)
                * (math.max(product, stream) + exposed
                    + tiles.ceil(net.H, beside) * vectors * cost.update(target, net.update))
        end
        return { cycles = cycles * tiles.ceil(net.batch, block), serial = cycles / (net.L * net.D), block = block,
                 rows = tile.rows, vectors = vectors, beside = beside,
                 -- Each weight serves a whole vector of sequences: a product of its own would gain nothing.
                 hoisted = { first = false, upper = false } }
    end

    function batch.tile(plan) return { rows = plan.rows, vectors = vectors, split = 1 } end

    function batch.retile(net, target, plan, tile)
        local sums = net.G + net.separate
        if tile.vectors ~= vectors or tile.split ~= 1 or tile.rows > tiles.ceil(net.H, beside)
            or not fits(target, tile.rows * sums, vectors, beside) then
            return false
        end
        plan.rows = tile.rows
        return true
    end

    function batch.dense(net, target)
        local tile = best_height(target, vectors, beside, net.units, 1, 1, net.inputs, 0)
        local block = vectors * target.lanes // beside
        return { rows = tile.rows, vectors = vectors, beside = beside, block = block,
                 cycles = tile.cycles * tiles.ceil(net.batch, block) }
    end

    return batch
end
