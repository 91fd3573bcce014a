-- maps: the C functions of the stages that are functions of each value and nothing else, as data: emit/forward/rows.lua
-- and emit.lua print them.
local tiles = require "kernels.tiles"

local maps = {}

-- A function of what a stage gives and of weights of its units, row by row, piece by piece. In the batch kernel a row
-- is a block of sequences.
local function of_units(ir, target, stage)
    local block = ir.in_lanes == "sequences" and ir.block or 1
    local map = { rows = true, from_row = stage.output.row * block, to_row = stage.output.row * block, block = block,
                  beside = ir.in_lanes == "sequences" and ir.beside or 0,
                  unit_weights = stage.unit_weights, pieces = {} }
    local unit, group = 0, ir.in_lanes == "units" and target.lanes or ir.beside
    for i, piece in ipairs(stage.output.pieces) do
        map.pieces[i] = { from = { piece.offset * block }, to = piece.offset * block,
                          count = tiles.ceil(piece.count, group) * group, unit = unit }
        unit = unit + tiles.ceil(piece.count, 16) * 16
    end
    return map
end

-- A function of both halves of what the stack before gives.
local function of_halves(ir, target, stage, before)
    local block = ir.in_lanes == "sequences" and ir.block or 1
    local group = ir.in_lanes == "units" and target.lanes or ir.beside
    local halves = before.pieces
    return { rows = true, from_row = before.row * block, to_row = stage.output.row * block, block = block,
             beside = ir.in_lanes == "sequences" and ir.beside or 0, unit_weights = {},
             pieces = { { from = { halves[1].offset * block, halves[2].offset * block }, to = 0, unit = 0,
                          count = tiles.ceil(stage.width, group) * group } } }
end

-- maps.of(ir, target, list, suffix): adds to `list` the functions of the stages that are nothing else, one for
-- each function, and gives each stage its: stage.map.
function maps.of(ir, target, list, suffix)
    for i, stage in ipairs(ir.stages) do
        local halves = stage.kind == "merge"
        if halves or stage.kind == "activation" then
            local map = halves and of_halves(ir, target, stage, ir.stages[i - 1].output)
                or #stage.tensors > 0 and of_units(ir, target, stage) or {}
            map.gate_names, map.sums = { "h" }, { { index = 0, gate = 0, part = "gate" } }
            if halves then map.gate_names[2], map.sums[2] = "other", { index = 1, gate = 1, part = "gate" } end
            map.inputs, map.tiny, map.update, map.states = {}, {}, stage.update, { "h" }
            stage.map = list.add(map, halves and stage.merge .. "_of_halves" .. suffix
                or stage.activation .. (map.rows and "_of_units" or "_of_values") .. suffix)
        end
    end
end

return maps
