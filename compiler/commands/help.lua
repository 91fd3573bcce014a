-- rnnc help spec: the fields of a spec, from their table.
local fields = require "spec.fields"
local host = require "host"
local readers = require "spec.readers"

local function default_text(row)
    if row.default == nil then return row.optional and "optional" or "has to be given" end
    if type(row.default) == "function" then return nil end
    return "default " .. readers.show(row.default)
end

local function add_rows(lines, rows, told)
    for _, row in ipairs(rows) do
        if not told[row] then
            told[row] = true
            lines[#lines + 1] = ""
            lines[#lines + 1] = "  " .. row.name .. ": " .. readers[row.type].allowed(row)
            local default = default_text(row)
            if default then lines[#lines] = lines[#lines] .. "; " .. default end
            for _, line in ipairs(row.doc) do lines[#lines + 1] = "      " .. line end
        end
    end
end

-- Adds "TITLE has, as above, NAMES, and" for the rows that were told, in lines of at most 95 columns.
local function add_title(lines, title, rows, told)
    local text = title
    local function add(word)
        if #text + 1 + #word > 95 then
            lines[#lines + 1] = text
            text = word
        else
            text = text .. " " .. word
        end
    end
    for _, row in ipairs(rows) do
        if told[row] then add(row.name .. ",") end
    end
    add("and")
    lines[#lines + 1] = text
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
    for _, form in ipairs { "rnn", "embedding", "dense" } do
        lines[#lines + 1] = ""
        add_title(lines, "A layer `" .. form .. "` has, as above,", fields.layer[form], told)
        add_rows(lines, fields.layer[form], told)
    end
    host.print(table.concat(lines, "\n"))
end
