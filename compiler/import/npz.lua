-- npz: arrays of NumPy, an .npz archive of .npy files (numpy/lib/format.py), as a safetensors file in memory: for
-- recorded cases, whose arrays have names of their own, and no network.
--
-- An .npy file: "\x93NUMPY", the version (major, minor), the length of the header (16 bits in version 1, else 32), the
-- header, a dict of Python in one line with its keys in order, and the values.
local fail = require "base.fail"
local host = require "host"

local npz = {}

local HEADER_MAX <const>, BYTES_MAX <const>, RANK_MAX <const>, ARRAYS_MAX <const> = 4096, 1 << 28, 8, 4096

-- Types by NumPy's names, little-endian: that in a safetensors file and bytes of a value.
local types <const> = {
    ["<f2"] = { "F16", 2 }, ["<f4"] = { "F32", 4 }, ["<f8"] = { "F64", 8 }, ["<i4"] = { "I32", 4 },
    ["<i8"] = { "I64", 8 }, ["|u1"] = { "U8", 1 }, ["|b1"] = { "BOOL", 1 },
}

-- The header of an .npy file and where its values begin.
local function header_of(bytes, bad)
    if bytes:sub(1, 6) ~= "\x93NUMPY" or #bytes < 12 then bad "is no .npy file" end
    local version = bytes:byte(7)
    if version < 1 or version > 3 then bad(string.format("is of version %d of the format", version)) end
    local length, at = string.unpack(version == 1 and "<I2" or "<I4", bytes, 9)
    if length > HEADER_MAX or at + length - 1 > #bytes then bad "has a header that is longer than it may be" end
    return bytes:sub(at, at + length - 1), at + length
end

-- { dtype, shape, data } of an .npy file. bad(message) ends the reading.
local function array_of(bytes, bad)
    local header, at = header_of(bytes, bad)
    local descr, order, dims =
        header:match "^{'descr': '([^']*)', 'fortran_order': (%a+), 'shape': %(([%d, ]*)%),? *} *\n?$"
    if not descr then bad "has a header that NumPy does not write, or records" end
    local type = types[descr]
    if not type then
        bad(string.format("is of type %s; write it with astype(\"float32\") or, of tokens and lengths, \"int32\"",
            (descr:gsub("[^%w<>|=]", "?"))))
    end
    local shape, count = {}, 1
    for digits in dims:gmatch "%d+" do
        local size = #digits < 12 and math.tointeger(tonumber(digits))
        if not size or size > BYTES_MAX or count * size > BYTES_MAX then bad "has a shape of too many values" end
        shape[#shape + 1], count = size, count * size
    end
    if #shape > RANK_MAX then bad "has more than 8 axes" end
    if order ~= "False" and #shape > 1 then bad "lies in Fortran's order; write np.ascontiguousarray of it" end
    if #bytes - at + 1 ~= count * type[2] then
        bad(string.format("has %d bytes of values, and its shape (%s) is of %d", #bytes - at + 1,
            table.concat(shape, ", "), count * type[2]))
    end
    return { dtype = type[1], shape = shape, data = bytes:sub(at) }
end

-- npz.from_bytes(path, bytes) -> the bytes of a safetensors file with the arrays of an archive, the file `path`.
-- Errors: a member that is no array of a type that a case can have, more than 256 MB.
function npz.from_bytes(path, bytes)
    local archive, message = host.zip(bytes)
    if not archive then fail.at(path, "is no archive that can be read: " .. message) end
    local entries, parts, total, members = {}, {}, 0, archive:list()
    if #members > ARRAYS_MAX then fail.at(path, "more than 4096 arrays") end
    for i, member in ipairs(members) do
        local name = member.name:match "^([%w_.-]+)%.npy$"
        local function bad(text) fail.at(path, (member.name:gsub("[%c\127-\255]", "?"):sub(1, 100)) .. " " .. text) end
        if not name then bad "is no array of an .npz file: NAME.npy" end
        if member.size > BYTES_MAX or total + member.size > BYTES_MAX then bad "makes it more than 256 MB" end
        local data, damaged = archive:read(member.name)
        if not data then fail.at(path, damaged) end
        local array = array_of(data, bad)
        entries[i] = string.format('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}', name, array.dtype,
            table.concat(array.shape, ","), total, total + #array.data)
        parts[i], total = array.data, total + #array.data
    end
    local header = "{" .. table.concat(entries, ",") .. "}"
    header = header .. (" "):rep(-#header % 8)
    return string.pack("<I8", #header) .. header .. table.concat(parts)
end

-- npz.read(path) -> the same of a file; nil: it does not begin as an archive does.
function npz.read(path)
    local start = host.head(path, 4)
    if start and start ~= "PK\3\4" then return nil end
    local bytes = host.read(path, BYTES_MAX)
    if not bytes or bytes:sub(1, 4) ~= "PK\3\4" then return nil end
    return npz.from_bytes(path, bytes)
end

return npz
