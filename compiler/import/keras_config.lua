-- keras_config: what the JSON of a Keras model says: its layers, one after the other.
local fail = require "base.fail"
local json = require "import.json"

local keras_config = {}

-- More layers are no model that is read here.
local LAYERS_MAX <const> = 1000

local function name_of(layer) return json.is_object(layer.config) and layer.config.name or layer.name end

-- Appends the names and output numbers of tensors that a node's arguments name. Keras 2: { name, node, tensor, {} }
-- within lists; Keras 3: keras_history = { name, node, tensor } within objects.
local function append_sources(value, list, depth)
    if type(value) ~= "table" or depth > 12 then return list end
    if json.is_list(value) and type(value[1]) == "string" and math.type(value[2]) == "integer" then
        list[#list + 1] = { name = value[1], tensor = math.tointeger(value[3]) or 0 }
        return list
    end
    if json.is_object(value) then
        if value.keras_history then return append_sources(value.keras_history, list, depth + 1) end
        for _, key in ipairs(value) do append_sources(value[key], list, depth + 1) end
        return list
    end
    for _, entry in ipairs(value) do append_sources(entry, list, depth + 1) end
    return list
end

-- Of further outputs those that come of layers beside the last one, `top`, and read what it reads: heads.
local function heads_of(outputs, by_name, top, used)
    local source, list = append_sources(top.inbound_nodes, {}, 0)[1], {}
    for i = 2, #outputs do
        local layer = by_name[outputs[i].name]
        local own = layer and not used[layer] and append_sources(layer.inbound_nodes, {}, 0) or {}
        if #own == 1 and source and own[1].name == source.name and own[1].tensor == source.tensor
            and outputs[i].tensor == 0 then
            used[layer] = true
            list[#list + 1] = layer
        end
    end
    return list
end

-- The layers that lead from a model's input to its first output, found back to front by what each reads first; and
-- heads, layers beside the last one. A layer's further inputs are initial states, which come from outside; further
-- outputs are states.
local function of_functional(config, path)
    local by_name, ordered, used = {}, {}, {}
    for _, layer in ipairs(config.layers) do by_name[tostring(name_of(layer))] = layer end
    local outputs = append_sources(config.output_layers, {}, 0)
    if not outputs[1] then fail.at(path, "output_layers of the model's config names no layer") end
    local at = outputs[1]
    while true do
        local layer = by_name[at.name]
        if not layer or used[layer] then
            fail.at(path, string.format("the config of the model does not lead from its output %q to an input",
                outputs[1].name))
        end
        if at.tensor ~= 0 then
            fail.at(path, string.format("a layer reads the state of %q; rnnc reads its output", at.name))
        end
        used[layer] = true
        table.insert(ordered, 1, layer)
        if layer.class_name == "InputLayer" then break end
        local sources = append_sources(layer.inbound_nodes, {}, 0)
        for i = 2, #sources do
            local other = by_name[sources[i].name]
            if not other or other.class_name ~= "InputLayer" then
                fail.at(path, string.format("layer %q reads %q and %q; rnnc has layers that follow each other",
                    tostring(name_of(layer)), sources[1].name, sources[i].name))
            end
            used[other] = true
        end
        if not sources[1] then fail.at(path, string.format("layer %q reads nothing", tostring(name_of(layer)))) end
        at = sources[1]
    end
    local heads = heads_of(outputs, by_name, ordered[#ordered], used)
    for _, layer in ipairs(config.layers) do
        if not used[layer] then
            fail.at(path, string.format("layer %q is on another way than that to the first output, %q; rnnc has layers "
                .. "that follow each other", tostring(name_of(layer)), outputs[1].name))
        end
    end
    return ordered, heads
end

-- keras_config.layers(model, path) -> all layers of a model in the order of its config, and those that x goes through,
-- in that order: { class_name, config, ... }, each with a class and a config that are there; and those beside the last
-- one, which give further outputs. Errors: it is no model, or one whose layers do not follow each other.
function keras_config.layers(model, path)
    local class = json.is_object(model) and model.class_name
    local config = class and model.config
    local sequential = class == "Sequential"
    -- Before Keras 2.2.3 the config of a Sequential was the list itself.
    if sequential and json.is_list(config) then config = { layers = config } end
    if not (sequential or class == "Functional" or class == "Model") or type(config) ~= "table" or
        not json.is_list(config.layers) or #config.layers == 0 then
        fail.at(path, string.format("the config is of %s; rnnc reads Sequential and Functional models",
            class and string.format("%q", tostring(class)) or "no model"))
    end
    if #config.layers > LAYERS_MAX then fail.at(path, "the model has more than " .. LAYERS_MAX .. " layers") end
    for i, layer in ipairs(config.layers) do
        if not json.is_object(layer) or type(layer.class_name) ~= "string" or not json.is_object(layer.config) then
            fail.at(path, string.format("config.layers[%d] has no class_name or no config", i - 1))
        end
    end
    if sequential then return config.layers, config.layers, {} end
    return config.layers, of_functional(config, path)
end

return keras_config
