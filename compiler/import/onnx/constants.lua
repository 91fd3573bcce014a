-- constants: tensors of a graph whose values are known, and what moves them.
--
-- { shape (of dimensions), data (float32 in row-major order, as bytes) or ints (a list of dimensions) }. An axis whose
-- size is not known yet has one value, which stands for all: initial states are often of (1, batch, hidden_size).
local dimensions = require "import.onnx.dimensions"
local host = require "host"

local constants = {}

local BYTES <const>, RANK_MAX <const>, INTS_MAX <const>, SIZE_MAX <const> = 4, 8, 65536, 1 << 31

constants.RANK_MAX = RANK_MAX

-- The sizes in memory: what is not known is 1.
local function sizes_of(shape)
    local sizes = {}
    for axis, size in ipairs(shape) do sizes[axis] = math.type(size) == "integer" and size or 1 end
    return sizes
end

-- How many values there are; nil: more than would fit.
local function count_of(sizes)
    local count = 1
    for _, size in ipairs(sizes) do
        if size < 0 or size > SIZE_MAX or count > SIZE_MAX then return nil end
        count = count * size
    end
    return count
end

-- constants.count(constant) -> the values that it has in memory.
function constants.count(constant) return count_of(sizes_of(constant.shape)) end

-- constants.strides(shape) -> those of row-major order, in values.
local function strides_of(shape)
    local sizes, strides, stride = sizes_of(shape), {}, 1
    for axis = #sizes, 1, -1 do
        strides[axis] = stride
        stride = stride * sizes[axis]
    end
    return strides
end

constants.strides = strides_of

-- constants.of(tensor) -> the constant of host.onnx's tensor; nil and what is wrong with it.
function constants.of(tensor)
    local count = count_of(tensor.shape)
    if #tensor.shape > RANK_MAX then return nil, "has more than 8 axes" end
    if not count then return nil, "has a shape of no size" end
    if tensor.ints then
        if #tensor.ints ~= count or count > INTS_MAX then
            return nil, string.format("has %d values of type %s and a shape of %d", #tensor.ints, tensor.dtype, count)
        end
        return { shape = tensor.shape, ints = tensor.ints }
    elseif not tensor.data then
        return nil, "is of " .. tensor.dtype .. ", which no network here has"
    end
    local width <const> = ({ F32 = 4, F64 = 8, F16 = 2, BF16 = 2 })[tensor.dtype]
    if #tensor.data ~= count * width then
        return nil, string.format("has %d bytes of type %s and a shape of %d values", #tensor.data, tensor.dtype, count)
    end
    local data = tensor.data
    if tensor.dtype ~= "F32" then data = host.strided(data, tensor.dtype, 0, { count }, { 1 }) end
    return { shape = tensor.shape, data = data }
end

-- constants.ints(list, scalar) -> a vector of dimensions; scalar: the one in it, without an axis.
function constants.ints(list, scalar) return { shape = scalar and {} or { #list }, ints = list } end

-- constants.with_shape(constant, shape) -> the same values, as many as it has, in another shape.
function constants.with_shape(constant, shape)
    return { shape = shape, data = constant.data, ints = constant.ints }
end

-- constants.view(constant, offset, shape, strides) -> values of it in another order; offset and strides in values, a
-- stride of 0 repeats.
function constants.view(constant, offset, shape, strides)
    local sizes, result = sizes_of(shape), { shape = shape }
    local count = count_of(sizes)
    if constant.data then
        result.data = count == 0 and ""
            or assert(host.strided(constant.data, "F32", offset, sizes, strides), "a view beyond its tensor")
        return result
    end
    local list, index, from = {}, {}, offset
    for axis in ipairs(sizes) do index[axis] = 0 end
    for i = 1, count do
        list[i] = constant.ints[from + 1]
        for axis = #sizes, 1, -1 do
            index[axis], from = index[axis] + 1, from + strides[axis]
            if index[axis] < sizes[axis] then break end
            index[axis], from = 0, from - sizes[axis] * strides[axis]
        end
    end
    result.ints = list
    return result
end

-- constants.slice(constant, axis, first, count, step) -> `count` entries of an axis of known size, from 0, each `step`
-- behind the one before.
function constants.slice(constant, axis, first, count, step)
    local shape, strides = { table.unpack(constant.shape) }, strides_of(constant.shape)
    local offset = count > 0 and first * strides[axis] or 0
    shape[axis], strides[axis] = count, strides[axis] * (step or 1)
    return constants.view(constant, offset, shape, strides)
end

-- constants.transpose(constant, order) -> axis i is order[i] (from 1) of the old ones.
function constants.transpose(constant, order)
    local strides, shape, moved = strides_of(constant.shape), {}, {}
    for i, axis in ipairs(order) do shape[i], moved[i] = constant.shape[axis], strides[axis] end
    return constants.view(constant, 0, shape, moved)
end

-- constants.concat(list, axis) -> tensors side by side; nil: they are of different kinds or shapes.
function constants.concat(list, axis)
    local first, total = list[1], 0
    for _, constant in ipairs(list) do
        if not constant.data ~= not first.data or #constant.shape ~= #first.shape then return nil end
        for i, size in ipairs(constant.shape) do
            if i ~= axis and not dimensions.equal(size, first.shape[i]) then return nil end
        end
        if math.type(constant.shape[axis]) ~= "integer" then return nil end
        total = total + constant.shape[axis]
    end
    local outer, inner = 1, 1
    for i, size in ipairs(sizes_of(first.shape)) do
        if i < axis then outer = outer * size elseif i > axis then inner = inner * size end
    end
    local pieces, ints = {}, {}
    for block = 0, outer - 1 do
        for _, constant in ipairs(list) do
            local size = constant.shape[axis] * inner
            if constant.data then
                pieces[#pieces + 1] = constant.data:sub(block * size * BYTES + 1, (block + 1) * size * BYTES)
            else
                table.move(constant.ints, block * size + 1, (block + 1) * size, #ints + 1, ints)
            end
        end
    end
    local shape = { table.unpack(first.shape) }
    shape[axis] = total
    return { shape = shape, data = first.data and table.concat(pieces), ints = not first.data and ints or nil }
end

-- constants.repeated(constant, axis, count) -> an axis of size 1 becomes one of `count` equal entries.
function constants.repeated(constant, axis, count)
    local outer, inner = 1, 1
    for i, size in ipairs(sizes_of(constant.shape)) do
        if i < axis then outer = outer * size elseif i > axis then inner = inner * size end
    end
    local shape = { table.unpack(constant.shape) }
    shape[axis] = count
    if constant.data then
        local pieces = {}
        for block = 0, outer - 1 do
            pieces[block + 1] = constant.data:sub(block * inner * BYTES + 1, (block + 1) * inner * BYTES):rep(count)
        end
        return { shape = shape, data = table.concat(pieces) }
    end
    local ints = {}
    for block = 0, outer - 1 do
        for _ = 1, count do table.move(constant.ints, block * inner + 1, (block + 1) * inner, #ints + 1, ints) end
    end
    return { shape = shape, ints = ints }
end

-- constants.is_zero(constant) -> are all values 0 (of floats: 0 or -0)?
function constants.is_zero(constant)
    if constant.ints then
        for _, value in ipairs(constant.ints) do
            if value ~= 0 then return false end
        end
        return true
    end
    if constant.data == ("\0"):rep(#constant.data) then return true end
    for at = 1, #constant.data, BYTES do
        if string.unpack("<f", constant.data, at) ~= 0 then return false end
    end
    return true
end

return constants
