-- starter: the text of a spec to start from, every field explained out of its row.
local fields = require "spec.fields"
local readers = require "spec.readers"

local WIDTH <const> = 100

-- What is shown of a field that has no default.
local shown = { weights = '"model.safetensors"', outputs = '{ "tone", "level" }',
                training = 'training { loss = "mse", data = "data.npz" }' }

-- The value of a field that is left out: what stands behind it among the fields of `given`, or an example.
local function value_text(row, given)
    if shown[row.name] then return shown[row.name] end
    local default = row.default
    if type(default) == "function" then default = default(given, { file = given.name }) end
    return readers.show(default)
end

-- A text as comment lines of at most WIDTH columns.
local function add_comment(lines, text)
    local line = "    --"
    for word in text:gmatch("%S+") do
        if #line + 1 + #word > WIDTH then
            lines[#lines + 1] = line
            line = "    --"
        end
        line = line .. " " .. word
    end
    lines[#lines + 1] = line
end

-- A field with its explanation, what it may be, and its value; in a comment where that is its default.
local function add_field(lines, row, given)
    for _, line in ipairs(row.doc) do lines[#lines + 1] = "    -- " .. line end
    local value = given[row.name]
    local text = "    " .. (value == nil and "-- " or "") .. row.name .. " = "
        .. (value == nil and value_text(row, given) or readers.show(value)) .. ","
    local allowed = row.type == "text" and "" or readers[row.type].allowed(row)
    if allowed ~= "" and #text + #" -- " + #allowed <= WIDTH then
        text = text .. " -- " .. allowed
    elseif allowed ~= "" then
        add_comment(lines, allowed)
    end
    lines[#lines + 1] = text
end

-- A layer of a model on one line.
local function layer_text(layer)
    local parts = {}
    for _, row in ipairs(fields.layer[layer.form]) do
        local value = layer.fields[row.name]
        if value ~= nil then parts[#parts + 1] = row.name .. " = " .. readers.show(value) end
    end
    return "        " .. layer.form .. " { " .. table.concat(parts, ", ") .. " },"
end

-- starter.spec(given) -> the text; `given` has the values of the fields that are set, the others stand in comments
-- with their defaults, and those that few networks have are named only.
-- given.layers: of a model, each { form, fields }.
local function spec(given)
    local form = given.layers and "model" or "rnn"
    local lines = {
        "-- A recurrent network for rnnc.",
        "--",
        "--     rnnc check model.lua      is it right?",
        "--     rnnc compile model.lua    generate C",
        "--     rnnc verify model.lua     compare the C with double precision",
        "--",
        "-- Fields in comments have the value that is shown; " .. (given.layers and "outputs, " or "")
            .. "weights and training are examples.",
        "return " .. form .. " {",
    }
    local with_defaults = setmetatable({}, { __index = given })
    local rare = {}
    for _, row in ipairs(fields[form]) do
        if row.rare and given[row.name] == nil then
            rare[#rare + 1] = row.name
        elseif row.name == "layers" then
            for _, line in ipairs(row.doc) do lines[#lines + 1] = "    -- " .. line end
            lines[#lines + 1] = "    layers = {"
            for _, layer in ipairs(given.layers) do lines[#lines + 1] = layer_text(layer) end
            lines[#lines + 1] = "    },"
            lines[#lines + 1] = ""
        else
            add_field(lines, row, with_defaults)
            lines[#lines + 1] = ""
        end
        if with_defaults[row.name] == nil and type(row.default) ~= "function" then
            with_defaults[row.name] = row.default
        end
    end
    add_comment(lines, "`rnnc help spec` also has " .. table.concat(rare, ", ") .. ".")
    lines[#lines + 1] = "}"
    return table.concat(lines, "\n") .. "\n"
end

return { spec = spec }
