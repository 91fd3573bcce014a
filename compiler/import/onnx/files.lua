-- files: values of a model that are in other files: weights of a large one, and the inputs of a test.
local constants = require "import.onnx.constants"
local fail = require "base.fail"
local host = require "host"

local files = {}

local BYTES_MAX <const> = 1 << 30

local function folder_of(path) return path:match("^(.*/)[^/]*$") or "" end

-- files.resolved(path, tensor, read) -> a tensor of the model `path` with its values, which may lie in a file beside
-- it (external_data of onnx.proto). Only a file of the same folder is read, and once: `read` keeps what was. Errors:
-- none such, or too short.
function files.resolved(path, tensor, read)
    local external = tensor.external
    if not external then return tensor end
    local name = external.location or ""
    local function bad(message)
        fail.at(path, string.format("the values of %s are in another file, %s", tensor.name, message))
    end
    if name == "" or name:find("[/\\%c]") or name:find("^%.") then
        bad(string.format("%q; only one beside the model is read", name))
    end
    local offset = math.tointeger(tonumber(external.offset or "0"))
    local length = math.tointeger(tonumber(external.length or "-1"))
    if not offset or not length or offset < 0 then bad(name .. ", at a place that is no number") end
    local message
    if not read[name] then read[name], message = host.read(folder_of(path) .. name, BYTES_MAX) end
    local bytes = read[name] or bad(string.format("%s: %s", name, message))
    if length < 0 then length = #bytes - offset end
    if length < 0 or length > #bytes or offset > #bytes - length then bad(name .. ", which is too short") end
    local data = bytes:sub(offset + 1, offset + length)
    return { name = tensor.name, dtype = tensor.dtype, shape = tensor.shape, data = data }
end

-- files.recorded(path, input) -> the values of an input of the graph and the name of the file, from the test that
-- lies beside a model: input_N.pb in its folder, or in test_data_set_0 there. nil: there is no such file.
function files.recorded(path, input)
    local name = string.format("input_%d.pb", input.index - 1)
    for _, folder in ipairs { "", "test_data_set_0/" } do
        local place = folder_of(path) .. folder .. name
        local bytes = host.exists(place) and host.read(place, BYTES_MAX)
        if bytes then
            local tensor, message = host.onnx_tensor(bytes)
            local constant
            if tensor then constant, message = constants.of(tensor) end
            if not constant then fail.at(place, "is no tensor that can be read: " .. message) end
            return constant, folder .. name
        end
    end
    return nil
end

return files
