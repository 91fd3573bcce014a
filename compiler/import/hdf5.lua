-- hdf5: the datasets and attributes of an HDF5 file, which host.hdf5 reads.
local host = require "host"

local hdf5 = {}

local SIGNATURE <const> = "\137HDF\r\n\26\n"

-- hdf5.looks_so(bytes) -> do they begin as an HDF5 file does?
function hdf5.looks_so(bytes) return bytes:sub(1, #SIGNATURE) == SIGNATURE end

-- hdf5.read(bytes) -> { tensors = { { path, shape, data } } sorted by path, skipped = { [path] = why },
-- attributes = { [path] = { [name] = text } } } of a file; data as host.floats makes them, paths without a slash in
-- front. nil and a message: it cannot be read.
function hdf5.read(bytes)
    local records, message = host.hdf5(bytes)
    if not records then return nil, message end
    local file, at = { tensors = {}, attributes = {}, skipped = {} }, 1
    local function take(format)
        local value
        value, at = string.unpack(format, records, at)
        return value
    end
    while true do
        -- Keras 2.13 wrote backslashes on Windows.
        local kind, path = take "c1", take "<s8":gsub("\\", "/")
        if kind == "Z" then break end
        if kind == "A" then
            local name = take "<s8"
            file.attributes[path] = file.attributes[path] or {}
            file.attributes[path][name] = take "<s8"
        elseif kind == "S" then
            file.skipped[path] = take "<s8"
        else
            local shape = {}
            for axis = 1, take "<I8" do shape[axis] = take "<I8" end
            file.tensors[#file.tensors + 1] = { path = path, shape = shape, data = take "<s8" }
        end
    end
    table.sort(file.tensors, function(a, b) return a.path < b.path end)
    return file
end

return hdf5
