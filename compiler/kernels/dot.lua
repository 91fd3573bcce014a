-- dot: the products with the inputs of a layer of few units and many inputs. The lanes of a vector carry columns: a row
-- of W lies as it is, its product with a row of x is as many sums as there are lanes, and these become one behind the
-- last column. No unit count wastes a lane, where panels of units would: of 8 units half of a vector of 16.
--
-- A candidate for one product of a network whose other ones are of the units kernel: the fields of kernels.lua, and
--   input(net, target, columns, rows) -> its tile { kernel, rows (of x), units (rows of W), cycles } for so many rows
--     of x; nil where members of a team have panels of their own, or with vectors of four, which waste little
local cost = require "kernels.cost"
local tiles = require "kernels.tiles"

local dot = {
    name = "dot", label = "dot", doc = "lanes carry columns, a row of W at a time", in_lanes = "columns",
}

-- Sums of a tile are rows * units, beside them are rows of x and one of W.
local function fits(target, rows, units)
    return rows * units <= target.most_sums and rows * units + rows + 1 <= target.registers
end

-- Rows of all gates: each has a step of its own that packs it.
local MOST_ROWS <const> = 64

-- Rows of W begin at a line of the cache, those of x anywhere, so that a load of x touches so many lines.
local function lines(target) return 1 + target.lanes * 4 / 64 end

local function cycles_of(target, rows, units, columns)
    local vectors = tiles.ceil(columns, target.lanes)
    return vectors * math.max(rows * units / target.fma_per_cycle,
            (rows * lines(target) + units) / target.loads_per_cycle, target.fma_latency)
        + rows * units * cost.total(target) + 2 * target.fma_latency
end

-- Cycles to bring x in once more for each tile of units; of a chunk it is in the second cache.
local function stream(target, rows, columns, passes)
    return passes * rows * columns * 4 * lines(target) / cost.rate(target, target.l2)
end

function dot.input(net, target, columns, rows)
    local best
    if net.members > 1 or target.lanes < 8 or net.G * net.H > MOST_ROWS then return nil end
    for high = 1, 4 do
        for units = 1, math.min(net.H, 8) do
            if fits(target, high, units) then
                local cycles = 0
                for _, x in ipairs(tiles.exact(rows, high)) do
                    for _, w in ipairs(tiles.exact(net.H, units)) do
                        cycles = cycles + x.count * w.count * net.G * cycles_of(target, x.rows, w.rows, columns)
                    end
                end
                local least = stream(target, rows, columns, net.G * tiles.ceil(net.H, units))
                cycles = math.max(cycles, least) + math.min(cycles, least) / 4
                if not best or cycles < best.cycles then
                    best = { kernel = dot.name, stored = tiles.rows_of_w, rows = high, units = units, cycles = cycles }
                end
            end
        end
    end
    return best
end

return dot
