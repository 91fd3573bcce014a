-- scales: signals times numbers of the file, or with such added: one for all values, or one for each.
local constants = require "import.onnx.constants"
local features = require "import.onnx.features"
local signals = require "import.onnx.signals"
local tensors = require "import.tensors"

local scales = {}

-- The bounds of the numbers of `scale` in a spec.
local MOST <const> = 1000000000

-- scales.vector(constant, units) -> a constant as a vector of `units`, of which each axis but the last has size 1; nil:
-- it is none.
function scales.vector(constant, units)
    if not constant.data then return nil end
    local count = constants.count(constant)
    if count == 1 then return { shape = { units }, data = constant.data:rep(units) } end
    local fits = count == units and constant.shape[#constant.shape] == units
    return fits and { shape = { units }, data = constant.data } or nil
end

-- scales.values(source) -> the axes of what a layer of each value gives: those of what it reads, of which the last one
-- of an input of the graph has values.
function scales.values(source, width)
    if source.layer then return source.axes end
    local axes = { table.unpack(source.axes) }
    axes[#axes] = { { size = width, values = true, name = "values" } }
    return axes
end

-- The signal of a layer `scale` behind another one, or in front of all. what: "scale" or "shift"; sign: that of the
-- signal itself, -1 where it is taken from the numbers.
local function layer_of(node, signal, constant, what, sign)
    node:check(constant.data and #constant.shape <= #signal.axes, "has numbers of more axes than what it reads")
    local fields, weights, number = { scale = sign }, {}, nil
    if constants.count(constant) == 1 then
        number = string.unpack("<f", constant.data)
        node:check(number >= -MOST and number <= MOST, "has the number %g, which rnnc has not", number)
        if not sign and number == (what == "scale" and 1 or 0) then return signal end
        fields[what] = number
    end
    node:check(signal.what == "input" or signal.what == "steps" or signal.what == "last" or signal.what == "once",
        "is of what no layer gives for a step, which rnnc has not")
    local source, width = features.read(node, signal, #signal.axes)
    if not number then
        local tensor = scales.vector(constant, width)
        node:check(tensor, "has numbers of shape %s, and reads %d values; rnnc has one for each, or one for all",
            tensors.shape_text(constant.shape), width)
        fields[what], weights[1] = true, { name = what, tensor = tensor }
    end
    local layer = {
        form = "scale", label = node.label, input = width, outputs = width, weights = weights, fields = fields,
        of = signal,
        source = signals.with(source, { what = source.what == "last" and "steps" or source.what }),
    }
    return signals.with(source, { layer = layer, width = width, axes = scales.values(source, width) })
end

-- The numbers of a constant, changed.
local function changed(node, constant, change)
    node:check(constant.data, "is of numbers that are no part of the network")
    node:spend(constants.count(constant))
    return { shape = constant.shape, data = tensors.mapped(constant, change).data }
end

-- The signal and the constant of two inputs, and is the constant the first one?
local function with_constant(node)
    local a, b = node.values[1], node.values[2]
    node:check(a and b, "has one input")
    local swapped = not a.what
    local signal, constant = a, 2
    if swapped then signal, constant = b, 1 end
    return signal, node:constant(constant, "number"), swapped
end

-- scales.add(node), subtract, multiply, divide -> the signal of a signal and a constant. Errors of the node: numbers of
-- other shapes than the values, and a division by the signal.
function scales.add(node)
    local signal, constant = with_constant(node)
    return layer_of(node, signal, constant, "shift")
end

function scales.subtract(node)
    local signal, constant, swapped = with_constant(node)
    if swapped then return layer_of(node, signal, constant, "shift", -1) end
    return layer_of(node, signal, changed(node, constant, function(value) return -value end), "shift")
end

function scales.multiply(node)
    local signal, constant = with_constant(node)
    return layer_of(node, signal, constant, "scale")
end

function scales.divide(node)
    local signal, constant, swapped = with_constant(node)
    node:check(not swapped, "divides by what the network gives, which rnnc has not")
    return layer_of(node, signal, changed(node, constant, function(value) return 1 / value end), "scale")
end

return scales
