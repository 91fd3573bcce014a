-- rnnc help spec: the fields of a spec, from their table.
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
    for _, row in ipairs(rows) do
        if told[row] then title = title .. " " .. row.name .. "," end
    end
    add_wrapped(lines, title .. " and", "")
end

return function()
    local lines, told = {
        "A spec is a Lua file that returns `rnn { field = value, ... }`. The fields are those of",
        "PyTorch's nn.RNN and what the code is made for. Values may be computed; whole numbers may be",
        "floats (100/5), and nothing outside the file can be reached.",
    }, {}
    add_rows(lines, fields.rnn, told)
    lines[#lines + 1] = ""
    lines[#lines + 1] = "A network of several layers: "
        .. "`model { layers = { embedding {...}, rnn {...}, dense {...} }, ... }`."
    add_title(lines, "It has, as above,", fields.model, told)
    add_rows(lines, fields.model, told)
    for _, form in ipairs { "rnn", "embedding", "dense", "activation" } do
        lines[#lines + 1] = ""
        add_title(lines, "A layer `" .. form .. "` has, as above,", fields.layer[form], told)
        add_rows(lines, fields.layer[form], told)
    end
    host.print(table.concat(lines, "\n"))
end
