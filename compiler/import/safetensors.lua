-- safetensors: a state_dict in a safetensors file, which has names, shapes and values, and nothing about the network.
local fail = require "base.fail"
local host = require "host"
local state_dict = require "import.state_dict"

local READABLE <const> = { F64 = true, F32 = true, F16 = true, BF16 = true }

local function read(file)
    local opened, message = host.safetensors_memory(file.bytes)
    if not opened then fail.at(file.path, message) end
    local list, unused = {}, {}
    for _, tensor in ipairs(opened:list()) do
        if READABLE[tensor.dtype] then
            tensor.data = opened:floats(tensor.name)
            list[#list + 1] = tensor
        else
            unused[#unused + 1] = tensor.name .. ", of type " .. tensor.dtype
        end
    end
    -- Files are sorted by size and name, so that their order tells nothing.
    local record = state_dict.record(list, file.path, false)
    table.move(unused, 1, #unused, #record.unused + 1, record.unused)
    return record
end

return {
    format = "a state_dict in safetensors",
    -- The length of the header, then the header.
    can_read = function(file) return file.bytes:find("^.....\0\0\0{") ~= nil end,
    read = read,
}
