-- heads: dense layers that read the same values, side by side, as one dense layer: y has their channels one behind the
-- other.
local activations = require "tables.activations"
local tensors = require "import.tensors"

local heads = {}

local function function_text(fields)
    return (fields.activation or "none") .. (fields.alpha and string.format(" of %g", fields.alpha) or "")
end

-- What keeps heads from being one layer; nil: nothing does.
local function difference(first, other)
    local a, b = function_text(first.fields), function_text(other.fields)
    if a ~= b then
        return string.format("%s and %s have different functions, %s and %s", first.name, other.name, a, b)
    elseif activations.of(first.fields.activation or "none").of == "row" then
        return string.format("%s and %s have %s over their own values", first.name, other.name, a)
    end
    for _, name in ipairs { "last_step", "last_state" } do
        if first.fields[name] ~= other.fields[name] then
            return string.format("one of %s and %s reads the last step alone", first.name, other.name)
        end
    end
    return nil
end

-- heads.together(list) -> { fields, weight, bias } of the layer that they make; or nil and what keeps them from it.
-- list: two or more of { name, fields (as of a dense layer in spec/fields.lua), weight (units, inputs), bias (units) or
-- nil }, which read the same; each gets `first` and `last`, its channels of y, from 0.
function heads.together(list)
    local first, units, biased = list[1], 0, false
    for i, head in ipairs(list) do
        local why = i > 1 and difference(first, head)
        if why then
            return nil, why .. "; rnnc has heads of one function of each value, side by side in y"
        end
        head.first, head.last = units, units + head.fields.units - 1
        units, biased = units + head.fields.units, biased or head.bias ~= nil
    end
    local weights, biases, fields = {}, {}, {}
    for i, head in ipairs(list) do
        weights[i], biases[i] = head.weight, head.bias or tensors.zeros(head.fields.units)
    end
    for key, value in pairs(first.fields) do fields[key] = value end
    fields.units, fields.bias = units, biased
    return { fields = fields, weight = tensors.stacked(weights), bias = biased and tensors.stacked(biases) or nil }
end

-- heads.text(head) -> "y, its channels 0 to 21", for the report.
function heads.text(head)
    return head.first == head.last and string.format("y, its channel %d", head.first)
        or string.format("y, its channels %d to %d", head.first, head.last)
end

return heads
