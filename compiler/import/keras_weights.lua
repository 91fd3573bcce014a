-- keras_weights: the weights of a layer of Keras, found in its HDF5 file and put into PyTorch's order.
local tensors = require "import.tensors"

local keras_weights = {}

-- In which order PyTorch has the gates that Keras keeps as i f c o and z r h.
local orders <const> = { rnn = { 1 }, lstm = { 1, 2, 3, 4 }, gru = { 2, 1, 3 } }

-- What the variables of a layer are that has them by number.
local by_number <const> = {
    recurrent = { "kernel", "recurrent_kernel", "bias" },
    dense = { "kernel", "bias" },
    embedding = { "embeddings" },
}

-- What Keras calls a class in an archive: TimeDistributed is time_distributed.
local function snake_case(name)
    return (name:gsub("%W", ""):gsub("(.)(%u%l+)", "%1_%2"):gsub("(%l)(%u)", "%1_%2"):lower())
end

-- Where an archive has the groups of layers; Keras 2.12 and 2.13 the second one.
local places <const> = { "layers/", "_layer_checkpoint_dependencies/" }

-- The groups of an archive by class, { lstm = { 0, 2 }, ... }, in which there are tensors: the numbers behind the
-- names, of which the first has none and 2.13 uses each second one; and their place.
local function groups_of(file)
    for _, place in ipairs(places) do
        local groups, seen = {}, {}
        for _, tensor in ipairs(file.tensors) do
            local name = tensor.path:sub(1, #place) == place and tensor.path:match("^[^/]*", #place + 1)
            if name and not seen[name] then
                seen[name] = true
                local class, number = name:match("^(.-)_(%d+)$")
                class = class or name
                groups[class] = groups[class] or {}
                table.insert(groups[class], math.tointeger(tonumber(number or 0)) or 0)
            end
        end
        if next(groups) then return groups, place end
    end
    return {}, places[1]
end

-- keras_weights.groups(file, layers) -> for each layer of a model, { class_name }, the group of its weights in an
-- archive: the first of a class has the first group of that name.
function keras_weights.groups(file, layers)
    local groups, place = groups_of(file)
    for _, numbers in pairs(groups) do table.sort(numbers) end
    local seen, list = {}, {}
    for i, layer in ipairs(layers) do
        local class = snake_case(layer.class_name)
        seen[class] = (seen[class] or 0) + 1
        local number = groups[class] and groups[class][seen[class]] or seen[class] - 1
        list[i] = place .. class .. (number > 0 and "_" .. number or "")
    end
    return list
end

-- keras_weights.of(file, group, kind, half) -> the tensors under a group of the file (see hdf5.lua) by what they are:
-- kernel, recurrent_kernel, bias, embeddings, each with its path, and `missing`, what could not be read; and a list of
-- the others' paths. kind: as in
-- by_number, or such a list. half: "forward" or "backward" of a Bidirectional, nil of others.
function keras_weights.of(file, group, kind, half)
    local found, others = {}, {}
    for _, tensor in ipairs(file.tensors) do
        local own = tensor.path:sub(1, #group + 1) == group .. "/" and tensor.path:sub(#group + 2)
        local other_half = own and half and not ("/" .. own):find("/" .. half .. "_", 1, true)
        if own and not other_half and not own:find("seed_generator", 1, true) then
            local last = own:match("([^/]*)$"):gsub(":%d+$", "")
            local number = own:find("vars/%d+$") and math.tointeger(tonumber(last))
            local role = number and (by_number[kind] or kind)[number + 1] or last
            if found[role] then others[#others + 1] = tensor.path end
            found[role] = found[role] or tensor
        end
    end
    local missing
    for path in pairs(file.skipped) do
        if path:sub(1, #group + 1) == group .. "/" and not (missing and missing < path) then missing = path end
    end
    found.missing = missing and string.format(" (%s: %s)", missing, file.skipped[missing]) or ""
    return found, others
end

-- The bytes of one gate of a CuDNN layer, `units` columns of a matrix (rows, gates * units): they are those of
-- PyTorch's matrix (units, rows), whatever the shape says.
local function gate(matrix, number, units)
    local rows, columns = matrix.shape[1], matrix.shape[2]
    local parts, size = {}, #matrix.data // (rows * columns)
    for row = 1, rows do
        local first = ((row - 1) * columns + (number - 1) * units) * size
        parts[row] = matrix.data:sub(first + 1, first + units * size)
    end
    return table.concat(parts)
end

local function of_cudnn(matrix, order, units)
    local parts = {}
    for i = 1, #order do parts[i] = gate(matrix, i, units) end
    return { shape = { matrix.shape[2], matrix.shape[1] }, data = table.concat(parts) }
end

local function shape_text(tensor) return tensors.shape_text(tensor.shape) end

-- The two biases of a layer, or nothing. Of an LSTM, and of a GRU that resets before the product, there is one; CuDNN
-- has two behind each other.
local function biases_of(bias, layer, rows, check)
    if layer.cudnn then
        check(tensors.is(bias, 2 * rows), "its bias is %s, and %d values are expected", shape_text(bias), 2 * rows)
        local both = { shape = { 2, rows }, data = bias.data }
        return tensors.slice(both, 1, 1, true), tensors.slice(both, 2, 1, true)
    elseif layer.cell == "gru" and layer.reset_after then
        check(tensors.is(bias, 2, rows), "its bias is %s, and (2, %d) is expected", shape_text(bias), rows)
        return tensors.slice(bias, 1, 1, true), tensors.slice(bias, 2, 1, true)
    end
    check(tensors.is(bias, rows), "its bias is %s, and (%d) is expected", shape_text(bias), rows)
    return bias, tensors.zeros(rows)
end

-- keras_weights.recurrent(found, layer, prefix, suffix, check) -> the tensors of a layer and direction with PyTorch's
-- names. found: see keras_weights.of; layer: { cell, input, units, use_bias, cudnn, reset_after }; suffix: "" or
-- "_reverse"; check(condition, format, ...) says what is wrong.
function keras_weights.recurrent(found, layer, prefix, suffix, check)
    local order, units = orders[layer.cell], layer.units
    local rows = #order * units
    local kernel, own, bias = found.kernel, found.recurrent_kernel, found.bias
    check(kernel and own, "there are no weights kernel and recurrent_kernel of it in the file%s", found.missing)
    check(tensors.is(kernel, layer.input, rows), "its kernel is %s, and (%d, %d) is expected", shape_text(kernel),
        layer.input, rows)
    check(tensors.is(own, units, rows), "its recurrent kernel is %s, and (%d, %d) is expected", shape_text(own), units,
        rows)
    check((bias ~= nil) == layer.use_bias, "use_bias is %s, and the file has %s bias of it", tostring(layer.use_bias),
        bias and "a" or "no")
    local list
    if layer.cudnn then
        list = { of_cudnn(kernel, order, units), of_cudnn(own, order, units) }
    else
        list = { tensors.transposed(kernel), tensors.transposed(own) }
    end
    if bias then list[3], list[4] = biases_of(bias, layer, rows, check) end
    for i, name in ipairs { "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0" } do
        list[i] = list[i] and tensors.named(tensors.gates(list[i], order), prefix .. name .. suffix)
    end
    return list
end

-- keras_weights.dense(found, inputs, units, use_bias, prefix, check) -> the tensors of a dense layer.
function keras_weights.dense(found, inputs, units, use_bias, prefix, check)
    local kernel, bias = found.kernel, found.bias
    check(kernel, "there is no kernel of it in the file%s", found.missing)
    check(tensors.is(kernel, inputs, units), "its kernel is %s, and (%d, %d) is expected", shape_text(kernel), inputs,
        units)
    check((bias ~= nil) == use_bias, "use_bias is %s, and the file has %s bias of it", tostring(use_bias),
        bias and "a" or "no")
    check(not bias or tensors.is(bias, units), "its bias is %s, and (%d) is expected", bias and shape_text(bias) or "",
        units)
    local list = { tensors.named(tensors.transposed(kernel), prefix .. "weight") }
    list[2] = bias and tensors.named(bias, prefix .. "bias")
    return list
end

return keras_weights
