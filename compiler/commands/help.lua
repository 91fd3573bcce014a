-- rnnc help spec, rnnc help training: the fields of a spec, from their table.
local constructors = require "spec.constructors"
local fields = require "spec.fields"
local host = require "host"
local readers = require "spec.readers"

local function default_text(row)
    if row.default == nil then return row.optional and "optional" or "has to be given" end
    if type(row.default) == "function" then return nil end
    return "default " .. readers.show(row.default)
end

local WIDTH <const> = 95

-- Adds a text in lines of at most WIDTH columns; those after the first begin with `indent`.
local function add_wrapped(lines, text, indent)
    local line = ""
    for before, word in text:gmatch("(%s*)(%S+)") do
        if #line + #before + #word > WIDTH then
            lines[#lines + 1] = line
            line = indent .. word
        else
            line = line .. before .. word
        end
    end
    lines[#lines + 1] = line
end

local function add_rows(lines, rows, told)
    for _, row in ipairs(rows) do
        if not told[row] then
            told[row] = true
            lines[#lines + 1] = ""
            local default = default_text(row)
            add_wrapped(lines, "  " .. row.name .. ": " .. readers[row.type].allowed(row)
                .. (default and "; " .. default or ""), "      ")
            for _, line in ipairs(row.doc) do lines[#lines + 1] = "      " .. line end
        end
    end
end

-- Adds "TITLE has, as above, NAMES, and" for the rows that were told.
local function add_title(lines, title, rows, told)
    local names = {}
    for _, row in ipairs(rows) do
        if told[row] then names[#names + 1] = row.name end
    end
    add_wrapped(lines, title .. (#names > 0 and ", as above, " .. table.concat(names, ", ")
        .. (#names < #rows and ", and" or "") or ""), "")
end

-- The fields of `training`.
local function training_lines()
    local lines, told = { "`rnnc train` reads `training = training { loss = ..., data = ..., ... }` of a spec." }, {}
    add_rows(lines, fields.training, told)
    for _, row in ipairs(fields.training) do
        for _, form in ipairs(row.forms or {}) do
            lines[#lines + 1] = ""
            add_title(lines, (row.name == "optimiser" and "An optimiser `" or "A schedule `") .. form .. "` has",
                fields.part[form], told)
            add_rows(lines, fields.part[form], told)
        end
    end
    return lines
end

local function spec_lines()
    local lines, told = {
        "A spec is a Lua file that returns `rnn { field = value, ... }`. The fields are those of",
        "PyTorch's nn.RNN and what the code is made for. Values may be computed; whole numbers may be",
        "floats (100/5), and nothing outside the file can be reached.",
    }, {}
    add_rows(lines, fields.rnn, told)
    lines[#lines + 1] = ""
    lines[#lines + 1] = "A network of several layers: "
        .. "`model { layers = { embedding {...}, rnn {...}, dense {...} }, ... }`."
    add_title(lines, "It has", fields.model, told)
    add_rows(lines, fields.model, told)
    for _, form in ipairs(constructors.that("layer", true)) do
        lines[#lines + 1] = ""
        add_title(lines, "A layer `" .. form .. "` has", fields.layer[form], told)
        add_rows(lines, fields.layer[form], told)
    end
    return lines
end

return function(arguments)
    host.print(table.concat(arguments[1] == "training" and training_lines() or spec_lines(), "\n"))
end
