-- dense: operators that make dense layers and embeddings: Gemm, MatMul, Add, functions, Gather by tokens.
--
-- A layer is made anew when something is added to it, so that who reads the one before gets what the graph says.
local activations = require "tables.activations"
local arithmetic = require "import.onnx.arithmetic"
local constants = require "import.onnx.constants"
local dimensions = require "import.onnx.dimensions"
local features = require "import.onnx.features"
local gelu = require "import.onnx.gelu"
local onnx_heads = require "import.onnx.heads"
local scales = require "import.onnx.scales"
local shapes = require "import.onnx.shapes"
local signals = require "import.onnx.signals"
local tensors = require "import.tensors"

local operators = {}

-- How a layer that reads such a signal runs.
local once_of <const> = { last = "last_step", h = "last_state" }

local function copy_of(layer, changes)
    local copy = {}
    for key, value in pairs(layer) do copy[key] = value end
    copy.fields = {}
    for key, value in pairs(layer.fields) do copy.fields[key] = value end
    for key, value in pairs(changes) do copy[key] = value end
    return copy
end

-- The signal of a dense layer of a matrix (outputs, inputs) behind `x`.
local function dense(node, x, matrix, bias)
    local axis = #x.axes
    node:check(axis > 0, "reads a single number")
    local source, width = features.read(node, x, axis)
    local units = matrix.shape[1]
    node:check(matrix.data and matrix.shape[2] == width and units > 0, "its matrix is %s, and it reads %d values",
        tensors.shape_text { matrix.shape[2], units }, width)
    local layer = {
        form = "dense", label = node.label, source = source, input = width, outputs = units,
        weights = { { name = "weight", tensor = matrix }, bias and { name = "bias", tensor = bias } or nil },
        fields = { units = units, bias = bias ~= nil },
    }
    if once_of[source.what] then layer.fields[once_of[source.what]] = true end
    local axes = { table.unpack(source.axes) }
    axes[axis] = { { size = units, values = true, name = "values" } }
    return {
        what = source.what == "steps" and "steps" or "once", layer = layer, width = units, axes = axes,
    }
end

function operators.Gemm(node)
    local a, b = node.values[1], node:constant(2, "B")
    node:check(a and a.what and #a.axes == 2 and node:attribute("transA", "i", 0) == 0, "its A is no row a sequence")
    node:check(node:attribute("alpha", "f", 1) == 1, "has an alpha, which rnnc has not")
    node:check(#b.shape == 2, "its B is no matrix")
    if node:attribute("transB", "i", 0) == 0 then
        node:spend(constants.count(b))
        b = constants.transpose(b, { 2, 1 })
    end
    local bias
    if node.values[3] then
        node:check(node:attribute("beta", "f", 1) == 1, "has a beta, which rnnc has not")
        bias = node:check(scales.vector(node:constant(3, "C"), b.shape[1]), "its C is no vector of %d", b.shape[1])
    end
    return dense(node, a, { shape = b.shape, data = b.data }, bias)
end

function operators.MatMul(node)
    local a, b = node.values[1], node:constant(2, "matrix")
    node:check(a and a.what, "multiplies numbers of the file, or by what the network is given, which rnnc has not")
    node:check(#b.shape == 2, "its second input is no matrix")
    node:spend(constants.count(b))
    local matrix = constants.transpose(b, { 2, 1 })
    return dense(node, a, { shape = matrix.shape, data = matrix.data })
end

-- The other of two inputs where one is a constant, and the constant.
local function with_constant(node)
    local a, b = node.values[1], node.values[2]
    node:check(a and b, "has one input")
    if a.what and not b.what then return a, b end
    if b.what and not a.what then return b, a end
    return nil
end

-- y of the last layer and x, side by side step by step.
local function sum_with_x(node)
    local y, x = node.values[1], node.values[2]
    if not y.layer then y, x = x, y end
    node:check(y.layer and not x.layer and y.what == "steps" and #x.axes == #y.axes,
        "adds two results, which rnnc has not; it adds x to y")
    local axis = #x.axes
    local from, width = features.read(node, x, axis)
    for i, atoms in ipairs(y.axes) do
        local same = dimensions.equal(dimensions.of(atoms), dimensions.of(from.axes[i]))
        node:check(same, "adds tensors of different shapes")
    end
    local _, own = features.read(node, y, axis)
    node:check(own == width, "adds tensors of different shapes")
    return signals.with(y, { residual = true })
end

-- Behind a product without a bias it is its bias.
function operators.Add(node)
    local a, b = node.values[1], node.values[2]
    node:check(a and b, "has one input")
    if not a.what and not b.what then return arithmetic.Add(node) end
    local signal, constant = with_constant(node)
    if not signal then return sum_with_x(node) end
    if gelu.is(signal) then
        local part = constant.data and constants.count(constant) == 1
            and gelu.with_number(signal, "plus", (string.unpack("<f", constant.data)))
        if part then return part end
    end
    local layer = signal.layer
    if not (layer and layer.form == "dense") or layer.fields.bias or layer.fields.activation or signal.residual then
        return scales.add(node)
    end
    local bias = #constant.shape <= #signal.axes and scales.vector(constant, layer.outputs)
    node:check(bias and features.read(node, signal, #signal.axes), "adds numbers that are no vector of %d",
        layer.outputs)
    local made = copy_of(layer, { weights = { layer.weights[1], { name = "bias", tensor = bias } } })
    made.fields.bias = true
    return signals.with(signal, { layer = made })
end

-- Numbers of the file, and a signal and such.
for op, what in pairs { Sub = "subtract", Div = "divide" } do
    operators[op] = function(node)
        local a, b = node.values[1], node.values[2]
        if a and b and (a.what or b.what) then
            node:check(not (a.what and b.what), "is of two results, which rnnc has not")
            return scales[what](node)
        end
        return arithmetic[op](node)
    end
end

-- The signal and the layer that a node is a function of.
local function argument_of(node)
    local signal = node.values[1]
    node:check(signal and signal.what, "is of numbers of the file, which rnnc does not compute")
    node:check(not signal.residual and (signal.what == "input" or signal.what == "steps" or signal.what == "last"
        or signal.what == "once"), "is a function of what no layer gives for a step, which rnnc has not")
    return signal, signal.layer
end

-- The signal of a layer that is a function of each value of `signal`. What is of each value is the same at the last
-- step alone.
local function function_layer(node, signal, fields, weights)
    local source, width = features.read(node, signal, #signal.axes)
    local made = {
        form = "activation", label = node.label, input = width, outputs = width, weights = weights(width), of = signal,
        source = signals.with(source, { what = source.what == "last" and "steps" or source.what }), fields = fields,
    }
    return signals.with(source, { layer = made, width = width, axes = scales.values(source, width) })
end

-- A function of each value of all steps side by side is one of each step.
local function function_of_steps(node, signal, fields)
    local width = signal.width * #(signal.runs or { 1 })
    local made = {
        form = "activation", label = node.label, input = width, outputs = width, weights = {}, of = signal,
        source = signal, fields = fields,
    }
    return signals.with(signal, { layer = made })
end

-- A function of what a layer gives: that of a dense layer without one, or a layer by itself.
local function activate(node, name, alpha, beta)
    local signal, layer = argument_of(node)
    if layer and layer.form == "dense" and not layer.fields.activation then
        local made = copy_of(layer, { of = signal })
        made.fields.activation, made.fields.alpha, made.fields.beta = name, alpha, beta
        return signals.with(signal, { layer = made })
    end
    local fields = { activation = name, alpha = alpha, beta = beta }
    if features.are_all_steps(signal, #signal.axes) then
        node:check(activations.of(name).of ~= "row", "is over the values of all steps, which rnnc has not")
        return function_of_steps(node, signal, fields)
    end
    return function_layer(node, signal, fields, function() return {} end)
end

-- Functions by operator: rnnc's name and, of one with numbers, the defaults of the attributes alpha and beta.
for op, row in pairs {
    Relu = { "relu" }, Tanh = { "tanh" }, Sigmoid = { "sigmoid" }, Softplus = { "softplus" },
    Softsign = { "softsign" }, HardSwish = { "hard_swish" }, Mish = { "mish" }, Elu = { "elu", 1.0 },
    LeakyRelu = { "leaky_relu", 0.01 }, HardSigmoid = { "hard_sigmoid", 0.2, 0.5 },
} do
    operators[op] = function(node)
        return activate(node, row[1], row[2] and node:attribute("alpha", "f", row[2]),
            row[3] and node:attribute("beta", "f", row[3]))
    end
end

-- Bounds of Clip, the least and the most: attributes before opset 11, then inputs; infinite where there is none.
local function bounds_of(node)
    local list = { -math.huge, math.huge }
    for i, name in ipairs { "min", "max" } do
        if node.opset < 11 then
            list[i] = node:attribute(name, "f", list[i])
        elseif node.values[i + 1] then
            local constant = node:constant(i + 1, name)
            node:check(constant.data and constants.count(constant) == 1, "its %s is no number", name)
            list[i] = string.unpack("<f", constant.data)
        end
    end
    return list[1], list[2]
end

-- Functions that are a Clip of certain bounds, and what bounds hard_tanh may have in a spec.
local clips <const> = { { least = 0, most = 6, name = "relu6" }, { least = 0, most = math.huge, name = "relu" } }
local MOST <const> = 1000

function operators.Clip(node)
    local least, most = bounds_of(node)
    for _, row in ipairs(clips) do
        if row.least == least and row.most == most then return activate(node, row.name) end
    end
    node:check(-MOST <= least and least < most and most <= MOST,
        "has bounds %g and %g; rnnc has two of at most %d, the least first, or 0 alone", least, most, MOST)
    return activate(node, "hard_tanh", least, most)
end

-- PyTorch's numbers are the operator's defaults, in float32.
function operators.Selu(node)
    local ALPHA <const>, GAMMA <const>, NEAR <const> = 1.67326319217681884765625, 1.05070102214813232421875, 1e-6
    local alpha, gamma = node:attribute("alpha", "f", ALPHA), node:attribute("gamma", "f", GAMMA)
    node:check(math.abs(alpha - ALPHA) < NEAR and math.abs(gamma - GAMMA) < NEAR,
        "has an alpha or gamma of its own, which rnnc has not")
    return activate(node, "selu")
end

function operators.Gelu(node)
    local approximate = node:attribute("approximate", "s", "none")
    node:check(approximate == "none" or approximate == "tanh", "has an approximation which rnnc has not")
    return activate(node, approximate == "tanh" and "gelu_tanh" or "gelu")
end

-- Functions that rnnc has for one alpha, which is the operator's default.
for op, name in pairs { Celu = "elu", Swish = "silu" } do
    operators[op] = function(node)
        local alpha = node:attribute("alpha", "f", 1.0)
        node:check(alpha == 1, "has alpha %g; rnnc has it with 1", alpha)
        return activate(node, name)
    end
end

-- Slopes below 0: one for all values, or one for each.
function operators.PRelu(node)
    local slope = node:constant(2, "slope")
    local signal = argument_of(node)
    if slope.data and constants.count(slope) == 1 then
        return activate(node, "leaky_relu", (string.unpack("<f", slope.data)))
    end
    return function_layer(node, signal, { activation = "prelu" }, function(width)
        local tensor = scales.vector(slope, width)
        node:check(tensor and #slope.shape <= #signal.axes, "its slope is %s, and it reads %d values; rnnc has one for "
            .. "each, or one for all", tensors.shape_text(slope.shape), width)
        return { { name = "weight", tensor = tensor } }
    end)
end

-- A value times a function of it, as exporters write some functions: which they are.
local products <const> = { sigmoid = "silu", hard_sigmoid = "hard_swish" }

-- The function that `f`, times what it is of, is; nil: rnnc has it not.
local function product_of(x, f)
    local fields, of = f.fields, f.of
    if of.layer == x then
        local plain = fields.activation ~= "hard_sigmoid"
            or math.abs(fields.alpha - 1 / 6) < 1e-6 and fields.beta == 0.5
        return plain and products[fields.activation] or nil
    end
    local inner = of.layer
    local around = inner and inner.of and inner.of.layer == x
    return around and fields.activation == "tanh" and inner.fields.activation == "softplus" and "mish" or nil
end

-- Have two signals the same axes in the same order?
local function same_axes(a, b)
    if #a.axes ~= #b.axes then return false end
    for i, atoms in ipairs(a.axes) do
        local one, other = signals.atoms(atoms), signals.atoms(b.axes[i])
        if #one ~= #other then return false end
        for k, atom in ipairs(one) do
            for _, what in ipairs { "role", "size", "values", "runs" } do
                if atom[what] ~= other[k][what] then return false end
            end
        end
    end
    return true
end

-- A part of GELU, or GELU if that is all of it.
local function gelu_or_part(node, part)
    local of = gelu.finished(part)
    if not of then return part end
    node.values[1] = of
    return activate(node, "gelu")
end

-- The same of a part and a number by which it is multiplied; nil: of others.
local function gelu_by_number(node)
    local a, b = node.values[1], node.values[2]
    local signal, constant = a, b
    if not a.what then signal, constant = b, a end
    if not (gelu.is(signal) and constant.data and constants.count(constant) == 1) then return nil end
    local part = gelu.with_number(signal, "half", (string.unpack("<f", constant.data)))
    return part and gelu_or_part(node, part)
end

operators.Erf = gelu.erf

function operators.Mul(node)
    local a, b = node.values[1], node.values[2]
    if not (a and b and (a.what or b.what)) then return arithmetic.Mul(node) end
    if not (a.what and b.what) then return gelu_by_number(node) or scales.multiply(node) end
    for _, pair in ipairs { { a, b }, { b, a } } do
        local part = gelu.is(pair[1]) and a.what == b.what and same_axes(a, b) and gelu.with_signal(pair[1], pair[2])
        if part then return gelu_or_part(node, part) end
    end
    for _, pair in ipairs { { a, b }, { b, a } } do
        local x, f = pair[1].layer, pair[2].layer
        local name = x and f and f.of and a.what == b.what and same_axes(a, b) and product_of(x, f)
        if name then
            node.values[1] = pair[1]
            return activate(node, name)
        end
    end
    node:bad("multiplies two results, which rnnc has not, but a value with its Sigmoid, with its HardSigmoid as "
        .. "HardSwish does, or with Tanh of its Softplus")
end

-- Softmax over the values; before opset 13 over all axes from `axis` on.
for op, name in pairs { Softmax = "softmax", LogSoftmax = "log_softmax" } do
    operators[op] = function(node)
        local signal = node.values[1]
        local rank = signal and signal.what and #signal.axes or 0
        local axis = node:axis(node:attribute("axis", "i", node.opset < 13 and 1 or -1), rank)
        node:check(axis == rank, "is over axis %d, and rnnc has it over the last one", axis - 1)
        features.read(node, signal, axis)
        return activate(node, name)
    end
end

-- What dense layers give for the same steps, side by side, is that of one layer; other Concats move.
function operators.Concat(node)
    local list = {}
    for i = 1, node.input_count do
        local value = node.values[i]
        if not (value and value.layer and value.layer.form == "dense") then return shapes.Concat(node) end
        list[i] = { name = "input " .. i - 1, layer = value.layer, value = value }
    end
    local first = list[1] and list[1].value
    node:check(first, "has no inputs")
    if #list == 1 then return first end
    local rank = #first.axes
    node:check(node:axis(node:attribute("axis", "i", 1), rank) == rank,
        "puts what dense layers give behind each other along another axis than the last, which rnnc has not")
    for i, head in ipairs(list) do
        features.read(node, head.value, #head.value.axes)
        node:check(#head.value.axes == rank and head.value.what == first.what
            and onnx_heads.reads_same(head.layer, first.layer),
            "puts what dense layers give side by side that read different things, which rnnc has not")
        for k = 1, i - 1 do node:check(list[k].layer ~= head.layer, "takes what one layer gives twice") end
    end
    local joined, why = onnx_heads.together(list)
    node:check(joined, "puts two layers side by side: %s", why)
    local axes = { table.unpack(first.axes) }
    axes[rank] = { { size = joined.outputs, values = true, name = "values" } }
    return signals.with(first, { layer = joined, width = joined.outputs, axes = axes })
end

-- Rows of a matrix by tokens are an embedding; other Gathers move.
function operators.Gather(node)
    local table_value, indices = node.values[1], node.values[2]
    if not (indices and indices.what) then return shapes.Gather(node) end
    local matrix = node:constant(1, "table")
    node:check(node:attribute("axis", "i", 0) == 0 and #matrix.shape == 2 and matrix.data,
        "takes entries by what the network is given, of what is no table of rows")
    local input = indices.input
    node:check(indices.what == "input" and not indices.part and (input.role or "x") == "x",
        "takes rows by what is no input of the graph")
    node:check(table_value, "has no table")
    input.role, input.tokens = "x", true
    local count, width = matrix.shape[1], matrix.shape[2]
    local layer = {
        form = "embedding", label = node.label, source = signals.with(indices, { what = "steps" }), input = count,
        outputs = width, weights = { { name = "weight", tensor = { shape = matrix.shape, data = matrix.data } } },
        fields = { num_embeddings = count, dim = width },
    }
    local axes = { table.unpack(indices.axes) }
    axes[#axes + 1] = { { size = width, values = true, name = "values" } }
    return { what = "steps", layer = layer, width = width, axes = axes }
end

return operators
