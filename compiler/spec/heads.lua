-- heads: what `name`, `from` and `outputs` make of the layers of a model: one chain of layers, the trunk, and dense
-- layers that several outputs read side by side.
--
-- Heads become one dense layer for each of their levels, whose rows are those of the heads in the order of `outputs`;
-- behind the first level each head reads its own columns alone, the others are 0.
local activations = require "tables.activations"
local nearest = require "base.nearest"

local heads = {}

-- What the names of the tensors of all heads together begin with, where they have no weights by their own names.
heads.PREFIX = "heads."

-- What `from` calls the input of the model.
local INPUT <const> = "x"

local function function_text(fields)
    return (fields.activation or "none") .. (fields.alpha and string.format(" of %g", fields.alpha) or "")
        .. (fields.beta and string.format(" and %g", fields.beta) or "")
end

-- heads.functions(first, other) -> what keeps the functions of two dense layers, { name (in messages), fields }, from
-- being that of one; nil: nothing does.
function heads.functions(first, other)
    local a, b = function_text(first.fields), function_text(other.fields)
    if a ~= b then
        return string.format("%s and %s have different functions, %s and %s", first.name, other.name, a, b)
    elseif activations.of(first.fields.activation or "none").of == "row" then
        return string.format("%s and %s have %s over their own values", first.name, other.name, a)
    end
end

-- heads.difference(first, other) -> what keeps two dense layers from being outputs side by side; nil: nothing does.
function heads.difference(first, other)
    for _, name in ipairs { "last_step", "last_state" } do
        if (first.fields[name] or false) ~= (other.fields[name] or false) then
            return string.format("one of %s and %s reads the last step alone", first.name, other.name)
        end
    end
end

local function label(list, i)
    return string.format("layer %d (%s)", list[i].number, list[i].name or "without a name")
end

-- The names of layers, each with its number, and a list of them.
local function names_of(list, lines, report)
    local index, order, seen = { [INPUT] = 0 }, { INPUT }, {}
    for i, layer in ipairs(list) do
        local name = layer.name
        local first = name and seen[name:upper()]
        if first then
            report.error(lines[i].name, string.format("layer %d: name = %q: layer %d is called so%s; give each another",
                i, name, first, list[first].name ~= name and " but for capital letters" or ""))
        elseif name then
            index[name], order[#order + 1], seen[name:upper()] = i, name, i
        end
    end
    return index, order
end

-- heads.sources(list, lines, report) -> for each layer the number of the one that it reads, 0: x. Reports names that
-- are there twice, and those in `from` of no layer or of one behind.
function heads.sources(list, lines, report)
    local index, order = names_of(list, lines, report)
    local sources = {}
    for i, layer in ipairs(list) do
        sources[i] = i - 1
        local from = layer.from
        local found = from and index[from]
        local function from_error(format, ...)
            report.error(lines[i].from, string.format("layer %d: from = %q: ", i, from) .. string.format(format, ...))
        end
        if from and not found then
            local near = nearest(from, order)
            from_error("no layer has this name%s", near and string.format("; did you mean %q?", near)
                or '; give one name = "' .. from .. '"')
        elseif from and found >= i then
            from_error("it stands %s; a layer reads one before it", found == i and "for this layer itself" or "behind")
        elseif from then
            sources[i] = found
        end
    end
    return sources
end

-- The layers from x to layer i.
local function chain_to(i, sources)
    local chain = {}
    while i > 0 do
        table.insert(chain, 1, i)
        i = sources[i]
    end
    return chain
end

-- The numbers of the layers that `outputs` names; nil: an error was reported.
local function tops_of(list, outputs, report_at)
    if not outputs then return { #list } end
    local index, order, tops, seen = {}, {}, {}, {}
    for i, layer in ipairs(list) do
        if layer.name then index[layer.name], order[#order + 1] = i, layer.name end
    end
    for k, name in ipairs(outputs) do
        if not index[name] then
            local near = nearest(name, order)
            report_at(string.format("outputs: no layer has the name %q%s", name,
                near and string.format("; did you mean %q?", near) or ""))
            return nil
        elseif seen[name] then
            report_at(string.format("outputs: %q is in it twice", name))
            return nil
        end
        seen[name], tops[k] = true, index[name]
    end
    return tops
end

-- How many layers all chains begin with.
local function common(chains)
    local count = 0
    while true do
        local at = chains[1][count + 1]
        for _, chain in ipairs(chains) do
            if not at or chain[count + 1] ~= at then return count end
        end
        count = count + 1
    end
end

-- What keeps the layers of chains behind their first `trunk` from being heads, and the number of the layer; or nil.
local function split_error(list, chains, trunk)
    local depth, owner = #chains[1] - trunk, {}
    for _, chain in ipairs(chains) do
        local top = chain[#chain]
        if #chain == trunk then
            return "is an output and other layers read it; an output is what no layer reads", top
        end
        for k = trunk + 1, #chain do
            local i = chain[k]
            if list[i].layer ~= "dense" then
                return "is part of one of several outputs, which are dense layers; "
                    .. (list[i].layer == "activation" and "write its function as that of the dense layer before"
                        or "put it in front of what all outputs read"), i
            elseif list[i].tied then
                return "is tied and one of several outputs, which rnnc has not; leave tied out", i
            elseif owner[i] then
                return "leads to two of the outputs, but not to all; give each output layers of its own behind what "
                    .. "all of them read", i
            end
            owner[i] = true
        end
        if #chain - trunk ~= depth then
            return string.format("ends a chain of length %d behind what all outputs read, and %s one of length %d; "
                .. "rnnc has outputs of one length", #chain - trunk, label(list, chains[1][#chains[1]]), depth), top
        end
        local own, others = list[chain[trunk + 1]].input_size, list[chains[1][trunk + 1]].input_size
        if own ~= others then
            return string.format("reads %d values of x, and %s %d", own, label(list, chains[1][trunk + 1]), others),
                chain[trunk + 1]
        end
        for k = 1, depth do
            local first, other = chains[1][trunk + k], chain[trunk + k]
            local one = { name = label(list, first), fields = list[first] }
            local another = { name = label(list, other), fields = list[other] }
            local why = first ~= other and heads.difference(one, another)
            if why then
                return "is side by side with " .. label(list, first) .. ": " .. why
                    .. "; outputs are all of each step, or all of one", other
            end
            why = first ~= other and k < depth and heads.functions(one, another)
            if why then
                return "is side by side with " .. label(list, first) .. ": " .. why
                    .. "; only the last layers of outputs have functions of their own", other
            end
        end
    end
end

-- The functions of the layers of the last level, where they are not one of each value.
local function own_functions(list, numbers)
    local first, own, parts, row = { name = "", fields = list[numbers[1]] }, false, {}, 0
    for k, i in ipairs(numbers) do
        local layer = list[i]
        own = own or k > 1 and heads.functions(first, { name = "", fields = layer }) ~= nil
        parts[k] = { name = layer.name, activation = layer.activation, alpha = layer.alpha, beta = layer.beta,
                     first = row, width = layer.units }
        row = row + layer.units
    end
    return own and parts or nil
end

-- The layer that the dense layers of one level make. width: what each reads, or nil of a level that reads `before`.
local function joined(list, numbers, level, depth, before)
    local first = list[numbers[1]]
    local made, row, column = {}, 0, 0
    for key, value in pairs(first) do made[key] = value end
    made.heads, made.bias, made.name, made.from = {}, false, nil, nil
    made.prefix = heads.PREFIX .. (depth > 1 and level - 1 .. "." or "")
    for k, i in ipairs(numbers) do
        local layer = list[i]
        made.heads[k] = { prefix = layer.prefix, rows = layer.units, cols = layer.input_size, row = row,
                          column = before and column or 0, bias = layer.bias, number = layer.number }
        row, column, made.bias = row + layer.units, column + layer.input_size, made.bias or layer.bias
    end
    made.units = row
    made.by_head = level == depth and own_functions(list, numbers) or nil
    if made.by_head then made.activation, made.alpha, made.beta = "none", nil, nil end
    if before then made.input_size, made.zeros = before, true end
    return made
end

-- heads.join(list, lines, sources, outputs, report, line) -> the layers as one chain, their lines, and the outputs, of
-- several { name, first, width } of y. list: valid but for the way in which they follow each other; outputs: the field,
-- nil: the last layer; line: the field's. Reports what is no trunk with heads.
function heads.join(list, lines, sources, outputs, report, line)
    local tops = tops_of(list, outputs, function(text) report.error(line, text) end)
    if not tops then return list, lines, {} end
    local chains, used = {}, {}
    for k, top in ipairs(tops) do
        chains[k] = chain_to(top, sources)
        for _, i in ipairs(chains[k]) do used[i] = true end
    end
    local function error_of(i, text)
        report.error(lines[i][list[i].from and "from" or ""], string.format("%s: %s", label(list, i), text))
    end
    for i in ipairs(list) do
        if not used[i] then
            error_of(i, list[i].name and string.format("no output reads it; write outputs = { %s%q } or leave it out",
                outputs and '"' .. table.concat(outputs, '", "') .. '", ' or "..., ", list[i].name)
                or "no output reads it; give it a name that is in outputs, or leave it out")
            return list, lines, {}
        end
    end
    local trunk = #tops > 1 and common(chains) or #chains[1]
    local why, number
    if #tops > 1 then why, number = split_error(list, chains, trunk) end
    if why then
        error_of(number, why)
        return list, lines, {}
    end
    local result, places, parts, depth = {}, {}, {}, #chains[1] - trunk
    for k = 1, trunk do result[k], places[k] = list[chains[1][k]], lines[chains[1][k]] end
    for level = 1, depth do
        local numbers = {}
        for k, chain in ipairs(chains) do numbers[k] = chain[trunk + level] end
        result[#result + 1] = joined(list, numbers, level, depth, level > 1 and result[#result].units)
        places[#result] = lines[numbers[1]]
    end
    local first = 0
    for k, top in ipairs(#tops > 1 and tops or {}) do
        parts[k] = { name = list[top].name, first = first, width = list[top].units }
        first = first + list[top].units
    end
    return result, places, parts
end

return heads
