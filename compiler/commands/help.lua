-- rnnc help spec: the fields of a spec, from their table.
local fields = require "fields"
local host = require "host"
local readers = require "readers"

local function default_text(row)
    if row.default == nil then return row.optional and "optional" or "has to be given" end
    if type(row.default) == "function" then return nil end
    return "default " .. readers.show(row.default)
end

return function()
    local lines = {
        "A spec is a Lua file that returns `rnn { field = value, ... }`. The fields are those of",
        "PyTorch's nn.RNN and what the code is made for. Values may be computed; whole numbers may be",
        "floats (100/5), and nothing outside the file can be reached.",
    }
    for _, row in ipairs(fields) do
        lines[#lines + 1] = ""
        lines[#lines + 1] = "  " .. row.name .. ": " .. readers[row.type].allowed(row)
        local default = default_text(row)
        if default then lines[#lines] = lines[#lines] .. "; " .. default end
        for _, line in ipairs(row.doc) do lines[#lines + 1] = "      " .. line end
    end
    host.print(table.concat(lines, "\n"))
end
