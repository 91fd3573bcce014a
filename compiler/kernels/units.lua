-- units: the lanes of a vector carry units. Weights are read in panels of some vectors of units, column
-- by column; each value of the state or input is broadcast. Works for every batch; for a batch of one
-- it is a matrix-vector product whose only traffic is the weights.
local cost = require "kernels.cost"
local dot = require "kernels.dot"
local tiles = require "kernels.tiles"

local units = {
    name = "units", label = "units", doc = "lanes carry units, inputs are broadcast", in_lanes = "units", shares = true,
}

-- Is an input of so many columns part of the step? Where it is narrow, or one step is all there is, a product of its
-- own would only store and load gates. Without vectors a tile of several rows gains nothing either.
local function fuses(columns, steps, target) return columns <= 4 or steps == 1 or target.lanes == 1 end

-- More rows than this at a time only grow the workspace.
units.most_rows = 32

-- Panels of another target that it reads have to be whole vectors.
function units.applies(ir, target)
    for _, widths in ipairs(ir.like or {}) do
        for _, width in pairs(widths) do
            if width % target.lanes > 0 then return false, "the panels that it is to read are no whole vectors" end
        end
    end
    return true
end

-- The rows of a block, and the shapes over which a tile is judged. An unknown batch is judged at one row and at
-- sixteen, equally, or at four and sixteen where there are always several: one has a program of its own.
local function row_shapes(batch, vectors, columns, several)
    if batch ~= "any" then
        local rows = math.min(batch, units.most_rows)
        return rows, { { rows = rows, vectors = vectors, columns = columns, weight = 1 } }
    end
    if several then
        return units.most_rows, {
            { rows = 4, vectors = vectors, columns = columns, weight = 4 },
            { rows = 16, vectors = vectors, columns = columns, weight = 1 },
        }
    end
    return units.most_rows, {
        { rows = 1, vectors = vectors, columns = columns, weight = 16 },
        { rows = 16, vectors = vectors, columns = columns, weight = 1 },
    }
end

-- Rows for which the tile of a product over a chunk of steps is judged.
local function many_rows(steps, rows)
    return (steps == "any" or steps * rows > 24) and 24 or steps * rows
end

-- Parts of a sum. With more rows than one there are sums enough without two parts, and at rnn_tanh 128 with a
-- batch of 20 their error is 1.07e-6 where PyTorch stays within 1e-6.
-- More parts than columns would leave some empty.
local function splits(batch, deterministic, columns)
    local list = { 1 }
    for _, parts in ipairs(batch == 1 and { 2, 4, 8 } or { 4, 8 }) do
        if not deterministic and parts <= columns then list[#list + 1] = parts end
    end
    return list
end

-- With grouped gates, a vector of sums holds all four gates of a quarter of its lanes' units, so that units
-- that do not fill a vector waste less: of lstm with 20 units, 5 vectors instead of 8. The epilogue takes the
-- gates apart in registers.
local function can_group(net, target)
    return net.G == 4 and net.separate == 0 and not net.normalised and target.lanes >= net.G
        and tiles.sums(net.H, target.lanes, net.G, true) < tiles.sums(net.H, target.lanes, net.G, false)
end

-- Reading panels as parts of wider ones takes lines from the second cache out of their order, so many times as long:
-- gru 64-100 for one sequence, 1.10 to 1.15 times with two panels in one.
local PART <const> = 1.2

-- May panels of `width` vectors be read from those of another target, `like` units wide? Several of one, if a quarter
-- of the second cache holds it: with panels of 393 KB, gru 64-256 took 1.6 times as long (AVX2).
local function readable(target, like, width, sums)
    if not like then return true end
    if like == tiles.rows_of_w then return false end
    local own = width * target.lanes
    return like == own or like % own == 0 and 4 * sums * like <= target.l2 // 4
end

-- Any width of panels that can be read may be shared by so many members; sums: columns of a unit, of all gates.
local function team_of(members, target, like, sums)
    return { members = members, suits = function(width) return readable(target, like, width, sums) end }
end

-- The vectors of units of the member that has most, where shares are whole grains of so many vectors.
local function most_vectors(vectors, grain, members)
    return math.min(tiles.ceil(tiles.ceil(vectors, grain), members) * grain, vectors)
end

-- The cheaper of a tile of units, nil if none can read what lies there, and of dot products. Sums of which every lane
-- has some columns are of another order than the one that `deterministic` promises.
local function input_of(net, target, kind, rows, tile, plain)
    local like = net.like and net.like[kind]
    local own = plain and not fuses(net.columns[kind], net.steps, target)
        and dot.input(net, target, net.columns[kind], rows)
    if like then return like == tiles.rows_of_w and own or tile end
    return own and tile and own.cycles < tile.cycles and own or tile
end

local function plan_with(net, target, deterministic, grouped)
    local vectors = tiles.ceil(net.H, target.lanes)
    local narrow = net.G + (fuses(net.I, net.steps, target) and net.separate or 0)
    local function sums(each) return tiles.sums(net.H, target.lanes, each, grouped) end
    local block, shapes = row_shapes(net.batch, sums(narrow), net.P, net.several)
    local rows = shapes[1].rows
    local step = tiles.best(target, shapes, narrow, splits(net.batch, deterministic, net.P), {
        after = cost.epilogue(target, net.update),
        streamed = function(width, passes, members)
            local panels = tiles.ceil(sums(net.G), width * net.G)
            local each = grouped and sums(net.G) // panels or width * net.G
            local bytes, like = each * target.lanes * net.P * 4, net.like and net.like.state
            if not like then return cost.stream(target, bytes, tiles.ceil(panels, members), net.P, passes) end
            -- Of the last panel of another program only what is read counts: the room that it takes is there.
            local whole = sums(net.G) * target.lanes * net.P * 4
            return cost.stream(target, bytes, tiles.ceil(panels, members), net.P, passes, whole)
                * (like == width * target.lanes and 1 or PART)
        end,
    }, team_of(net.members, target, net.like and net.like.state, net.G * net.P))
    if not step then return nil end
    local own = most_vectors(vectors, step.vectors, net.members)
    local update = cost.update(target, net.update) + (grouped and cost.regroup() or 0)
    local cycles = net.L * net.D * (step.cycles + own * rows * update + cost.step_latency(target))
    local serial = cycles / (net.L * net.D)
    local inputs, hoisted = {}, { first = false, upper = false }
    for _, kind in ipairs(net.kinds) do
        local columns = net.columns[kind]
        local many = many_rows(net.steps, rows)
        local tile = tiles.best(target, { { rows = many, vectors = sums(net.G), columns = columns, weight = 1 } },
            net.G, many == 1 and splits(net.batch, deterministic, columns) or { 1 }, nil, {
                members = net.members,
                -- A member computes the gates of its own units: panels of both products have to end where they do.
                suits = function(width)
                    if not readable(target, net.like and net.like[kind], width, net.G * columns) then return false end
                    return most_vectors(vectors, tiles.grain(step.vectors, width), net.members) <= own
                end,
            })
        tile = input_of(net, target, kind, many, tile, not grouped and not deterministic)
        if not tile then return nil end
        inputs[kind] = tile
        local times = kind == "first" and 1 or net.L - 1
        cycles = cycles + net.D * times * tile.cycles * rows / many
        -- Sums with inputs that are normalised have to be in a buffer.
        hoisted[kind] = net.normalised or not fuses(columns, net.steps, target)
        if not hoisted[kind] then serial = serial + tile.cycles * rows / many end
    end
    -- The last block has the rows that are left, and takes their time only.
    local blocks = net.batch == "any" and 1 / rows or net.batch / block
    return { cycles = cycles * blocks, serial = serial, block = block, step = step, inputs = inputs, vectors = vectors,
             grouped = grouped, hoisted = hoisted }
end

function units.plan(net, target, deterministic)
    local plain = plan_with(net, target, deterministic, false)
    local grouped = not net.like and can_group(net, target) and plan_with(net, target, deterministic, true)
    return grouped and grouped.cycles < plain.cycles and grouped or plain
end

function units.tile(plan)
    return { rows = plan.step.rows, vectors = plan.step.vectors, split = plan.step.split }
end

function units.retile(net, target, plan, tile, deterministic)
    local sums = net.G + (fuses(net.I, net.steps, target) and net.separate or 0)
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
    local block, shapes = row_shapes(net.batch, vectors, net.inputs, net.several)
    local rows = shapes[1].rows
    local many = many_rows(net.steps, rows)
    -- A call of one step counts as much as one of many, where there may be either.
    if net.batch ~= "any" and many > rows then
        shapes[2] = net.steps == "any" and shapes[1] or nil
        shapes[1] = { rows = many, vectors = vectors, columns = net.inputs, weight = rows / many }
    end
    local tile = tiles.best(target, shapes, 1, splits(net.batch, deterministic, net.inputs), nil,
        team_of(net.members or 1, target, net.like, net.inputs))
    local times = net.batch == "any" and 1 or net.batch / shapes[1].rows
    return tile and { tile = tile, vectors = vectors, cycles = tile.cycles * times, block = block }
end

return units
