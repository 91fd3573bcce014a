-- norms: the C functions of a step of cells with layer normalisation, as data: its products are in a buffer, since a
-- norm waits for all units of a sequence, and so the update is a function of its own behind them.
-- emit/forward/norms.lua prints it.
local norms = {}

-- What the update of a cell adds up: of a separate gate, each of both sums by itself.
local function sums_of(stack)
    local list, separate = {}, {}
    for _, name in ipairs(stack.separate) do separate[name] = true end
    for i, name in ipairs(stack.gates) do
        for _, part in ipairs(separate[name] and { "input", "recurrent" } or { "gate" }) do
            list[#list + 1] = { index = #list, gate = i - 1, part = part }
        end
    end
    return list
end

-- norms.groups(gates, separate) -> the gates that are normalised together: { first, count }, from 0. Those that are
-- separate, which come last, are each a group.
function norms.groups(gates, separate)
    local list = { { first = 0, count = #gates - #separate } }
    for i = 1, #separate do list[i + 1] = { first = #gates - #separate + i - 1, count = 1 } end
    return list
end

-- norms.of(ir, target, list, suffix): adds to `list` what the stages with norms need and gives their layers theirs:
-- layer.cell.
function norms.of(ir, target, list, suffix)
    for _, stage in ipairs(ir.stages) do
        local stack = stage.kind == "stack" and ir.stacks[stage.stack]
        if stack and stack.norm then
            local H, row = stack.sizes.H, stage.widths.row
            local normalise = list.add({ kind = "normalise", units = H, row = row, update = {},
                                         needs = { "add", "sub", "mul" } }, "normalise_" .. H .. suffix)
            local cell = {
                kind = "cell", normalise = normalise.fn, units = H, row = row, gates = #stack.gates, needs = { "add" },
                padded = (H + target.lanes - 1) // target.lanes * target.lanes,
                groups = norms.groups(stack.gates, stack.separate), eps = stack.norm.eps, carried = stack.norm.state,
                sums = sums_of(stack), gate_names = stack.gates, inputs = {}, unit_weights = {},
                update = stack.update, tiny = stack.tiny, states = stack.states, places = {},
            }
            for _, part in ipairs(stage.state_parts) do cell.places[part.name] = part.offset end
            cell = list.add(cell, "normalised_" .. H .. suffix)
            for _, layer in ipairs(stage.layers) do layer.cell = cell end
        end
    end
end

return norms
