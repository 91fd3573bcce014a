-- arrangements: networks whose arrays have the names and the order of one public program, which says what the file does
-- not: a row each.
--
-- sign    an array that has to be there, a pattern of its name; what it captures is the prefix of all of them
-- with    another array, without the prefix, that tells it from other programs' (nil: the sign does)
-- read    (build, prefix) -> adds the network's layers and tensors
--
-- build.take(name, ...) takes the array of that name, of that shape or, if the file has it as a vector, of as many
-- values; build.count(name) says of how many it is.
local fail = require "base.fail"
local tensors = require "import.tensors"

local FLOAT <const> = 4

-- What rows build with, for the tensors of a file.
local function builder(list, record, path)
    local build, present, used = { layers = {}, tensors = {} }, {}, {}
    for _, tensor in ipairs(list) do present[tensor.name] = tensor end
    local function of(name)
        return present[name] or fail.at(path, string.format("there is no array %s, which stands beside the others of "
            .. "such a network", name))
    end
    function build.has(name) return present[name] ~= nil end
    function build.count(name)
        local count = #of(name).data // FLOAT
        return count > 0 and count or fail.at(path, name .. " has no values")
    end
    function build.take(name, ...)
        used[name] = true
        local tensor = of(name)
        return tensors.reshaped(tensor, ...) or fail.at(path, string.format("%s has %d values, and %s is expected",
            name, #tensor.data // FLOAT, tensors.shape_text { ... }))
    end
    function build.add(tensor, name) build.tensors[#build.tensors + 1] = tensors.named(tensor, name) end
    function build.became(what, is) record.became[#record.became + 1] = { what, is } end
    function build.rest()
        for _, tensor in ipairs(list) do
            if not used[tensor.name] then
                record.unused[#record.unused + 1] = tensor.name .. " " .. tensors.shape_text(tensor.shape)
            end
        end
    end
    return build
end

-- CMSIS-NN's unit tests of arm_lstm_unidirectional: for each gate W (units, inputs), R (units, units) and a bias.
local function cmsis_nn(build, prefix)
    local gates <const> = { "input", "forget", "cell", "output" }
    local units = build.count(prefix .. "input_bias")
    local inputs = build.count(prefix .. "input_input_weights") // units
    for _, kind in ipairs { { "_input_weights", inputs, "weight_ih_l0" }, { "_hidden_weights", units, "weight_hh_l0" },
                            { "_bias", 1, "bias_ih_l0" } } do
        local parts = {}
        for i, gate in ipairs(gates) do parts[i] = build.take(prefix .. gate .. kind[1], units, kind[2]).data end
        local shape = kind[3] == "bias_ih_l0" and { 4 * units } or { 4 * units, kind[2] }
        build.add({ shape = shape, data = table.concat(parts) }, kind[3])
    end
    build.add(tensors.zeros(4 * units), "bias_hh_l0")
    build.layers[1] = { form = "rnn", input = inputs, output = units,
                        fields = { cell = "lstm", input_size = inputs, hidden_size = units } }
    build.became(string.format("arrays of CMSIS-NN, a gate each, of %d -> %d", inputs, units),
        "rnn lstm, gates behind each other, a second bias of 0")
end

-- Opus' mlp_data.c, with the functions of mlp.c: integers of 1/128, matrices (inputs, outputs). A GRU has the reset
-- before the product, gates z r h and one bias; dense layers have tanh, the last one a sigmoid.
local function opus(build, outer)
    local SCALE <const>, ORDER <const> = 128, { 2, 1, 3 }
    local function scaled(tensor) return tensors.mapped(tensor, function(value) return value / SCALE end) end
    local function layer(number)
        local own, prefix = string.format("%slayer%d_", outer, number), string.format("layers.%d.", number)
        local function has(name) return build.has(own .. name) end
        local function array(name, ...) return scaled(build.take(own .. name, ...)) end
        local count = build.count(own .. "bias")
        local inputs = build.count(own .. "weights") // count
        local made
        if has "recur_weights" then
            local units = count // #ORDER
            local rows = #ORDER * units
            local function add(tensor, name) build.add(tensors.gates(tensor, ORDER), prefix .. name) end
            add(tensors.transposed(array("weights", inputs, rows)), "weight_ih_l0")
            add(tensors.transposed(array("recur_weights", units, rows)), "weight_hh_l0")
            add(array("bias", rows), "bias_ih_l0")
            build.add(tensors.zeros(rows), prefix .. "bias_hh_l0")
            made = { form = "rnn", output = units, fields = { cell = "gru", hidden_size = units, reset_after = false } }
            build.became(own .. "*", "rnn gru, transposed, gates z r h as r z n, divided by 128, " .. prefix .. "*")
        else
            build.add(tensors.transposed(array("weights", inputs, count)), prefix .. "weight")
            build.add(array("bias", count), prefix .. "bias")
            local last = not build.has(string.format("%slayer%d_bias", outer, number + 1))
            made = { form = "dense", output = count,
                     fields = { units = count, activation = last and "sigmoid" or "tanh" } }
            build.became(own .. "*", "dense, transposed, divided by 128, with the function of mlp_data.c, " .. prefix
                .. "*")
        end
        made.fields.prefix, made.input = prefix, inputs
        if number == 0 then made.fields.input_size = inputs end
        return made
    end
    while build.has(string.format("%slayer%d_bias", outer, #build.layers)) do
        build.layers[#build.layers + 1] = layer(#build.layers)
    end
end

-- The decoder of Silero VAD (its tiny model's code): sigmoid(conv(relu(LSTMCell(x)))), a convolution over one step.
local function silero(build, prefix)
    local GATES <const> = 4
    local cell, conv = prefix .. "lstm_cell.", prefix .. "final_conv."
    local units = build.count(cell .. "bias_ih") // GATES
    local rows = GATES * units
    local inputs = build.count(cell .. "weight_ih") // build.count(cell .. "bias_ih")
    local outputs = build.count(conv .. "bias")
    for _, of in ipairs { { "weight_ih", inputs }, { "weight_hh", units } } do
        build.add(build.take(cell .. of[1], rows, of[2]), cell .. of[1] .. "_l0")
    end
    for _, name in ipairs { "bias_ih", "bias_hh" } do
        build.add(build.take(cell .. name, rows), cell .. name .. "_l0")
    end
    build.add(build.take(conv .. "weight", outputs, units), conv .. "weight")
    build.add(build.take(conv .. "bias", outputs), conv .. "bias")
    build.layers = {
        { form = "rnn", input = inputs, output = units,
          fields = { cell = "lstm", input_size = inputs, hidden_size = units, prefix = cell } },
        { form = "activation", fields = { activation = "relu" } },
        { form = "dense", input = units, output = outputs,
          fields = { units = outputs, activation = "sigmoid", prefix = conv } },
    }
    build.became(cell .. "* of a cell", "a layer: " .. cell .. "*_l0")
    build.became(conv .. "*", "dense: a convolution over one step")
    build.became("names of Silero VAD's decoder", "its functions: relu between them, sigmoid behind")
end

local rows <const> = {
    { sign = "^(.*)input_input_weights$", read = cmsis_nn },
    { sign = "^(.-)layer%d_recur_weights$", with = "layer0_bias", read = opus },
    { sign = "^(.*)lstm_cell%.weight_ih$", with = "final_conv.weight", read = silero },
}

-- Longer names are nobody's.
local NAME_MAX <const> = 200

-- arrangements.read(list, record, path) -> has the file such an arrangement? Then the record (see readers.lua) has its
-- layers and tensors. list: the file's tensors, { name, shape, data }. Errors: an array that is missing, or too short.
local function read(list, record, path)
    local present = {}
    for _, tensor in ipairs(list) do present[tensor.name] = true end
    for _, row in ipairs(rows) do
        for _, tensor in ipairs(list) do
            local prefix = #tensor.name <= NAME_MAX and tensor.name:match(row.sign)
            if prefix and (not row.with or present[prefix .. row.with]) then
                local build = builder(list, record, path)
                row.read(build, prefix)
                build.rest()
                record.layers, record.tensors = build.layers, build.tensors
                return true
            end
        end
    end
    return false
end

return { read = read }
