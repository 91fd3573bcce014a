-- by_names: the network that tensors make, by their names and shapes.
local cells = require "tables.cells"
local fail = require "base.fail"
local signs = require "weights.weight_signs"

-- Orders of layers are tried one by one.
local LAYERS_MAX <const> = 8

-- Numbers in names are padded to so many digits before they are compared.
local DIGITS_MAX <const> = 20

-- So many tensors are named where none is of use.
local SHOWN_MAX <const> = 4

local function gates_of(cell) return #cells.of({ cell = cell, nonlinearity = "tanh" }).gates end

-- The recurrent layer whose tensors begin with `prefix`.
local function recurrent(prefix, shapes, path)
    local function shape(own) return shapes[prefix .. own] end
    local ih, hh, hr = shape "weight_ih_l0", shape "weight_hh_l0", shape "weight_hr_l0"
    local function bad(why)
        fail.at(path, string.format("%sweight_ih_l0 and %sweight_hh_l0 are not of a cell that rnnc has: %s", prefix,
            prefix, why))
    end
    if not hh or #ih ~= 2 or #hh ~= 2 or hr and #hr ~= 2 then bad("both have to be there, as matrices") end
    local hidden, cell = hr and hr[2] or hh[2], nil
    for _, name in ipairs { "rnn", "gru", "lstm" } do
        if hidden > 0 and ih[1] == gates_of(name) * hidden and hh[1] == ih[1] then cell = name end
    end
    if not cell then bad(string.format("of (%d, %d) and (%d, %d)", ih[1], ih[2], hh[1], hh[2])) end
    local layers = 1
    while shape("weight_ih_l" .. layers) do layers = layers + 1 end
    local both, normed = shape "weight_ih_l0_reverse" ~= nil, shape "norm_weight_ih_l0" ~= nil
    return {
        form = "rnn", input = ih[2], output = (hr and hr[1] or hidden) * (both and 2 or 1),
        fields = {
            cell = cell, input_size = ih[2], hidden_size = hidden, num_layers = layers, prefix = prefix,
            bias = normed or shape "bias_ih_l0" ~= nil, layer_norm = normed, bidirectional = both,
            proj_size = hr and hr[1] or 0,
        },
    }
end

-- What a matrix `weight` under `prefix` may be: a dense layer or, without a bias, an embedding. A bias alone is of
-- a dense layer that shares a table of as many rows, an embedding's.
local function others(prefix, shapes)
    local shape, bias = shapes[prefix .. "weight"], shapes[prefix .. "bias"]
    if not shape then
        return { { form = "dense", output = bias[1], fields = { units = bias[1], tied = true, prefix = prefix } } }
    end
    local list = { {
        form = "dense", input = shape[2], output = shape[1],
        fields = { units = shape[1], bias = bias ~= nil, prefix = prefix },
    } }
    if not bias then
        list[2] = {
            form = "embedding", output = shape[2],
            fields = { num_embeddings = shape[1], dim = shape[2], prefix = prefix },
        }
    end
    return list
end

-- May the layer stand behind `before`, nil: in front, in a model that begins with `first`?
local function follows(layer, before, first)
    if not layer.fields.tied then return not before or layer.input == before.output end
    return before and first.form == "embedding" and first.output == before.output
        and first.fields.num_embeddings == layer.fields.units
end

-- The first order in which every layer reads what the one before gives, and how many orders there are (2: or more).
-- groups: for each group of tensors the layers that it may be.
local function chain(groups)
    local found, count, used, order = nil, 0, {}, {}
    local function extend(before)
        if #order == #groups then
            count = count + 1
            found = found or table.move(order, 1, #order, 1, {})
            return
        end
        for i, group in ipairs(groups) do
            for _, layer in ipairs(used[i] and {} or group) do
                if follows(layer, before, order[1]) and count < 2 then
                    used[i], order[#order + 1] = true, layer
                    extend(layer)
                    used[i], order[#order] = false, nil
                end
            end
        end
    end
    extend(nil)
    return found, count
end

-- The layers in the order of the groups, if each reads what the one before gives.
local function in_order(groups)
    local layers = {}
    for i, group in ipairs(groups) do
        for _, layer in ipairs(group) do
            if not layers[i] and follows(layer, layers[i - 1], layers[1]) then layers[i] = layer end
        end
        if not layers[i] then return nil end
    end
    return layers
end

-- The groups of a file in its order, and how many of them are recurrent.
local function groups_of(list, shapes, path)
    local groups, recurrent_count = {}, 0
    for _, tensor in ipairs(list) do
        local prefix = tensor.name:match("^(.*)weight_ih_l0$")
        -- norm_weight_ih_l0 is of the layer with weight_ih_l0.
        if prefix and not (#tensor.shape == 1 and prefix:find "norm_$") then
            groups[#groups + 1] = { recurrent(prefix, shapes, path) }
            recurrent_count = recurrent_count + 1
        else
            prefix = tensor.name:match("^(.*)weight$")
            local alone = tensor.name:match("^(.*)bias$")
            if prefix and #tensor.shape == 2 then groups[#groups + 1] = others(prefix, shapes) end
            if alone and #tensor.shape == 1 and not shapes[alone .. "weight"] then
                groups[#groups + 1] = others(alone, shapes)
            end
        end
    end
    return groups, recurrent_count
end

-- A prefix as a key for sorting: "net.10." comes after "net.2.".
local function sort_key(prefix)
    return (prefix:gsub("%d+", function(digits) return ("0"):rep(DIGITS_MAX - #digits) .. digits end))
end

-- The recurrent groups first, each kind sorted by prefix, which is an order whatever that of the file is.
local function sorted(groups)
    local list, key = table.move(groups, 1, #groups, 1, {}), {}
    for _, group in ipairs(groups) do key[group] = sort_key(group[1].fields.prefix) end
    table.sort(list, function(a, b)
        local first, second = a[1], b[1]
        if (first.form == "rnn") ~= (second.form == "rnn") then return first.form == "rnn" end
        if key[a] ~= key[b] then return key[a] < key[b] end
        return first.fields.prefix < second.fields.prefix
    end)
    return list
end

-- The order of a network without a recurrent layer, which is one only if every tensor has its place in it; nil if not.
-- groups: in the order in which they are tried.
local function dense_chain(groups, list)
    local tensor_count = 0
    for _, group in ipairs(groups) do
        local fields = group[1].fields
        if fields.tied then return nil end
        tensor_count = tensor_count + (fields.bias and 2 or 1)
    end
    if #groups == 0 or tensor_count ~= #list then return nil end
    if #groups <= LAYERS_MAX then return chain(groups) end
    return in_order(groups), 1
end

-- Fields that have their defaults are left out.
local defaults <const> = {
    cell = "rnn", num_layers = 1, bias = true, bidirectional = false, proj_size = 0, layer_norm = false,
    prefix = "",
}

local function trimmed(layer)
    for name, value in pairs(defaults) do
        if layer.fields[name] == value then layer.fields[name] = nil end
    end
    return layer
end

-- The first tensors of a file, for one that has none of the names that are needed.
local function shown(list)
    local texts = {}
    for i, tensor in ipairs(list) do
        if i > SHOWN_MAX then
            texts[i] = "..."
            break
        end
        texts[i] = tensor.name .. " (" .. table.concat(tensor.shape, ", ") .. ")"
    end
    return #list == 0 and "it has no tensors" or "it has " .. table.concat(texts, ", ")
end

-- The layers of groups in one order, and how it was found; nil: no order is possible.
local function arranged(groups, list, recurrent_count, ordered)
    local layers = ordered and in_order(groups)
    if recurrent_count == 0 then
        layers = layers and dense_chain(groups, list) and layers
        if layers then return layers, "order" end
        local found, count = dense_chain(sorted(groups), list)
        return found, count and count > 1 and "several" or "order"
    end
    if layers then return layers, "order" end
    groups = sorted(groups)
    local found, count
    if #groups <= LAYERS_MAX then found, count = chain(groups) end
    if not found then return { groups[1][1] }, "alone" end
    return found, count > 1 and "several" or "order"
end

-- by_names(list, path, ordered) -> the layers of a model, { form, fields }, first to last, or one recurrent layer, and
-- how they were found: "order" (that of the file, or the only one), "several" (orders are possible), "alone" (the
-- layers do not follow each other: one recurrent layer of them). Without a recurrent layer it is the dense layers, if
-- all tensors are theirs and they follow each other. list: the file's tensors, { name, shape }; ordered: in the order
-- in which the network was built. Errors: no such network, or a recurrent layer of no known cell.
return function(list, path, ordered)
    local shapes = {}
    for _, tensor in ipairs(list) do shapes[tensor.name], tensor.file_name = tensor.shape, tensor.name end
    local groups, recurrent_count = groups_of(list, shapes, path)
    local layers, found = arranged(groups, list, recurrent_count, ordered)
    if not layers then
        local sign = signs.of_file(list)[1]
        fail.at(path, "there are no weights of a recurrent network in it (weight_ih_l0, weight_hh_l0), and no dense "
            .. "layers alone that follow each other; " .. (sign or shown(list)))
    end
    for i, layer in ipairs(layers) do
        if i > 1 then layer.fields.input_size = nil end
        if layer.form == "dense" and i == 1 then layer.fields.input_size = layer.input end
        trimmed(layer)
    end
    return layers, found
end
