-- rtneural: the JSON of RTNeural (model_utils.py), and of AIDA-X (.aidax), which adds a few fields.
--
-- { in_shape: [.., inputs], layers: [{ type, activation, shape: [.., outputs], weights: [...] }] } has Keras' arrays:
-- kernels are (inputs, outputs); an LSTM has gates i f c o and one bias, a GRU z r h and the two biases of
-- reset_after = True or the one of reset_after = False.
local activations = require "tables.activations"
local fail = require "base.fail"
local json = require "import.json"
local tensors = require "import.tensors"

-- Where PyTorch's gates stand among Keras': i f g o among i f c o, r z n among z r h.
local orders <const> = { lstm = { 1, 2, 3, 4 }, gru = { 2, 1, 3 } }

-- What a layer asks of its place: an error if one of its arrays is not what it has to be.
local function checker(path, number, kind)
    return function(condition, message)
        if not condition then
            fail.at(path, string.format("layers[%d] (%s): %s", number - 1, kind, message))
        end
    end
end

-- The arrays of a layer as tensors.
local function arrays_of(layer, check)
    check(json.is_list(layer.weights), "has no weights")
    local list = {}
    for i, value in ipairs(layer.weights) do
        list[i] = json.tensor(value)
        check(list[i], string.format("weights[%d] is no array of numbers", i - 1))
    end
    return list
end

-- The function that follows a layer, as rnnc calls it.
local function function_of(layer, check)
    local name = layer.activation
    if not name or name == "" or name == "linear" then return "none" end
    local known = false
    for _, other in ipairs(activations.names("none", "value", "row")) do known = known or other == name end
    check(known, string.format("rnnc has no function %q", tostring(name)))
    return name
end

local function expect_shape(check, tensor, what, ...)
    check(tensors.is(tensor, ...), string.format("%s is %s, and %s is expected", what,
        tensor and tensors.shape_text(tensor.shape) or "missing", tensors.shape_text { ... }))
end

local function dense(layer, inputs, prefix, check)
    local arrays = arrays_of(layer, check)
    local kernel, bias = arrays[1], arrays[2]
    check(kernel and #kernel.shape == 2 and #arrays <= 2, "needs weights [kernel, bias]")
    local units = kernel.shape[2]
    expect_shape(check, kernel, "its kernel", inputs, units)
    local list = { tensors.named(tensors.transposed(kernel), prefix .. "weight") }
    if bias then
        expect_shape(check, bias, "its bias", units)
        list[2] = tensors.named(bias, prefix .. "bias")
    end
    local name = function_of(layer, check)
    return { form = "dense", outputs = units,
             fields = { units = units, activation = name ~= "none" and name or nil, bias = #list == 2,
                        prefix = prefix },
             became = "dense, transposed" }, list
end

local function recurrent(layer, inputs, prefix, check)
    local cell, arrays = layer.type, arrays_of(layer, check)
    local kernel, own, bias = arrays[1], arrays[2], arrays[3]
    check(kernel and own and bias and #arrays == 3 and #own.shape == 2,
        "needs weights [kernel, recurrent kernel, bias]")
    check(not layer.activation or layer.activation == "" or layer.activation == "tanh",
        string.format("rnnc's %s has tanh where this has %q", cell, tostring(layer.activation)))
    local units, order = own.shape[1], orders[cell]
    local rows = #order * units
    expect_shape(check, kernel, "its kernel", inputs, rows)
    expect_shape(check, own, "its recurrent kernel", units, rows)
    local both
    local reset_before = cell == "gru" and #bias.shape == 1
    if cell == "gru" and not reset_before then
        expect_shape(check, bias, "its bias", 2, rows)
        both = { tensors.slice(bias, 1, 1, true), tensors.slice(bias, 2, 1, true) }
    else
        expect_shape(check, bias, "its bias", rows)
        both = { bias, tensors.zeros(rows) }
    end
    local list = { tensors.transposed(kernel), tensors.transposed(own), both[1], both[2] }
    for i, name in ipairs { "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0" } do
        list[i] = tensors.named(tensors.gates(list[i], order), prefix .. name)
    end
    local fields = { cell = cell, hidden_size = units, prefix = prefix }
    if reset_before then fields.reset_after = false end
    return { form = "rnn", outputs = units, fields = fields,
             became = "rnn, transposed" .. (cell == "gru" and ", gates z r h as r z n" or "")
                 .. (#bias.shape == 1 and ", a second bias of 0" or "")
                 .. (reset_before and ", reset_after = false" or "") },
        list
end

-- A row per type of layer that rnnc has.
local types = { dense = dense, ["time-distributed-dense"] = dense, lstm = recurrent, gru = recurrent }

-- A layer `activation` goes into the dense layer before it, if that has no function, or is one by itself. Returns what
-- became of it.
local function add_function(layer, list, check)
    local name, before = function_of(layer, check), list[#list]
    check(before, "is of x itself, which rnnc has not; the program can apply it")
    if name == "none" then return "nothing" end
    if before.form == "dense" and not before.fields.activation then
        before.fields.activation = name
        return "of the layer before"
    end
    list[#list + 1] = { form = "activation", fields = { activation = name } }
    return "activation"
end

-- AIDA-X: what a host does around the network.
local function surroundings(model, record)
    if model.in_skip == 1 or model.in_skip == true then
        record.fields.residual = true
        record.became[#record.became + 1] = { "in_skip = 1", "residual = true: x is added to y" }
    end
    for _, gain in ipairs { { "in_gain", "x before" }, { "out_gain", "y behind" } } do
        local decibels = model[gain[1]]
        if type(decibels) == "number" and decibels ~= 0 then
            record.open[#record.open + 1] = string.format("%s = %g: the program amplifies %s the network by %g dB",
                gain[1], decibels, gain[2], decibels)
        end
    end
    local rate = model.samplerate or json.is_object(model.metadata) and model.metadata.samplerate
    record.open[#record.open + 1] = rate and string.format("the network is for %s samples a second", tostring(rate))
        or "the sample rate, which has to be that of the training"
end

-- The last of in_shape: values in a step.
local function inputs_of(model, path)
    local shape = model.in_shape
    local inputs = json.is_list(shape) and shape[#shape]
    if math.type(inputs) ~= "integer" or inputs < 1 then
        fail.at(path, "in_shape does not end in the number of inputs")
    end
    return inputs
end

local function read(file)
    local model, path = json.of(file), file.path
    local record = { layers = {}, fields = {}, tensors = {}, became = {}, unused = {}, doubts = {}, open = {} }
    local width = inputs_of(model, path)
    for number, layer in ipairs(model.layers) do
        if not json.is_object(layer) or type(layer.type) ~= "string" then
            fail.at(path, string.format("layers[%d] has no type", number - 1))
        end
        local check = checker(path, number, layer.type)
        local last = record.layers[#record.layers]
        local what = string.format("%s of %d", layer.type, width)
        if layer.type == "activation" then
            record.became[#record.became + 1] = {
                "activation " .. tostring(layer.activation), add_function(layer, record.layers, check),
            }
        else
            check(types[layer.type], "rnnc has no such layer")
            local prefix = string.format("layers.%d.", number - 1)
            local made, list = types[layer.type](layer, width, prefix, check)
            if not last then made.fields.input_size = width end
            record.layers[#record.layers + 1] = made
            table.move(list, 1, #list, #record.tensors + 1, record.tensors)
            width = made.outputs
            record.became[#record.became + 1] = { what .. " -> " .. width, made.became .. ", " .. prefix .. "*" }
        end
    end
    surroundings(model, record)
    return record
end

return {
    format = "RTNeural's JSON",
    can_read = function(file)
        local model = json.of(file)
        return model ~= nil and json.is_list(model.layers) and model.in_shape ~= nil
    end,
    read = read,
}
