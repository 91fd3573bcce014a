-- tiles: how a product of many rows and vectors is cut into register tiles.
local cost = require "kernels.cost"

local tiles = {}

-- Rows of a tile whose values are broadcast. Each row is a stream of its own: at 128 units and a batch
-- of 32, tiles of 12 x 2 take 690 us where 6 x 4 take 560, and of gru 8 x 3 take 1960 where 4 x 3 take 1650.
tiles.most_rows = 6

function tiles.ceil(a, b) return (a + b - 1) // b end

-- Does a tile fit in the registers? Its sums, one operand for each vector (a single row takes them
-- from memory) and one that is broadcast.
function tiles.fits(target, rows, vectors, split)
    return rows * vectors * split + (rows > 1 and vectors or 0) + 1 <= target.registers
        and rows * vectors * split <= target.most_sums
end

-- Vectors of sums for that many units, `sums` for each vector of them. Grouped gates lie side by side in a
-- vector, lanes / sums units of each, so that only the last group is padded.
function tiles.sums(units, lanes, sums, grouped)
    return grouped and tiles.ceil(units * sums, lanes) or tiles.ceil(units, lanes) * sums
end

-- tiles.grain(a, b) -> the fewest vectors of units that are whole panels of both widths.
function tiles.grain(a, b)
    local grain = a
    while grain % b > 0 do grain = grain + a end
    return grain
end

-- What stands for the width of panels in a layout where rows of W lie as they are.
tiles.rows_of_w = 0

-- Units of a panel of the batch kernel: those of a tile, with the choice's `beside` in each row.
function tiles.panel(choice) return choice.rows * choice.beside end

-- The row tiles for exactly `rows` rows: as many of `most` as there is room for, and one of the rest.
function tiles.exact(rows, most)
    local list = {}
    if rows >= most then list[1] = { rows = most, count = rows // most } end
    if rows % most > 0 then list[#list + 1] = { rows = rows % most, count = 1 } end
    return list
end

-- The row tiles for a number of rows known at run time only: tiles of `most`, the last one moved back
-- over its neighbour; fewer rows than that one by one.
function tiles.any(most)
    local list = { { rows = most } }
    if most > 1 then list[2] = { rows = 1 } end
    return list
end

-- The row tiles for a number of rows known at run time only, where rows are few: of every height up to `most`, so that
-- tiles of about one height, as few as can be, share the rows.
function tiles.all(most)
    local list = {}
    for rows = most, 1, -1 do list[#list + 1] = { rows = rows } end
    return list
end

-- Cycles of a product with those tiles. shape: { rows, vectors (of sums), columns }; `after` a tile comes so much more.
-- Of several `members` of a team, the one with most panels counts.
local function product_cycles(target, shape, rows, vectors, split, after, members)
    local function panel(height, width)
        return cost.tile(target, height, width, split, shape.columns)
            + cost.vector_loads(height, width, shape.columns) + after
    end
    local function column_of_panels(height)
        local full, tail = shape.vectors // vectors, shape.vectors % vectors
        if members > 1 then
            local most = tiles.ceil(full + (tail > 0 and 1 or 0), members)
            return full > 0 and most * panel(height, vectors) or panel(height, tail)
        end
        return full * panel(height, vectors) + (tail > 0 and panel(height, tail) or 0)
    end
    local cycles = 0
    for _, tile in ipairs(tiles.exact(shape.rows, rows)) do
        cycles = cycles + tile.count * column_of_panels(tile.rows)
    end
    return cycles
end

-- The cheapest tile for the shapes of a list { rows, vectors (of sums), columns, weight }: { rows, vectors
-- (of units), split, cycles }, cycles being those of the first shape. `gates` vectors of sums belong to one
-- vector of units.
-- step, if given, has what a step adds: streamed(vectors, passes, members), cycles to bring the weights in for
-- panels of that width which so many row tiles read, and `after`, cycles of every tile's epilogue that nothing
-- hides.
-- team, if given: the `members` of a team that have panels of their own, and suits(vectors), may panels have that
-- width? Of cycles those of the member with most panels count.
function tiles.best(target, shapes, gates, splits, step, team)
    local best
    local members = team and team.members or 1
    for vectors = 1, tiles.ceil(shapes[1].vectors, gates) do
        for rows = 1, team and not team.suits(vectors) and 0 or tiles.most_rows do
            for _, split in ipairs(splits) do
                if tiles.fits(target, rows, vectors * gates, split) then
                    local total, first = 0, nil
                    for _, shape in ipairs(shapes) do
                        local cycles = product_cycles(target, shape, rows, vectors * gates, split,
                            step and step.after or 0, members)
                        local least = step and step.streamed(vectors, tiles.ceil(shape.rows, rows), members) or 0
                        -- The two overlap, but not quite.
                        cycles = math.max(cycles, least) + math.min(cycles, least) / 8
                        first = first or cycles
                        total = total + cycles * shape.weight
                    end
                    if not best or total < best.total then
                        best = { rows = rows, vectors = vectors, split = split, cycles = first, total = total }
                    end
                end
            end
        end
    end
    return best
end

return tiles
