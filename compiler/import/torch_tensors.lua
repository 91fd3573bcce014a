-- torch_tensors: the values of a pickle's tensors, as float32.
local fail = require "base.fail"
local host = require "host"

local torch_tensors = {}

-- Storages by the names that PyTorch's pickles have: what host.strided or string.unpack calls an element, and its
-- bytes.
local storages <const> = {
    FloatStorage = { dtype = "F32", size = 4 }, DoubleStorage = { dtype = "F64", size = 8 },
    HalfStorage = { dtype = "F16", size = 2 }, BFloat16Storage = { dtype = "BF16", size = 2 },
    QInt8Storage = { unpack = "b", size = 1 }, QUInt8Storage = { unpack = "B", size = 1 },
    QInt32Storage = { unpack = "<i4", size = 4 }, LongStorage = { unpack = "<i8", size = 8 },
}

-- Views of the same values make a file's tensors larger than it, but not by much: elements for each of its bytes.
local GROWTH_MAX <const>, FREE_ELEMENTS <const> = 2, 1 << 18

-- The steps of a tensor whose elements lie one behind the other; nil for one whose elements do not.
local function dense(tensor)
    local step = 1
    for axis = #tensor.shape, 1, -1 do
        if tensor.shape[axis] ~= 1 and tensor.strides[axis] ~= step then return false end
        step = step * tensor.shape[axis]
    end
    return true
end

-- torch_tensors.reader(path, size, member, record) -> a function (list of { name, tensor }) -> list of { name, shape,
-- data }. size: of the file in bytes; member("data/0"): bytes of the archive; record: gets what is not of floats, and
-- notes. Errors: a tensor that reaches beyond its storage, or of a kind of which the values cannot be told.
function torch_tensors.reader(path, size, member, record)
    local cache, left = {}, size * GROWTH_MAX + FREE_ELEMENTS

    local function bytes_of(storage, name, kind)
        local bytes = cache[storage.key] or member("data/" .. storage.key)
        cache[storage.key] = bytes
        if #bytes // kind.size < storage.count then
            fail.at(path, string.format("%s: data/%s has %d bytes, which are no %d elements of a %s", name, storage.key,
                #bytes, storage.count, storage.type))
        end
        return bytes
    end

    local function count_of(tensor, name)
        local count = 1
        for _, extent in ipairs(tensor.shape) do
            if extent > 0 and count > left // extent then
                fail.at(path, name .. ": its tensors are larger than the file by far")
            end
            count = count * extent
        end
        left = left - count
        return count
    end

    -- The elements of a tensor of integers as a list.
    local function integers(tensor, name, kind)
        local count, bytes, list = count_of(tensor, name), bytes_of(tensor.storage, name, kind), {}
        if not dense(tensor) or (tensor.offset + count) * kind.size > #bytes then
            fail.at(path, name .. ": is quantised and a view of a part of its storage, which rnnc does not read")
        end
        for i = 1, count do
            list[i] = string.unpack(kind.unpack, bytes, (tensor.offset + i - 1) * kind.size + 1)
        end
        return list
    end

    local function floats(tensor, name)
        local kind = storages[tensor.storage.type]
        count_of(tensor, name)
        local bytes = bytes_of(tensor.storage, name, kind)
        return host.strided(bytes, kind.dtype, tensor.offset, tensor.shape, tensor.strides)
            or fail.at(path, name .. ": reaches beyond its storage, data/" .. tensor.storage.key)
    end

    -- A parameter of quantisation for each channel: floats or integers, as a list.
    local function values(tensor, name)
        local kind = storages[tensor.storage.type]
        if not kind then fail.at(path, name .. ": has quantisation of type " .. tensor.storage.type) end
        if kind.unpack then return integers(tensor, name, kind) end
        local list, bytes = {}, floats(tensor, name)
        for i = 1, #bytes // 4 do list[i] = string.unpack("<f", bytes, 4 * i - 3) end
        return list
    end

    local function dequantised(tensor, name, kind)
        local given, list = tensor.quantizer, integers(tensor, name, kind)
        local scales, zeros, inner, channels = { given.scale }, { given.zero_point }, 1, 1
        if given.axis then
            local axis = given.axis + 1
            scales, zeros, channels = values(given.scale, name), values(given.zero_point, name), tensor.shape[axis]
            if not channels or #scales ~= channels or #zeros ~= channels then
                fail.at(path, name .. ": has another number of scales than channels")
            end
            for later = axis + 1, #tensor.shape do inner = inner * tensor.shape[later] end
        end
        for i, value in ipairs(list) do
            local channel = (i - 1) // inner % channels + 1
            list[i] = (value - zeros[channel]) * scales[channel]
        end
        record.became[#record.became + 1] = { name .. ", quantised", "float32: (q - zero point) scale" }
        return host.floats(list)
    end

    return function(list)
        local read = {}
        for _, entry in ipairs(list) do
            local tensor, name = entry.tensor, entry.name
            local kind = storages[tensor.storage.type]
            if kind and tensor.quantizer and kind.unpack then
                read[#read + 1] = { name = name, shape = tensor.shape, data = dequantised(tensor, name, kind) }
            elseif kind and kind.dtype and not tensor.quantizer then
                read[#read + 1] = { name = name, shape = tensor.shape, data = floats(tensor, name) }
            elseif name:find "weight_[ih]h" then
                fail.at(path, name .. ": is of a " .. tensor.storage.type .. ", which rnnc does not read")
            else
                record.unused[#record.unused + 1] = name .. ", of a " .. tensor.storage.type
            end
        end
        return read
    end
end

return torch_tensors
