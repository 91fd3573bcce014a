-- starter: the text of a spec to start from, every field explained out of its row.
local fields = require "spec.fields"
local readers = require "spec.readers"

-- What stands behind a field that is left out and whose default depends on others.
local shown = { name = '"model"', nonlinearity = '"tanh"', weights = '"model.safetensors"',
                training = 'training { loss = "mse", data = "data.npz" }' }

local function value_text(row)
    if shown[row.name] then return shown[row.name] end
    return readers.show(row.default)
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
-- with their defaults. given.layers: of a model, each { form, fields }.
local function spec(given)
    local form = given.layers and "model" or "rnn"
    local lines = {
        "-- A recurrent network for rnnc.",
        "--",
        "--     rnnc check model.lua      is it right?",
        "--     rnnc compile model.lua    generate C",
        "--     rnnc verify model.lua     compare the C with double precision",
        "--",
        "-- Fields in comments have the value that is shown.",
        "return " .. form .. " {",
    }
    for i, row in ipairs(fields[form]) do
        if i > 1 then lines[#lines + 1] = "" end
        for _, line in ipairs(row.doc) do lines[#lines + 1] = "    -- " .. line end
        if row.name == "layers" then
            lines[#lines + 1] = "    layers = {"
            for _, layer in ipairs(given.layers) do lines[#lines + 1] = layer_text(layer) end
            lines[#lines + 1] = "    },"
        else
            local value = given[row.name]
            local allowed = row.type == "text" and ""
                or " -- " .. readers[row.type].allowed(row)
            lines[#lines + 1] = "    " .. (value == nil and "-- " or "") .. row.name .. " = "
                .. (value == nil and value_text(row) or readers.show(value)) .. "," .. allowed
        end
    end
    lines[#lines + 1] = "}"
    return table.concat(lines, "\n") .. "\n"
end

return { spec = spec }
