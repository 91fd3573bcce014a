-- weight_hints: what a file with other weights than the network's would be right for.
local activations = require "tables.activations"
local cells = require "tables.cells"

local hints = {}

-- hints.count(item) -> how many tensors a layer has.
function hints.count(item)
    if item.layer == "embedding" then return 1 end
    if item.layer == "merge" then return 0 end
    if item.layer == "activation" then return #(activations.of(item.activation).vectors or {}) end
    if item.layer == "dense" then return (item.tied and 0 or 1) + (item.bias and 1 or 0) end
    local kinds = (item.bias and 4 or 2) + #(cells.of(item).vectors or {}) + #(cells.of(item).norms or {})
        + ((item.proj_size or 0) > 0 and 1 or 0)
    return item.num_layers * (item.bidirectional and 2 or 1) * kinds
        + (item.initial_state and #cells.of(item).states or 0)
end

local function gates_of(item) return #cells.of(item).gates end

local function is_recurrent(item) return (item.layer or "rnn") == "rnn" end

local function is_recurrent_name(name)
    return name:find("^weight_[ih]h_l%d+$") or name:find("^weight_[ih]h_l%d+_reverse$")
        or name:find("^bias_[ih]h_l%d+$") or name:find("^bias_[ih]h_l%d+_reverse$")
        or name:find("^weight_c[ifo]_l%d+$") or name:find("^weight_c[ifo]_l%d+_reverse$")
        or name:find("^norm_[bw][%a]+_[ihc]+_l%d+$") or name:find("^norm_[bw][%a]+_[ihc]+_l%d+_reverse$")
        or name:find("^weight_hr_l%d+$") or name:find("^weight_hr_l%d+_reverse$")
end

-- hints.owner(spec, name) -> { own, layer, item } of the layer that a tensor without use belongs to by
-- its name, or nil. `name` is without the model's prefix.
function hints.owner(spec, name)
    for i, item in ipairs(spec.layers or { spec }) do
        for _, head in ipairs(item.heads or {}) do
            if name == head.prefix .. "bias" then return { own = "bias", layer = i, item = item } end
        end
        local prefix = spec.layers and item.prefix or ""
        local own = name:sub(#prefix + 1)
        if name:sub(1, #prefix) == prefix
            and (is_recurrent(item) and is_recurrent_name(own) or item.layer == "dense" and own == "bias") then
            return { own = own, layer = i, item = item }
        end
    end
end

local of_kind = {
    embedding = function(weight, shape)
        if shape[2] == weight.cols then return "; the file is of num_embeddings = " .. shape[1] end
        if shape[1] == weight.rows then return "; the file is of dim = " .. shape[2] end
    end,
    dense = function(weight, shape)
        if shape[2] == weight.cols then return "; the file is of units = " .. shape[1] end
        if shape[1] == weight.rows then
            return string.format("; the file's layer takes %d values, the layer before it gives %d", shape[2],
                weight.cols)
        end
    end,
    rnn = function(weight, shape, shape_of)
        local gates, hh = gates_of(weight.item), shape_of "weight_hh_l0"
        -- The rows of all gates for as many units as there are columns: which cell has so many?
        for _, cell in ipairs { "rnn", "gru", "lstm" } do
            local count = gates_of { cell = cell, nonlinearity = "tanh" }
            if count ~= gates and hh and #hh == 2 and hh[1] == count * hh[2] then
                return weight.own == "weight_hh_l0"
                    and string.format("; these are weights of cell = %q with hidden_size = %d", cell, hh[2]) or ""
            end
        end
        if weight.own == "weight_hh_l0" then
            if weight.item.cell == "lstm" and shape[1] == weight.rows and shape[2] < weight.item.hidden_size then
                return "; the file is of proj_size = " .. shape[2]
            end
        elseif weight.own == "weight_ih_l0" and shape[1] % gates == 0 then
            return string.format("; the file is of input_size = %d, hidden_size = %d", shape[2], shape[1] // gates)
        end
    end,
}

-- hints.of_shape(weight, shape, shape_of) -> what a tensor of that shape is right for instead, as the end of a
-- message, or "". shape_of(own): the shape of another tensor of the layer in the file, or nil.
function hints.of_shape(weight, shape, shape_of)
    if #shape ~= 2 or weight.cols == 0 then return "" end
    if shape[1] == weight.cols and shape[2] == weight.rows then return "; this is transposed" end
    return of_kind[weight.item.layer or "rnn"](weight, shape, shape_of) or ""
end

local function any(list, pattern)
    for _, entry in ipairs(list) do
        if entry.own:find(pattern) then return true end
    end
    return false
end

-- Why a recurrent layer has other tensors than the file.
local function of_recurrent(item, missing, extra)
    local list, one_way, least = {}, item.bidirectional and #missing > 0, item.num_layers
    for _, entry in ipairs(missing) do
        one_way = one_way and entry.own:find("_reverse$")
        if not entry.own:find("_l0") then least = math.min(least, tonumber(entry.own:match("_l(%d+)"))) end
    end
    if one_way then list[1] = "the file has one direction: bidirectional = false" end
    if not one_way and least < item.num_layers and not any(missing, "_l0") then
        list[1] = "the file has fewer layers: num_layers = " .. least
    end
    if any(missing, "^bias_ih_l0$") and not any(missing, "^weight_ih_l0$") and not any(extra, "^bias") then
        list[#list + 1] = "bias = false would do without biases"
    end
    if any(extra, "^bias_ih_l0$") then list[#list + 1] = "the file has biases: bias = true" end
    if any(extra, "_reverse$") then list[#list + 1] = "the file has two directions: bidirectional = true" end
    local layers = 0
    for _, entry in ipairs(extra) do
        layers = math.max(layers, 1 + (tonumber(entry.own:match("_l(%d+)")) or 0))
        if entry.own == "weight_hr_l0" then
            list[#list + 1] = "the file has a projection: proj_size = " .. entry.shape[1]
        end
    end
    if layers > item.num_layers then list[#list + 1] = "the file has more layers: num_layers = " .. layers end
    return list
end

-- The first prefix under which the file has tensors like those of a layer, which has none of them there,
-- unless it is another layer's.
local function prefix_in(spec, list, first)
    local found, taken = nil, {}
    for _, item in ipairs(spec.layers or {}) do taken[spec.prefix .. item.prefix] = true end
    for _, tensor in ipairs(list) do
        local name = tensor.name
        local prefix = name:sub(-#first.own) == first.own and name:sub(1, -#first.own - 1)
        -- Any layer may have a tensor called weight: this one has the right shape.
        local fits = is_recurrent(first.item)
            or tensor.shape[1] == first.rows and tensor.shape[2] == first.cols and #tensor.shape == 2
        if prefix and fits and not taken[prefix] and (not found or prefix < found) then found = prefix end
    end
    return found
end

-- A file has a shared table under one of its two names, which may be that of the layer that is tied.
local function table_in(spec, list)
    for _, item in ipairs(spec.layers) do
        local name = spec.prefix .. (item.prefix or "") .. "weight"
        for _, tensor in ipairs(item.tied and list or {}) do
            if tensor.name == name then
                return string.format("the file has the table as %s: map = { { \"^%s$\", %q } }", name,
                    name:gsub("%p", "%%%0"), spec.prefix .. (spec.layers[1].prefix or "") .. "weight")
            end
        end
    end
end

local function of_layer(spec, list, entries, extra)
    local first = entries[1]
    local item = first and first.item or extra[1].item
    local shared = item.layer == "embedding" and table_in(spec, list)
    if shared then return { shared } end
    if first and first.own == (is_recurrent(item) and "weight_ih_l0" or "weight") then
        local prefix = prefix_in(spec, list, first)
        if prefix then return { 'the file has weights under prefix = "' .. prefix .. '"' } end
    end
    if is_recurrent(item) then return of_recurrent(item, entries, extra) end
    local table_of = spec.layers and spec.layers[1]
    if any(entries, "^weight$") and item.layer == "dense" and table_of.layer == "embedding"
        and table_of.num_embeddings == item.units and table_of.dim == item.input_size then
        return { "if it shares the embedding's table, of which a file has one only: tied = true" }
    end
    if any(entries, "^bias$") and not any(entries, "^weight$") then return { "bias = false would do without bias" } end
    if any(extra, "^bias$") then return { "the file has a bias: bias = true" } end
    return {}
end

-- hints.of_groups(spec, list, missing, extra) -> why whole groups of tensors may be missing or of no use:
-- what in the spec or the file to look at, as { text, line (of the layer in the spec, if known) }. list: the
-- tensors of the file.
function hints.of_groups(spec, list, missing, extra)
    local lines = {}
    for i in ipairs(spec.layers or { spec }) do
        local own, others = {}, {}
        for _, entry in ipairs(missing) do
            if entry.layer == i then own[#own + 1] = entry end
        end
        for _, entry in ipairs(extra) do
            if entry.layer == i then others[#others + 1] = entry end
        end
        for _, text in ipairs(#own + #others > 0 and of_layer(spec, list, own, others) or {}) do
            lines[#lines + 1] = { line = spec.lines and spec.lines[i],
                text = spec.layers and string.format("layer %d: %s", i, text) or text }
        end
    end
    return lines
end

return hints
