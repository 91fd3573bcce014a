-- heads: dense layers of a graph that read the same, as one layer.
local heads = require "import.heads"
local spec_heads = require "spec.heads"

local onnx_heads = {}

-- onnx_heads.reads_same(a, b) -> do two dense layers read the same of one layer, or of x?
function onnx_heads.reads_same(a, b)
    local one, other = a.source, b.source
    return one.layer == other.layer and one.what == other.what and one.input == other.input
end

-- How many layers all chains begin with.
local function common(chains)
    local count = 0
    while true do
        for _, chain in ipairs(chains) do
            if not chain[count + 1] or chain[count + 1] ~= chains[1][count + 1] then return count end
        end
        count = count + 1
    end
end

-- onnx_heads.split(list, chains) -> true, and each head of the list gets `levels`, its dense layers behind what all of
-- them read, first to last; or nil and what keeps them from being heads. list: as of onnx_heads.beside; chains: for
-- each the layers from x to its own.
function onnx_heads.split(list, chains)
    local trunk, owner = common(chains), {}
    local depth = #chains[1] - trunk
    for i, head in ipairs(list) do
        head.levels = table.move(chains[i], trunk + 1, #chains[i], 1, {})
        if depth == 0 or #head.levels == 0 then
            return nil, string.format("other outputs read what %s gives; rnnc has outputs that no layer reads",
                list[depth == 0 and 1 or i].name)
        elseif #head.levels ~= depth then
            return nil, string.format("behind what all outputs read, %s has %d of the dense layers and %s %d; rnnc has "
                .. "as many for each", list[1].name, depth, head.name, #head.levels)
        end
        for level, layer in ipairs(head.levels) do
            local one = list[1].levels[level]
            if layer.form ~= "dense" then
                return nil, string.format("%s is part of %s alone; rnnc has dense layers there", layer.label, head.name)
            elseif owner[layer] then
                return nil, string.format("%s leads to some of the outputs, but not to all; rnnc has outputs of layers "
                    .. "of their own behind what all of them read", layer.label)
            elseif level == 1 and not onnx_heads.reads_same(layer, one) or layer.source.what ~= one.source.what then
                return nil, string.format("%s and %s read other steps; rnnc has outputs that are all of each step, or "
                    .. "all of one", one.label, layer.label)
            end
            owner[layer] = true
            local why = i > 1 and level < depth and spec_heads.functions({ name = one.label, fields = one.fields },
                { name = layer.label, fields = layer.fields })
            if why then return nil, why .. "; in rnnc only the last layers of outputs have functions of their own" end
        end
    end
    return true
end

-- The layer that dense layers make side by side, without weights. list: see below.
local function layer_of(list, fields)
    local labels, units = {}, 0
    for i, head in ipairs(list) do labels[i], units = head.layer.label, units + head.fields.units end
    local first = list[1].levels and list[1].levels[1] or list[1].layer
    return { form = "dense", label = table.concat(labels, ", "), source = first.source, input = first.input,
             outputs = units, fields = fields, weights = {}, heads = list }
end

-- onnx_heads.beside(list) -> what stands for dense layers that are outputs side by side; or nil and what keeps them
-- from it. list: of { name, layer }, two or more, each with another layer; each gets `first` and `last`, its channels.
-- The layer has it as `heads`. Heads of several layers have them as `levels`.
function onnx_heads.beside(list)
    for _, head in ipairs(list) do head.fields = head.layer.fields end
    local fine, why = heads.beside(list)
    if not fine then return nil, why end
    return layer_of(list, list[1].levels and list[1].levels[1].fields or list[1].fields)
end

-- onnx_heads.together(list) -> the one layer that dense layers of one function make; or nil and what keeps them from
-- it. list: as of onnx_heads.beside.
function onnx_heads.together(list)
    for _, head in ipairs(list) do
        local layer = head.layer
        head.fields, head.weight = layer.fields, layer.weights[1].tensor
        head.bias = layer.weights[2] and layer.weights[2].tensor
    end
    local made, why = heads.together(list)
    if not made then return nil, why end
    local layer = layer_of(list, made.fields)
    layer.weights = { { name = "weight", tensor = made.weight }, made.bias and { name = "bias", tensor = made.bias } }
    return layer
end

return onnx_heads
