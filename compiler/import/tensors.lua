-- tensors: weights of foreign files, { name, shape, data }, put into PyTorch's order. data is float32 in row-major
-- order, as host.floats makes it.
local host = require "host"

local tensors = {}

local BYTES <const> = 4

-- tensors.is(tensor, ...) -> has it that shape?
function tensors.is(tensor, ...)
    local shape = { ... }
    local same = tensor ~= nil and #tensor.shape == #shape
    for i, size in ipairs(shape) do same = same and tensor.shape[i] == size end
    return same
end

-- tensors.shape_text(shape) -> "(24, 8)".
function tensors.shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

-- tensors.transposed(matrix) -> its columns as rows.
function tensors.transposed(matrix)
    local rows, columns = matrix.shape[1], matrix.shape[2]
    return {
        name = matrix.name, shape = { columns, rows },
        data = host.strided(matrix.data, "F32", 0, { columns, rows }, { 1, columns }),
    }
end

-- tensors.gates(tensor, order) -> its rows in #order blocks, which are put in another order: block i is order[i] of
-- the old ones.
function tensors.gates(tensor, order)
    local size, blocks = #tensor.data // #order, {}
    for i, from in ipairs(order) do blocks[i] = tensor.data:sub((from - 1) * size + 1, from * size) end
    return { name = tensor.name, shape = tensor.shape, data = table.concat(blocks) }
end

-- tensors.slice(tensor, first, count) -> rows first (from 1) to first + count - 1; of a matrix with `flat` as a vector.
function tensors.slice(tensor, first, count, flat)
    local size = #tensor.data // tensor.shape[1]
    local shape = table.move(tensor.shape, 2, #tensor.shape, 2, { count })
    return {
        name = tensor.name, shape = flat and { tensor.shape[2] } or shape,
        data = tensor.data:sub((first - 1) * size + 1, (first - 1 + count) * size),
    }
end

-- tensors.stacked(list) -> the rows of all, of tensors that differ in their number alone.
function tensors.stacked(list)
    local rows, parts = 0, {}
    for i, tensor in ipairs(list) do rows, parts[i] = rows + tensor.shape[1], tensor.data end
    return { shape = table.move(list[1].shape, 2, #list[1].shape, 2, { rows }), data = table.concat(parts) }
end

-- tensors.zeros(count) -> a vector of zeros.
function tensors.zeros(count) return { shape = { count }, data = ("\0"):rep(count * BYTES) } end

-- tensors.mapped(tensor, change) -> its values, each change(value, index from 1) in its place, rounded to float32.
function tensors.mapped(tensor, change)
    local values = {}
    for i = 1, #tensor.data // BYTES do
        values[i] = change(string.unpack("<f", tensor.data, BYTES * (i - 1) + 1), i)
    end
    return { name = tensor.name, shape = tensor.shape, data = host.floats(values) }
end

-- tensors.reshaped(tensor, ...) -> the same values in that shape, nil if there are not as many.
function tensors.reshaped(tensor, ...)
    local count, shape = 1, { ... }
    for _, size in ipairs(shape) do count = count * size end
    return count * BYTES == #tensor.data and { name = tensor.name, shape = shape, data = tensor.data } or nil
end

-- tensors.named(tensor, name) -> the same under that name.
function tensors.named(tensor, name) return { name = name, shape = tensor.shape, data = tensor.data } end

return tensors
