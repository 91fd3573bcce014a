-- keras: models that Keras saved: a .keras archive, which has config.json and model.weights.h5, or one HDF5 file.
local fail = require "base.fail"
local heads = require "import.heads"
local hdf5 = require "import.hdf5"
local host = require "host"
local json = require "import.json"
local keras_config = require "import.keras_config"
local keras_layers = require "import.keras_layers"
local keras_weights = require "import.keras_weights"
local merges = require "tables.merges"

local CONFIG <const>, WEIGHTS <const> = "config.json", "model.weights.h5"

-- A config is a text of some kilobytes.
local CONFIG_MAX <const> = 4 << 20

-- The archive of a file that begins as a zip does and has a config and weights; nil: it is none.
local function archive_of(file)
    if file.keras == nil then
        file.keras = false
        local archive = file.bytes:sub(1, 4) == "PK\3\4" and host.zip(file.bytes)
        local names = {}
        for _, member in ipairs(archive and archive:list() or {}) do names[member.name] = member.size end
        if names[CONFIG] and names[WEIGHTS] then
            if names[CONFIG] > CONFIG_MAX then
                fail.at(file.path, CONFIG .. " has more than " .. (CONFIG_MAX >> 20) .. " MB; is it a network?")
            end
            file.keras = archive
        end
    end
    return file.keras or nil
end

local function decode(text, name, path)
    local value, message = host.json_read(text)
    if value == nil then fail.at(path, name .. " is no JSON that can be read, " .. message) end
    return value
end

local function member(archive, name, path)
    local bytes, message = archive:read(name)
    return bytes or fail.at(path, message)
end

local function read_hdf5(bytes, path)
    local file, message = hdf5.read(bytes)
    return file or fail.at(path, message)
end

-- The major version of Keras in a text such as "2.15.0"; without one it is the second.
local function major(text) return tonumber(tostring(text or ""):match("^%d+")) or 2 end

-- The model's config, its weights, the version of Keras, and whether groups of layers have the names of classes.
local function open(file)
    local path, archive = file.path, archive_of(file)
    if archive then
        local config = decode(member(archive, CONFIG, path), CONFIG, path)
        local about = archive:read("metadata.json")
        about = about and decode(about, "metadata.json", path)
        local version = major(json.is_object(about) and about.keras_version)
        return config, read_hdf5(member(archive, WEIGHTS, path), path), version, true
    end
    local weights = read_hdf5(file.bytes, path)
    local root = weights.attributes[""] or {}
    if not root.model_config then
        fail.at(path, "is an HDF5 file without the attribute model_config: weights alone do not tell what a network of "
            .. "Keras computes; save the whole model, model.save(\"model.keras\")")
    end
    return decode(root.model_config, "the attribute model_config", path), weights, major(root.keras_version), false
end

-- Values in a step of what the first layer reads, by the shape of the model's input; nil: it does not tell.
local function input_of(config, state)
    local shape = config.batch_shape or config.batch_input_shape
    if not json.is_list(shape) then return end
    local last = shape[#shape]
    if math.type(last) == "integer" and #shape == 3 then state.width = last end
    -- One step in a call: what gives the last step gives each.
    if #shape == 3 and shape[2] == 1 then state.single = true end
    if math.type(shape[2]) == "integer" then state.steps = shape[2] end
end

local function notes(state, record)
    local open_list = record.open
    record.fields.seq_len = state.flat
    if state.steps and not state.flat then
        open_list[#open_list + 1] = string.format("seq_len: the model is for %d step%s in a call", state.steps,
            state.steps == 1 and "" or "s")
    end
    if state.masked then
        open_list[#open_list + 1] = "steps that Keras masks: rnnc has lengths = true for sequences of different lengths"
    end
    if state.stateful or state.single then
        open_list[#open_list + 1] = "the state: give hn and cn to the next call as h0 and c0, as stateful = True does"
    end
    if state.ended then
        open_list[#open_list + 1] = "which step: the model gives the last state alone (return_sequences = False), "
            .. (state.merged and "which is the " .. merges.of(state.merged).text .. " of hn; y has all steps"
                or "which is hn; y has all steps")
    elseif state.reversed then
        open_list[#open_list + 1] = "the order of y: the model gives the last step first (go_backwards = True), rnnc "
            .. "has y in the order of x"
    end
end

-- What a layer of the model becomes: the layer of the spec (nil: none), its tensors and a pair for the report.
local function layer_of(layer, group, first, state, path)
    local config, class = layer.config, layer.class_name
    local name = type(config.name) == "string" and config.name or class
    local function check(condition, format, ...)
        if not condition then
            fail.at(path, string.format("layer %q (%s): ", name, class) .. string.format(format, ...))
        end
    end
    state.prefix, state.group = name .. ".", group or "model_weights/" .. name
    check(state.width or class == "Embedding" or not first, "the model does not tell how many values are in a step")
    local width = state.width
    local made, list, became = keras_layers(class, config, state, check)
    if made and first and made.form ~= "embedding" then made.fields.input_size = width end
    if made and made.form ~= "flatten" then became = became .. ", " .. state.prefix .. "*" end
    return made, list, { string.format("%s %s", class, name), became }
end

-- The last layer and those beside it, which are outputs. before: the state of the model in front of them.
local function add_heads(layers, before, group_of, first, record, path)
    local list, state = {}, nil
    for i, layer in ipairs(layers) do
        state = {}
        for key, value in pairs(before) do state[key] = value end
        local made, own, became = layer_of(layer, group_of[layer], first, state, path)
        if not made or made.form ~= "dense" then
            fail.at(path, became[1] .. ": is one of several outputs; rnnc reads dense layers side by side, which read "
                .. "the same")
        end
        list[i] = { name = became[1], text = tostring(layer.config.name), fields = made.fields, tensors = own,
                    became = became[2] }
    end
    local fine, why = heads.beside(list)
    if not fine then fail.at(path, why) end
    heads.name(list, record)
    for _, head in ipairs(list) do
        record.became[#record.became + 1] = { head.name, heads.text(head) .. ": " .. head.became }
        record.layers[#record.layers + 1] = { form = "dense", fields = head.fields }
        table.move(head.tensors, 1, #head.tensors, #record.tensors + 1, record.tensors)
    end
    return state
end

local function read(file)
    local path = file.path
    local model, weights, version, by_class = open(file)
    local record = { layers = {}, fields = {}, tensors = {}, became = {}, unused = {}, doubts = {}, open = {} }
    local all, layers, beside = keras_config.layers(model, path)
    local groups = by_class and keras_weights.groups(weights, all)
    local group_of = {}
    for i, layer in ipairs(all) do group_of[layer] = groups and groups[i] end
    local state = { file = weights, version = version, reversed = false, ended = false }
    for i, layer in ipairs(layers) do
        local first = not record.layers[1]
        if first then input_of(layer.config, state) end
        if #beside > 0 and i == #layers and layer.class_name ~= "InputLayer" then
            state = add_heads({ layer, table.unpack(beside) }, state, group_of, first, record, path)
        elseif layer.class_name ~= "InputLayer" then
            local made, list, became = layer_of(layer, group_of[layer], first, state, path)
            record.layers[#record.layers + 1] = made
            state.last = made or state.last
            if state.single then state.ended = false end
            table.move(list, 1, #list, #record.tensors + 1, record.tensors)
            record.became[#record.became + 1] = became
        end
    end
    if not record.layers[1] then fail.at(path, "the model has no layers") end
    notes(state, record)
    return record
end

return {
    format = "a Keras model",
    can_read = function(file) return hdf5.looks_so(file.bytes) or archive_of(file) ~= nil end,
    read = read,
}
