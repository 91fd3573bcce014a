-- heads: dense layers that read the same values and give outputs side by side: layers with names in a spec whose
-- `outputs` has them all; or, in the middle of a network, one dense layer.
local spec_heads = require "spec.heads"
local tensors = require "import.tensors"

local heads = {}

-- What a layer that heads read is called.
local TRUNK <const> = "trunk"

local NAME_MAX <const> = 40

-- A text as the name of a layer, which none of `taken` is.
local function name_of(text, taken)
    local name = text:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", "")
    if not name:find("^%a") then name = "y_" .. name end
    name = name:sub(1, NAME_MAX):gsub("_+$", "")
    local made, number = name, 1
    while taken[made:upper()] do
        number = number + 1
        made = name:sub(1, NAME_MAX - 4) .. "_" .. number
    end
    taken[made:upper()] = true
    return made
end

-- heads.beside(list) -> true; or nil and what keeps them from being outputs side by side. list: two or more of { name
-- (in messages), fields (as of a dense layer in spec/fields.lua) }; each gets `first` and `last`, its channels of y,
-- from 0.
function heads.beside(list)
    local units = 0
    for _, head in ipairs(list) do
        local why = head ~= list[1] and spec_heads.difference(list[1], head)
        if why then return nil, why .. "; in rnnc outputs are all of each step, or all of one" end
        head.first, head.last = units, units + head.fields.units - 1
        units = units + head.fields.units
    end
    return true
end

-- heads.together(list) -> { fields, weight, bias } of the layer that they make; or nil and what keeps them from it.
-- list: as of heads.beside, with weight (units, inputs) and bias (units) or nil.
function heads.together(list)
    local fine, why = heads.beside(list)
    for i = 2, fine and #list or 0 do why = why or spec_heads.functions(list[1], list[i]) end
    if why then return nil, why .. (fine and "; rnnc has one function of each value there" or "") end
    local units, biased = 0, false
    for _, head in ipairs(list) do units, biased = units + head.fields.units, biased or head.bias ~= nil end
    local weights, biases, fields = {}, {}, {}
    for i, head in ipairs(list) do
        weights[i], biases[i] = head.weight, head.bias or tensors.zeros(head.fields.units)
    end
    for key, value in pairs(list[1].fields) do fields[key] = value end
    fields.units, fields.bias = units, biased
    return { fields = fields, weight = tensors.stacked(weights), bias = biased and tensors.stacked(biases) or nil }
end

-- heads.name(list, record) -> the fields name and from of those of a list of { text (what the file calls the output),
-- fields, first_fields (of the first of its layers, where it has several) }, in the spec, and the record's outputs. The
-- layers that they read are those of the record.
function heads.name(list, record)
    local taken, trunk = { X = true }, record.layers[#record.layers]
    record.fields.outputs = {}
    for i, head in ipairs(list) do
        head.fields.name = name_of(head.text, taken)
        record.fields.outputs[i] = head.fields.name
    end
    if trunk then trunk.fields.name = name_of(TRUNK, taken) end
    for i = 2, #list do (list[i].first_fields or list[i].fields).from = trunk and trunk.fields.name or "x" end
end

-- heads.text(head) -> "y, its channels 0 to 21", for the report.
function heads.text(head)
    return head.first == head.last and string.format("y, its channel %d", head.first)
        or string.format("y, its channels %d to %d", head.first, head.last)
end

return heads
