-- nam: .nam files of Neural Amp Modeler, as far as they are LSTMs: { version, architecture = "LSTM", config = {
-- input_size, hidden_size, num_layers }, weights = [...], sample_rate }. The weights are one list: for each layer W
-- (4 H, I + H), whose rows are gates i f g o and whose columns are x, then h; one bias (4 H); the state before the
-- first step, h (H) and c (H), which was trained; then the head, a vector (H) and a bias.
local fail = require "base.fail"
local host = require "host"
local json = require "import.json"
local tensors = require "import.tensors"

local GATES <const>, FLOAT <const>, SIZE_MAX <const> = 4, 4, 65536

-- A whole number of the configuration.
local function size(config, name, path)
    local value = config[name]
    if math.type(value) ~= "integer" or value < 1 or value > SIZE_MAX then
        fail.at(path, string.format("config.%s is no whole number from 1 to %d", name, SIZE_MAX))
    end
    return value
end

-- How many weights a network of these sizes has.
local function count_of(inputs, units, layers)
    local function layer(width) return GATES * units * (width + units + 1) + 2 * units end
    return layer(inputs) + (layers - 1) * layer(units) + units + 1
end

local function read(file)
    local model, path = json.of(file), file.path
    if model.architecture ~= "LSTM" then
        fail.at(path, string.format("architecture is %q; of .nam files rnnc reads LSTM, for the others have no "
            .. "recurrent layer", tostring(model.architecture)))
    end
    local config = json.is_object(model.config) and model.config or fail.at(path, "has no config")
    local inputs, units = size(config, "input_size", path), size(config, "hidden_size", path)
    local layers = size(config, "num_layers", path)
    local list = json.tensor(model.weights)
    if not list or #list.shape ~= 1 then fail.at(path, "weights is no list of numbers") end
    local wanted = count_of(inputs, units, layers)
    if list.shape[1] ~= wanted then
        fail.at(path, string.format("weights has %d numbers; an LSTM of %d -> %d in %d layers, with first states and a "
            .. "head of one output, has %d", list.shape[1], inputs, units, layers, wanted))
    end
    local record = { fields = {}, tensors = {}, became = {}, unused = {}, doubts = {}, open = {} }
    local at, first = 0, { h0 = {}, c0 = {} }
    local function add(name, shape, data) table.insert(record.tensors, { name = name, shape = shape, data = data }) end
    local function take(count)
        at = at + count
        return list.data:sub((at - count) * FLOAT + 1, at * FLOAT)
    end
    for layer = 0, layers - 1 do
        local width, rows = layer == 0 and inputs or units, GATES * units
        local matrix, suffix = take(rows * (width + units)), "_l" .. layer
        local function columns(from, count)
            return host.strided(matrix, "F32", from, { rows, count }, { width + units, 1 })
        end
        add("rec.weight_ih" .. suffix, { rows, width }, columns(0, width))
        add("rec.weight_hh" .. suffix, { rows, units }, columns(width, units))
        add("rec.bias_ih" .. suffix, { rows }, take(rows))
        add("rec.bias_hh" .. suffix, { rows }, tensors.zeros(rows).data)
        first.h0[layer + 1], first.c0[layer + 1] = take(units), take(units)
    end
    for _, name in ipairs { "h0", "c0" } do add("rec." .. name, { layers, units }, table.concat(first[name])) end
    add("head.weight", { 1, units }, take(units))
    add("head.bias", { 1 }, take(1))
    record.layers = {
        { form = "rnn", fields = { cell = "lstm", input_size = inputs, hidden_size = units, num_layers = layers,
                                   initial_state = true, prefix = "rec." } },
        { form = "dense", fields = { units = 1, prefix = "head." } },
    }
    record.became = {
        { string.format("%d layers of %d -> %d", layers, inputs, units), "rnn, a second bias of 0, rec.*" },
        { "first states", "initial_state = true, rec.h0 and rec.c0" },
        { "head", "dense, head.*" },
    }
    local rate = model.sample_rate
    record.open[1] = type(rate) == "number" and string.format("the network is for %g samples a second", rate)
        or "the sample rate, which has to be that of the training"
    return record
end

return {
    format = "a .nam file of Neural Amp Modeler",
    can_read = function(file)
        local model = json.of(file)
        return model ~= nil and type(model.architecture) == "string" and model.weights ~= nil
    end,
    read = read,
}
