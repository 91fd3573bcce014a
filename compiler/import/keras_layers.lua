-- keras_layers: what becomes of each layer of a Keras model, a row a class.
local activations = require "tables.activations"
local json = require "import.json"
local keras_scales = require "import.keras_scales"
local keras_weights = require "import.keras_weights"
local roles = require "tables.roles"

-- Keras' names of functions, where rnnc's is another.
local functions <const> = {
    linear = "none", swish = "silu", leakyrelu = "leaky_relu", logsoftmax = "log_softmax", hard_silu = "hard_swish",
}

local cells <const> = {
    SimpleRNN = { "rnn" }, LSTM = { "lstm" }, GRU = { "gru" },
    CuDNNLSTM = { "lstm", cudnn = true }, CuDNNGRU = { "gru", cudnn = true },
}

-- Classes that do nothing once a network is trained.
local idle <const> = {}
for name in ("Dropout SpatialDropout1D GaussianDropout GaussianNoise AlphaDropout ActivityRegularization")
    :gmatch("%S+") do
    idle[name] = true
end

-- The name of a function in a config, which is a text or { class_name, config }, what else it says, and the name as
-- it stands there, in small letters; null: linear.
local function function_of(value)
    local config = {}
    if json.is_object(value) then
        config = json.is_object(value.config) and value.config or {}
        value = value.class_name == "function" and value.config or value.class_name
    end
    if not value then return "linear", config, "linear" end
    local name = type(value) == "string" and value:lower() or "?"
    return functions[name] or name, config, name
end

local function known(name)
    for _, row in ipairs(activations) do
        if row.name == name then return row.of ~= "unit" end
    end
    return false
end

-- A relu with an upper bound.
local function bounded(most, check)
    check(most > 0 and most <= 1000, "max_value = %g; rnnc has more than 0, and at most 1000", most)
    if most == 6 then return "relu6" end
    return "hard_tanh", 0.0, most
end

-- rnnc's name, alpha and beta, of those that it has, of a function: a value of a config, or its name with a layer's own
-- config. state: of the model, see below.
local function named(value, state, check, own)
    local name, config, given = function_of(value)
    config = own or config
    if name == "linear" then name = "none" end
    local alpha = config.negative_slope or config.alpha
    if name == "relu" and alpha and alpha ~= 0 then name = "leaky_relu" end
    check(known(name), "rnnc has no function %q", name)
    if name == "hard_sigmoid" and state.version < 3 then alpha = 0.2 end
    if own and name == "relu" and type(own.max_value) == "number" then return bounded(own.max_value, check) end
    -- The layer LeakyReLU has another slope than the function leaky_relu, in all versions.
    if name == "leaky_relu" and not alpha then alpha = (own or given == "leakyrelu") and 0.3 or 0.2 end
    return name, activations.number(name, "alpha") and type(alpha) == "number" and alpha or nil
end

-- Sets the function of a dense layer.
local function activate(made, value, state, check, own)
    local name, alpha, beta = named(value, state, check, own)
    made.activation, made.alpha, made.beta = name ~= "none" and name or nil, alpha, beta
end

local function whole(config, name, check)
    local value = config[name]
    check(math.type(value) == "integer" and value > 0, "%s is no number above 0", name)
    return value
end

-- The field of a config that names the function of a role; null there is a linear one.
local function own_function(config, field, default)
    if config[field] == nil then return default end
    return config[field]
end

-- Sets the functions of a cell that are not PyTorch's: `activation` is that of candidates and of an lstm's cell state,
-- `recurrent_activation` that of gates.
local function put_functions(made, config, cell, state, check)
    local function put(role, value, default)
        local name, alpha = named(value, state, check)
        check(activations.of(name).of ~= "row", "%s of a whole row as the function of a cell", name)
        if name ~= default then made[role], made[roles[role].alpha] = name, alpha end
    end
    local own = own_function(config, "activation", "tanh")
    if cell == "rnn" then return put("nonlinearity", own, "tanh") end
    put("gate_activation", own_function(config, "recurrent_activation", "sigmoid"), "sigmoid")
    put("candidate_activation", own, "tanh")
    if cell == "lstm" then put("output_activation", own, "tanh") end
end

-- A cell of the config, in one direction or two; halves: { name of the half in the file, suffix in PyTorch }, ...
local function recurrent(class, config, halves, state, check)
    local cell = cells[class]
    local layer = {
        cell = cell[1], cudnn = cell.cudnn, input = state.width, units = whole(config, "units", check),
        use_bias = cell.cudnn or config.use_bias ~= false,
        -- Of a CuDNN layer it is always so; what does not say is older than the choice.
        reset_after = cell.cudnn or config.reset_after == true,
    }
    check(not config.time_major, "time_major = True; rnnc reads what has the batch first, or last")
    local made = { cell = layer.cell, hidden_size = layer.units, bias = layer.use_bias, prefix = state.prefix }
    put_functions(made, config, layer.cell, state, check)
    if layer.cell == "gru" and not layer.reset_after then made.reset_after = false end
    if (config.go_backwards == true) ~= state.reversed then made.direction = "reverse" end
    local list = {}
    for _, half in ipairs(halves) do
        local found, others = keras_weights.of(state.file, state.group, "recurrent", half[1])
        check(#others == 0, "there are two arrays where one is expected: %s", others[1] or "")
        table.move(keras_weights.recurrent(found, layer, state.prefix, half[2], check), 1, layer.use_bias and 4 or 2,
            #list + 1, list)
    end
    state.reversed = state.reversed ~= (config.go_backwards == true)
    state.width, state.from_start = layer.units, made.direction == "reverse"
    if not config.return_sequences then state.ended = true end
    if config.stateful then state.stateful = true end
    return { form = "rnn", fields = made }, list, layer.cell == "gru" and "rnn, transposed, gates z r h as r z n"
        or layer.cudnn and "rnn, CuDNN's layout taken apart" or "rnn, transposed"
end

-- Classes that are asked for and not there, and why.
local missing <const> = {
    MDN = "dense layers side by side (means, deviations, logits), of which elu(x) + 1 of the deviations is no function "
        .. "of rnnc; build the model with three Dense outputs, and add the 1 in the program",
    Lambda = "code of Python, which is not run",
    RNN = "cells by themselves; build the model of LSTM, GRU or SimpleRNN",
    RepeatVector = "the last state as each step of a second network; rnnc has layers that follow each other",
    Sequential = "a model within a model; build one of the layers of both",
    Functional = "a model within a model; build one of the layers of both",
}

local types = {}

for class in pairs(cells) do
    types[class] = function(config, state, check)
        return recurrent(class, config, { { nil, "" } }, state, check)
    end
end

function types.Bidirectional(config, state, check)
    local inner, back = config.layer, config.backward_layer
    check(json.is_object(inner) and cells[inner.class_name] and json.is_object(inner.config),
        "rnnc reads Bidirectional around LSTM, GRU and SimpleRNN")
    check(not state.reversed and not inner.config.go_backwards, "Bidirectional of a sequence that is reversed")
    for _, name in ipairs { "units", "use_bias", "reset_after", "return_sequences" } do
        check(not json.is_object(back) or json.is_object(back.config) and back.config[name] == inner.config[name],
            "its two directions differ in %s", name)
    end
    local layer, list, became = recurrent(inner.class_name, inner.config,
        { { "forward", "" }, { "backward", "_reverse" } }, state, check)
    layer.fields.bidirectional = true
    local merge = config.merge_mode
    if merge == "concat" or merge == nil then
        state.width = 2 * state.width
    else
        check(merge == "sum" or merge == "mul" or merge == "ave", "merge_mode = %q; rnnc has concat, sum, mul and ave",
            tostring(merge))
        layer.fields.merge, state.merged = merge, merge
    end
    state.from_start = true
    return layer, list, became
end

function types.Dense(config, state, check)
    local units, use_bias = whole(config, "units", check), config.use_bias ~= false
    local found, others = keras_weights.of(state.file, state.group, "dense")
    check(#others == 0, "there are two arrays where one is expected: %s", others[1] or "")
    local made = { units = units, bias = use_bias, prefix = state.prefix }
    activate(made, config.activation, state, check)
    local list = keras_weights.dense(found, state.width, units, use_bias, state.prefix, check)
    if state.ended then
        made[state.from_start and "last_state" or "last_step"] = true
        state.ended, state.reversed = false, false
    end
    state.width = units
    return { form = "dense", fields = made }, list, "dense, transposed"
end

function types.TimeDistributed(config, state, check)
    local inner = config.layer
    check(json.is_object(inner) and inner.class_name == "Dense" and json.is_object(inner.config),
        "rnnc reads TimeDistributed around Dense")
    check(not state.ended, "it stands behind a layer that gives the last step only")
    return types.Dense(inner.config, state, check)
end

function types.Embedding(config, state, check)
    local count, dim = whole(config, "input_dim", check), whole(config, "output_dim", check)
    local found = keras_weights.of(state.file, state.group, "embedding")
    check(found.embeddings, "there are no embeddings of it in the file%s", found.missing)
    check(#found.embeddings.shape == 2 and found.embeddings.shape[1] == count and found.embeddings.shape[2] == dim,
        "its embeddings are of another shape than (%d, %d)", count, dim)
    state.width, state.masked = dim, config.mask_zero == true
    return { form = "embedding", fields = { num_embeddings = count, dim = dim, prefix = state.prefix } },
        { { name = state.prefix .. "weight", shape = found.embeddings.shape, data = found.embeddings.data } },
        "embedding"
end

-- A function by itself goes into the dense layer before it, if that has none.
local function fold(value, state, check, config)
    local before, made = state.last, {}
    check(before, "is of x itself, which rnnc has not; the program can apply it")
    if before.form == "dense" and not before.fields.activation then
        activate(before.fields, value, state, check, config)
        return nil, {}, "of the layer before"
    end
    check(not state.ended, "is of a last step alone, which rnnc has behind dense layers only")
    activate(made, value, state, check, config)
    if not made.activation then return nil, {}, "left out: it does nothing" end
    return { form = "activation", fields = made }, {}, "activation"
end

function types.Activation(config, state, check) return fold(config.activation, state, check) end

-- Of a last step it is the same, behind a dense layer's last_step; not of last states, which only their layer has.
for class, row in pairs(keras_scales) do
    types[class] = function(config, state, check)
        check(not (state.ended and state.from_start),
            "is of last states alone, which rnnc has behind dense layers only")
        local kind = type(row.kind) == "function" and row.kind(config) or row.kind
        return row.read(keras_weights.of(state.file, state.group, kind), config, state, check)
    end
end

for class, name in pairs { ReLU = "relu", Softmax = "softmax", ELU = "elu", LeakyReLU = "leaky_relu" } do
    types[class] = function(config, state, check)
        local slope = config.negative_slope or 0
        check(class ~= "ReLU" or not (config.threshold and config.threshold ~= 0 or config.max_value and slope ~= 0),
            "a ReLU with a threshold, or with max_value and a slope, which rnnc has not")
        return fold(name, state, check, config)
    end
end

-- All steps side by side, the first one first; nothing where one step is left.
function types.Flatten(config, state, check)
    check(config.data_format ~= "channels_first",
        "data_format = \"channels_first\", which puts steps in another order; rnnc has channels_last")
    if state.ended or state.flat then return nil, {}, "left out: one step is flat" end
    check(state.last,
        "is of x itself, which the program can give as one step of all values; build the model without")
    check(state.steps, "the model does not tell how many steps it has; give its input a fixed number of them")
    check(not state.reversed, "is of steps in reverse order (go_backwards = True), which rnnc has not")
    state.flat, state.width = state.steps, state.steps * state.width
    return { form = "flatten", fields = {} }, {}, "flatten"
end

-- The same by its shape.
function types.Reshape(config, state, check)
    local shape = config.target_shape
    local width = not state.ended and not state.flat and state.steps and state.width and state.steps * state.width
        or state.width
    check(json.is_list(shape) and #shape == 1 and (shape[1] == -1 or shape[1] == width),
        "rnnc reads one to a row of all steps, as Flatten makes")
    return types.Flatten({}, state, check)
end

-- What may stand behind a Flatten.
local of_rows <const> = { Dense = true, Flatten = true, Reshape = true }

-- keras_layers(class, config, state, check) -> the layer { form, fields }, its tensors and what became of it; no layer
-- where it goes into the one before, or does nothing. state: { file (hdf5.lua), group (of the layer in it), prefix,
-- width (values in a step of its input), last (the layer before), version (of Keras), ended (the one before gives its
-- last step only), reversed (steps come in the other order), from_start (a last state is that of the first step), steps
-- (in a call; nil: any), flat (so many of them became one row) }, which it brings up to date.
return function(class, config, state, check)
    if idle[class] then return nil, {}, "left out: once trained it does nothing" end
    if class == "Masking" then
        state.masked = true
        return nil, {}, "left out: see below"
    end
    check(not (state.last and state.last.form == "flatten") or of_rows[class],
        "stands right behind a Flatten; rnnc has a Dense there")
    check(types[class], "rnnc has no such layer%s", missing[class] and ": " .. missing[class] or "")
    return types[class](config, state, check)
end
