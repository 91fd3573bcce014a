-- heads: dense layers of a graph that read the same, as one layer.
local heads = require "import.heads"

local onnx_heads = {}

-- onnx_heads.reads_same(a, b) -> do two dense layers read the same of one layer, or of x?
function onnx_heads.reads_same(a, b)
    local one, other = a.source, b.source
    return one.layer == other.layer and one.what == other.what and one.input == other.input
end

-- The layer that dense layers make side by side, without weights. list: see below.
local function layer_of(list, fields)
    local labels, units = {}, 0
    for i, head in ipairs(list) do labels[i], units = head.layer.label, units + head.fields.units end
    local first = list[1].layer
    return { form = "dense", label = table.concat(labels, ", "), source = first.source, input = first.input,
             outputs = units, fields = fields, weights = {}, heads = list }
end

-- onnx_heads.beside(list) -> what stands for dense layers that are outputs side by side; or nil and what keeps them
-- from it. list: of { name, layer }, two or more, each with another layer; each gets `first` and `last`, its channels.
-- The layer has it as `heads`.
function onnx_heads.beside(list)
    for _, head in ipairs(list) do head.fields = head.layer.fields end
    local fine, why = heads.beside(list)
    if not fine then return nil, why end
    return layer_of(list, list[1].fields)
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
