-- state_dict_json: a PyTorch state_dict as JSON, nested lists under the tensors' names. Alone (RTNeural's torch
-- helpers), or as { model_data, state_dict } by CoreAudioML, which Proteus and NeuralPi read: model_data then tells
-- what the network is: y = lin(rec(x)) + x[:, :skip].
local fail = require "base.fail"
local json = require "import.json"
local state_dict = require "import.state_dict"

-- The object with the tensors, or nil.
local function tensors_in(model)
    if json.is_object(model.state_dict) then return model.state_dict end
    for _, name in ipairs(model) do
        if name:find("weight_ih_l0$") or name:find("weight_ih$") then return model end
    end
    return nil
end

-- The number under a name of model_data; nil: it is not there.
local function whole(model_data, name, path)
    local value = model_data[name]
    if value == nil or value == false then return nil end
    if math.type(value) ~= "integer" or value < 0 then
        fail.at(path, "model_data." .. name .. " is no whole number")
    end
    return value
end

-- What model_data says of the network that the tensors make.
local function apply(model_data, record, path)
    if model_data.model ~= nil and model_data.model ~= "SimpleRNN" then
        fail.at(path, string.format("model_data.model is %q; rnnc reads SimpleRNN", tostring(model_data.model)))
    end
    local first, last = record.layers[1], record.layers[#record.layers]
    local cell = tostring(model_data.unit_type or first.fields.cell or "rnn"):lower()
    if #record.layers ~= 2 or first.form ~= "rnn" or last.form ~= "dense" or cell ~= (first.fields.cell or "rnn") then
        fail.at(path, string.format("model_data tells of a recurrent layer %q and a linear one, and the tensors are of "
            .. "another network", cell))
    end
    for _, size in ipairs {
        { "input_size", first.input }, { "hidden_size", first.fields.hidden_size }, { "output_size", last.output },
        { "num_layers", first.fields.num_layers or 1 },
    } do
        local value = whole(model_data, size[1], path)
        if value and value ~= size[2] then
            fail.at(path, string.format("model_data.%s is %d, and the tensors say %d", size[1], value, size[2]))
        end
    end
    record.doubts = {}
    local skip = whole(model_data, "skip", path) or 0
    if skip > 0 and skip ~= last.output then
        fail.at(path, string.format("model_data.skip is %d, and y has %d values; they have to be as many", skip,
            last.output))
    elseif skip > 0 then
        record.fields.residual = skip == first.input and true or skip
        record.became[#record.became + 1] = {
            "skip = " .. skip, "residual: the first " .. skip .. " of x added to y",
        }
    end
end

local function read(file)
    local model, path, list = json.of(file), file.path, {}
    local named = tensors_in(model)
    local other = {}
    for _, name in ipairs(named) do
        local tensor = json.tensor(named[name])
        if tensor then
            tensor.name = name
            list[#list + 1] = tensor
        elseif json.is_list(named[name]) then
            fail.at(path, name .. " is no array of numbers in rows of one length")
        else
            other[#other + 1] = name
        end
    end
    local record = state_dict.record(list, path, true)
    if json.is_object(model.model_data) then apply(model.model_data, record, path) end
    for _, name in ipairs(other) do record.unused[#record.unused + 1] = name .. ", which is no array" end
    local rate = model.samplerate or model.sample_rate
    record.open[#record.open + 1] = rate and string.format("the network is for %s samples a second", tostring(rate))
        or "the sample rate, which has to be that of the training"
    return record
end

return {
    format = "a state_dict in JSON",
    can_read = function(file)
        local model = json.of(file)
        return model ~= nil and tensors_in(model) ~= nil
    end,
    read = read,
}
