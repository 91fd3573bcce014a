-- state_dict: tensors under the names that PyTorch's modules give them, as a network. What several readers share.
local arrangements = require "import.arrangements"
local by_names = require "import.by_names"
local fail = require "base.fail"
local norms = require "import.norms"
local reparametrised = require "import.reparametrised"
local slopes = require "import.slopes"
local tensors = require "import.tensors"

local state_dict = {}

-- What wrappers put before every name: nn.DataParallel, torch.compile.
local wrappers <const> = { "module.", "_orig_mod." }

-- Takes a wrapper's prefix off, as long as all names have it.
local function unwrap(list, record)
    local again = true
    while again and #list > 0 do
        again = false
        for _, prefix in ipairs(wrappers) do
            local all = true
            for _, tensor in ipairs(list) do all = all and tensor.name:sub(1, #prefix) == prefix end
            if all then
                for _, tensor in ipairs(list) do tensor.name = tensor.name:sub(#prefix + 1) end
                record.became[#record.became + 1] = { prefix .. "*", "the same without " .. prefix }
                again = true
            end
        end
    end
end

-- Names of a cell by itself (nn.LSTMCell) become those of a layer.
local function name_cells(list, record)
    for _, tensor in ipairs(list) do
        local prefix = tensor.name:match("^(.-)weight_[ih]h$") or tensor.name:match("^(.-)bias_[ih]h$")
        if prefix then
            if tensor.name:find("weight_ih$") then
                record.became[#record.became + 1] = { prefix .. "* of a cell", "a layer: " .. prefix .. "*_l0" }
            end
            tensor.name = tensor.name .. "_l0"
        end
    end
end

-- A convolution over one step is a dense layer: (n, m, 1) as (n, m).
local function flatten_convolutions(list, record)
    for _, tensor in ipairs(list) do
        local shape = tensor.shape
        if tensor.name:find("weight$") and #shape == 3 and shape[3] == 1 then
            record.became[#record.became + 1] = {
                tensor.name .. " " .. tensors.shape_text(shape), "dense: a convolution over one step",
            }
            tensor.shape = { shape[1], shape[2] }
        end
    end
end

-- Where a network has some of the biases of its layers and directions, those that it has not are 0.
local function complete_biases(list, record)
    local present, biased, more = {}, {}, {}
    for _, tensor in ipairs(list) do
        present[tensor.name] = true
        local prefix = tensor.name:match("^(.-)bias_[ih]h_l%d+")
        if prefix then biased[prefix] = true end
    end
    for _, tensor in ipairs(list) do
        local prefix, chain = tensor.name:match("^(.-)weight_ih(_l%d+)$")
        if not prefix then prefix, chain = tensor.name:match("^(.-)weight_ih(_l%d+_reverse)$") end
        for _, kind in ipairs(prefix and biased[prefix] and { "bias_ih", "bias_hh" } or {}) do
            local name = prefix .. kind .. chain
            if not present[name] and #tensor.shape == 2 then
                more[#more + 1] = tensors.named(tensors.zeros(tensor.shape[1]), name)
                record.became[#record.became + 1] = { name .. ", which is missing", "0" }
            end
        end
    end
    table.move(more, 1, #more, #list + 1, list)
end

-- What a state_dict leaves out although the result depends on it.
local function doubts_of(layers, found, record)
    local doubts, dense, recurrent, once = record.doubts, false, false, false
    for _, layer in ipairs(layers) do
        dense, recurrent = dense or layer.form == "dense", recurrent or layer.form == "rnn"
        if layer.form == "rnn" and not layer.fields.cell and not once and not record.told then
            once = true
            doubts[#doubts + 1] = 'the function of the cell: tanh is taken, nonlinearity = "relu" is the other'
        end
    end
    if not recurrent and not record.told then
        local first = layers[layers[1].form == "dense" and 1 or 2].fields
        doubts[#doubts + 1] = string.format("functions between layers, which have no tensors: none is taken; where one "
            .. "is, change the layer's line: dense { %sunits = %d, activation = \"relu\", prefix = %q }",
            first.input_size and string.format("input_size = %d, ", first.input_size) or "", first.units,
            first.prefix or "")
    elseif dense and not record.told then
        doubts[#doubts + 1] = 'functions behind layers: none is taken; dense { ..., activation = "relu" } and others'
        doubts[#doubts + 1] = "whether a dense layer is for the last step only: last_step = true"
    end
    if found == "several" then
        doubts[#doubts + 1] = "the order of the layers: they could follow each other in another one"
    elseif found == "alone" then
        doubts[#doubts + 1] = "how its layers follow each other: one recurrent layer is taken alone"
    end
end

-- state_dict.record(list, path, ordered, given) -> the record (see readers.lua) of the tensors { name, shape, data },
-- which it may change; ordered: they stand in the order in which the network was built; given: what the record has
-- already (nil: nothing), with `told` if the reader knows functions. Errors: they are no network that by_names finds.
function state_dict.record(list, path, ordered, given)
    local record = given or {}
    for _, name in ipairs { "fields", "became", "unused", "doubts", "open" } do record[name] = record[name] or {} end
    record.tensors = list
    unwrap(list, record)
    if arrangements.read(list, record, path) then return record end
    reparametrised(list, record, path)
    local normed = norms.name(list, record, path)
    name_cells(list, record)
    flatten_convolutions(list, record)
    complete_biases(list, record)
    local names = {}
    for _, tensor in ipairs(list) do
        if names[tensor.name] then fail.at(path, "two tensors would be called " .. tensor.name) end
        names[tensor.name] = true
    end
    -- Where modules are told, PReLU is one of them.
    local vectors = record.told and {} or slopes.take(list)
    local found
    record.layers, found = by_names(list, path, ordered)
    norms.put(normed, record.layers, record)
    doubts_of(record.layers, found, record)
    for _, layer in ipairs(record.layers) do
        local fields = layer.fields
        record.became[#record.became + 1] = {
            (fields.prefix or "") .. "*",
            layer.form .. (fields.cell and " " .. fields.cell or "") .. string.format(" %s -> %d",
                layer.input and tostring(layer.input) or "token", layer.output),
        }
    end
    slopes.put(vectors, record.layers, record, ordered)
    return record
end

return state_dict
