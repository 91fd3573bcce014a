-- layers: the layers of a model, each read by its form, and how they follow each other.
local activations = require "tables.activations"
local fields = require "spec.fields"
local forms = require "spec.forms"
local heads = require "spec.heads"

local layers = {}

-- As of the field input_size.
local INPUTS_MAX <const> = 65536

-- The layers' places in the text, if its calls are the layers one by one; otherwise the model's own.
local function places_of(list, calls, place)
    local found = {}
    for _, call in ipairs(calls) do
        if fields.layer[call.form] then found[#found + 1] = call end
    end
    local same = #found == #list
    for i, entry in ipairs(list) do same = same and found[i].form == entry.form end
    local places = {}
    for i in ipairs(list) do places[i] = same and found[i] or { line = place.line, fields = {} } end
    return places
end

-- Does a layer give one value of both halves?
local function merges_halves(layer) return layer.merge ~= nil and layer.merge ~= "concat" end

-- What a layer hands on for a step; nil where that could not be read.
local function outputs_of(layer)
    if layer.layer == "embedding" then return layer.dim end
    if layer.layer == "dense" then return layer.units end
    if layer.layer == "activation" or layer.layer == "scale" then return layer.input_size end
    if layer.layer == "merge" then return layer.units end
    if layer.layer == "flatten" then return layer.steps and layer.input_size and layer.steps * layer.input_size end
    local h = layer.proj_size and layer.proj_size > 0 and layer.proj_size or layer.hidden_size
    return h and h * (layer.bidirectional and not merges_halves(layer) and 2 or 1)
end

layers.outputs_of = outputs_of

-- layers.once(layer) -> the field that makes it run once a sequence, or "flatten"; nil: it runs on every step.
function layers.once(layer)
    return layer.last_step and "last_step" or layer.last_state and "last_state"
        or (layer.layer == "flatten" or layer.steps) and "flatten" or nil
end

-- layers.note(list, i) -> what the user may not expect of a layer, and its field; or nothing.
function layers.note(list, i)
    local before = list[i - 1]
    if list[i].last_step and before and before.direction == "reverse" then
        return "last_step = true reads the last step, of which the layer before, with direction = \"reverse\", has "
            .. "seen nothing else; for its last state, write last_state = true", "last_step"
    elseif list[i].last_step and before and before.bidirectional then
        return "last_step = true reads both directions at the last step, where the reverse one has seen that step "
            .. "only; for the last states of both, which is what a classifier mostly wants, write last_state = true",
            "last_step"
    end
end

-- The width of what a layer reads, from the layer before or from its own field.
local function join(layer, before, line_of, error_at)
    if layer.layer == "embedding" then
        if before then error_at(line_of[""], "an embedding can only be the first layer; it reads tokens") end
    elseif not before then
        if not layer.input_size and layer.layer ~= "flatten" then
            error_at(line_of[""], "input_size is missing: the first layer says how many values x has in a step")
        end
    else
        local width = outputs_of(before)
        if width and layer.input_size and layer.input_size ~= width then
            error_at(line_of.input_size, string.format("input_size = %d: the layer before gives %d values; "
                .. "leave input_size out", layer.input_size, width))
        end
        layer.input_size = width
    end
end

-- What is wrong with a flatten, which stands between a layer of every step and a dense one, or nil. whole: the fields
-- of the model, once: of a layer before it that leaves one step.
local function flatten_error(list, i, sources, whole, once)
    local following, wide = list[i + 1], outputs_of(list[i])
    if sources[i] == 0 then
        return "it would read x, which the program can give as one step of all values; leave it out"
    elseif once then
        return "a layer before it leaves one step already; leave it out"
    elseif math.type(whole.seq_len) ~= "integer" then
        return "it puts all steps of a sequence side by side; give the model as seq_len how many there are"
    elseif whole.lengths then
        return "sequences of other lengths have other steps; leave lengths out"
    elseif not (following and following.layer == "dense" and sources[i + 1] == i) then
        return "a dense { ... } has to follow, which reads all steps"
    elseif wide and wide > INPUTS_MAX then
        return string.format("it gives %d values, and a layer reads at most %d", wide, INPUTS_MAX)
    end
end

-- What may follow what. before: the layer that it reads, by `sources`; nil: it reads x. whole: the model's fields.
local function check_order(list, i, sources, whole, line_of, error_at)
    local layer, before, once, k = list[i], list[sources[i]], nil, sources[i]
    while k > 0 do once, k = once or layers.once(list[k]), sources[k] end
    local own = layers.once(layer)
    if layer.layer == "flatten" then
        local message = flatten_error(list, i, sources, whole, once)
        if message then error_at(line_of[""], "flatten: " .. message) end
    elseif once and own then
        error_at(line_of[own], own .. " = true: a layer before it leaves one step already; leave it out")
    elseif once and layer.layer ~= "dense" and layer.layer ~= "activation" and layer.layer ~= "scale" then
        error_at(line_of[""], string.format(
            "only dense layers, activations and scales can follow %s, which leaves one step",
            once == "flatten" and "a flatten" or "one with " .. once .. " = true"))
    elseif layer.last_step and not before then
        error_at(line_of.last_step, "last_step = true: the first layer reads x; give the call the last step only, "
            .. "seq_len = 1")
    elseif layer.last_step and layer.last_state then
        error_at(line_of.last_state, "last_state = true: last_step is true as well; leave out one of them")
    elseif layer.last_state and not (before and before.layer == "rnn") then
        error_at(line_of.last_state, "last_state = true: the layer before has no state; only right behind an "
            .. "rnn { ... }; last_step = true runs a layer on the last step")
    end
    if layer.layer == "scale" and layer.scale == 1 and layer.shift == 0 then
        error_at(line_of[""], "it does nothing; give scale or shift")
    end
    local both = before and before.layer == "rnn" and before.bidirectional and not merges_halves(before)
    local over, read = activations.is(layer.activation, "of", "row"), false
    for later = i + 1, #list do read = read or sources[later] == i end
    if over and read then
        error_at(line_of.activation, string.format("activation = %q: only in the last layer", layer.activation))
    elseif over and layer.layer == "activation" and both then
        error_at(line_of.activation, string.format("activation = %q: right behind both directions of an rnn; only "
            .. "behind another layer", layer.activation))
    end
end

-- A layer with the embedding's table for a weight: is there one, and of its shape?
local function check_tied(list, i, line_of, error_at)
    local layer, first = list[i], list[1]
    if not layer.tied then return end
    local function tied_error(format, ...) error_at(line_of.tied, "tied = true: " .. string.format(format, ...)) end
    if first.layer ~= "embedding" then
        tied_error "the first layer is no embedding, whose table it could share; leave tied out"
    elseif layer.units and first.num_embeddings and layer.units ~= first.num_embeddings then
        tied_error("the embedding's table has %d rows, one for each token; write units = %d", first.num_embeddings,
            first.num_embeddings)
    elseif layer.input_size and first.dim and layer.input_size ~= first.dim then
        tied_error("the embedding's table has %d columns, and the layer before gives %d values; let it give as many "
            .. "(proj_size can), or leave tied out", first.dim, layer.input_size)
    end
end

-- layers.fold(list, lines) -> the layers of a chain and their lines, where a function behind a dense layer without one
-- is that layer's.
function layers.fold(list, lines)
    local kept, kept_lines = {}, {}
    for i, layer in ipairs(list) do
        local last = kept[#kept]
        if layer.layer == "activation" and last and last.layer == "dense" and last.activation == "none"
            and activations.of(layer.activation).of ~= "unit" then
            last.activation, last.alpha, last.beta = layer.activation, layer.alpha, layer.beta
        else
            kept[#kept + 1], kept_lines[#kept + 1] = layer, lines[i]
        end
    end
    return kept, kept_lines
end

-- layers.tensor(layer) -> the name of its first tensor, without the prefix; nil: it has none.
function layers.tensor(layer)
    if layer.layer == "rnn" then return "weight_ih_l0" end
    if layer.layer == "flatten" then return nil end
    if layer.layer == "scale" then return layer.scale == true and "scale" or layer.shift == true and "shift" or nil end
    if layer.layer == "activation" then
        local vectors = layer.activation and activations.of(layer.activation).vectors
        return vectors and vectors[1]
    end
    return "weight"
end

-- The activations that a scale stands for: numbers as alpha and beta of one, tensors one each.
local function parts_of_scale(layer)
    local parts, scale, shift = {}, layer.scale, layer.shift
    local function add(activation, alpha, beta)
        parts[#parts + 1] = { layer = "activation", activation = activation, alpha = alpha, beta = beta,
                              input_size = layer.input_size, prefix = layer.prefix, number = layer.number }
    end
    if scale == true then add "scale" end
    local factor, added = scale == true and 1 or scale, shift == true and 0 or shift
    if factor ~= 1 or added ~= 0 then add("affine", factor, added) end
    if shift == true then add "shift" end
    return parts
end

local function copy_of(layer)
    local copy = {}
    for name, value in pairs(layer) do copy[name] = value end
    return copy
end

-- A recurrent layer and what makes one of its halves. Where the next layer reads last states it reads them merged.
local function parts_of_merge(layer, following)
    local alone, merge = copy_of(layer), { layer = "merge", merge = layer.merge, bidirectional = true }
    alone.layer, alone.merge, alone.prefix = "rnn", nil, layer.prefix or ""
    merge.units, merge.number = outputs_of(layer), layer.number
    merge.input_size, merge.prefix = 2 * merge.units, ""
    if following and following.last_state then merge.last_state = true end
    return { alone, merge }
end

-- layers.expanded(list, lines) -> the layers of a valid spec, and their lines, without what stands for several.
function layers.expanded(list, lines)
    local result, places = {}, {}
    for i, layer in ipairs(list) do
        local parts = layer.layer == "scale" and parts_of_scale(layer)
            or merges_halves(layer) and parts_of_merge(layer, list[i + 1]) or { layer }
        local before = result[#result]
        if before and before.layer == "merge" and before.last_state then
            parts[1] = copy_of(layer)
            parts[1].last_state = false
        elseif layer.layer == "flatten" then
            parts = {}
        elseif list[i - 1] and list[i - 1].layer == "flatten" then
            parts[1] = copy_of(layer)
            parts[1].steps = list[i - 1].steps
        end
        for _, part in ipairs(parts) do result[#result + 1], places[#places + 1] = part, lines[i] end
    end
    return result, places
end

-- layers.merges(spec): has an rnn without a model a merge, and so two layers?
layers.merges = merges_halves

-- layers.read(whole, calls, place, context, report) -> the layers: { layer = "rnn" | "embedding" | "dense" |
-- "activation" | "scale" | "flatten", number (in the text), their fields, input_size filled in }, the lines of these,
-- and for each the number of the layer that it reads (0: x). `whole` are the fields of the model, its `layers` what
-- readers.layers gave, `calls` what scan found.
function layers.read(whole, calls, place, context, report)
    local list = whole.layers or {}
    local places, result, lines = places_of(list, calls, place), {}, {}
    for i, entry in ipairs(list) do
        local own = { file = context.file, options = {}, label = string.format("layer %d: ", i) }
        result[i], lines[i] = forms.read(fields.layer[entry.form], entry.fields, places[i], own, report)
        result[i].layer, result[i].number = entry.form, i
        if entry.form == "flatten" then result[i].steps = math.tointeger(whole.seq_len) end
    end
    local sources = heads.sources(result, lines, report)
    for i, layer in ipairs(result) do
        local function error_at(line, message) report.error(line, string.format("layer %d: %s", i, message)) end
        join(layer, result[sources[i]], lines[i], error_at)
        check_order(result, i, sources, whole, lines[i], error_at)
        check_tied(result, i, lines[i], error_at)
    end
    return result, lines, sources
end

return layers
