-- heads: dense layers of a graph that read the same, as one layer.
local heads = require "import.heads"

local onnx_heads = {}

-- onnx_heads.reads_same(a, b) -> do two dense layers read the same of one layer, or of x?
function onnx_heads.reads_same(a, b)
    local one, other = a.source, b.source
    return one.layer == other.layer and one.what == other.what and one.input == other.input
end

-- onnx_heads.together(list) -> the layer that dense layers make side by side; or nil and what keeps them from it.
-- list: of { name, layer }, two or more, each with another layer; each gets `first` and `last`, its channels. The layer
-- has it as `heads`.
function onnx_heads.together(list)
    local labels, first = {}, list[1].layer
    for i, head in ipairs(list) do
        local layer = head.layer
        head.fields, head.weight = layer.fields, layer.weights[1].tensor
        head.bias = layer.weights[2] and layer.weights[2].tensor
        labels[i] = layer.label
    end
    local made, why = heads.together(list)
    if not made then return nil, why end
    return {
        form = "dense", label = table.concat(labels, ", "), source = first.source, input = first.input,
        outputs = made.fields.units, fields = made.fields,
        weights = { { name = "weight", tensor = made.weight }, made.bias and { name = "bias", tensor = made.bias } },
        heads = list,
    }
end

return onnx_heads
