-- json: the values of a JSON file as tensors.
local fail = require "base.fail"
local host = require "host"

local json = {}

-- A file of more bytes is no network as audio tools write them; a number takes up to 50 bytes while it is read.
json.MOST = 16 << 20

-- json.looks_so(bytes) -> does a text begin as an object does? One whose first name has no quotes is Lua.
function json.looks_so(bytes) return bytes:find('^[\239\187\191]*%s*{%s*"') ~= nil end

-- json.of(file) -> the object in a file (see readers.lua), read once; nil: it is no JSON. Its keys stand at 1, 2, ...
-- as well, in the order of the file; null is false. Errors: JSON that cannot be read.
function json.of(file)
    if file.json == nil then
        file.json = false
        if json.looks_so(file.bytes) then
            if #file.bytes > json.MOST then
                fail.at(file.path, string.format("JSON of more than %d MB; is it a network?", json.MOST >> 20))
            end
            local value, message = host.json_read((file.bytes:gsub("^\239\187\191", "")))
            if value == nil then fail.at(file.path, "is no JSON that can be read, " .. message) end
            file.json = value
        end
    end
    return file.json or nil
end

-- json.is_object(value), json.is_list(value): null is neither.
function json.is_object(value) return type(value) == "table" and getmetatable(value) ~= nil end

function json.is_list(value) return type(value) == "table" and getmetatable(value) == nil end

-- The shape that the first elements of nested lists have.
local function shape_of(value)
    local shape = {}
    while json.is_list(value) do
        shape[#shape + 1] = #value
        value = value[1]
    end
    return shape
end

-- Appends the numbers of `value` to `flat`; false if it has another shape.
local function flatten(value, shape, axis, flat)
    if axis > #shape then
        flat[#flat + 1] = value
        return type(value) == "number"
    end
    if not json.is_list(value) or #value ~= shape[axis] then return false end
    for _, entry in ipairs(value) do
        if not flatten(entry, shape, axis + 1, flat) then return false end
    end
    return true
end

-- json.tensor(value) -> { shape, data } of nested lists of numbers, all of one length; nil: they are not that.
function json.tensor(value)
    local shape, flat = shape_of(value), {}
    if #shape == 0 or shape[#shape] == 0 or not flatten(value, shape, 1, flat) then return nil end
    return { shape = shape, data = host.floats(flat) }
end

return json
