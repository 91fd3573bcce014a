-- spec_text: the spec of an imported network as a person would have written it.
local fields = require "spec.fields"
local readers = require "spec.readers"

-- A value as the spec has it; of names all are there.
local function value_text(row, value)
    if row.type ~= "names" then return readers.show(value) end
    local names = {}
    for i, name in ipairs(value) do names[i] = readers.show(name) end
    return "{ " .. table.concat(names, ", ") .. " }"
end

-- The fields of a row's form that are given, "name = value", in the order of fields.lua.
local function parts_of(rows, given, default)
    local parts = {}
    for _, row in ipairs(rows) do
        local value = given[row.name]
        local usual = row.default
        -- Numbers of functions stand there, whatever their default is.
        if row.type == "boolean" and type(usual) == "function" then usual = usual(given) end
        if value ~= nil and not (default and value == usual) then
            parts[#parts + 1] = row.name .. " = " .. value_text(row, value)
        end
    end
    return parts
end

local function layer_text(layer)
    return layer.form .. " { " .. table.concat(parts_of(fields.layer[layer.form], layer.fields, true), ", ") .. " }"
end

-- A comment of several lines, each entry of a list with a dash.
local function append_list(lines, title, list)
    if #list == 0 then return end
    lines[#lines + 1] = "--"
    lines[#lines + 1] = "-- " .. title
    for _, entry in ipairs(list) do lines[#lines + 1] = "--   - " .. entry end
end

-- Names and texts of files stand in comments.
local function one_line(text) return (text:gsub("[%c\127]", "?")) end

-- spec_text(record, name, weights, source) -> the text. name: of the network, weights: its file, source: the file that
-- it was made of.
return function(record, name, weights, source)
    local lines = { string.format("-- %s, made by rnnc import of %s, %s.", name, one_line(source), record.format) }
    append_list(lines, "The file does not tell, and the result depends on it:", record.doubts)
    append_list(lines, "Left open by the file:", record.open)
    local model = {}
    for key, value in pairs(record.fields) do model[key] = value end
    model.name, model.weights = name, weights
    model.batch, model.seq_len = model.batch or 1, model.seq_len or "any"
    local single = #record.layers == 1 and record.layers[1].form == "rnn"
    if single then
        for key, value in pairs(record.layers[1].fields) do model[key] = value end
    end
    local form = single and "rnn" or "model"
    lines[#lines + 1] = "return " .. form .. " {"
    for _, row in ipairs(fields[form]) do
        if row.name == "layers" then
            lines[#lines + 1] = "    layers = {"
            for _, layer in ipairs(record.layers) do lines[#lines + 1] = "        " .. layer_text(layer) .. "," end
            lines[#lines + 1] = "    },"
        else
            -- batch and seq_len stand there though they are the defaults: they are what one changes.
            local keep = row.name == "batch" or row.name == "seq_len"
            local part = parts_of({ row }, model, not keep)[1]
            if part then lines[#lines + 1] = "    " .. part .. "," end
        end
    end
    lines[#lines + 1] = "}"
    return table.concat(lines, "\n") .. "\n"
end
