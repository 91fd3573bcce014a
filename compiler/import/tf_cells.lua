-- tf_cells: weights of the cells of TensorFlow 1 (rnn_cell_impl.py) as PyTorch's: one kernel (inputs + units, gates *
-- units) for x and h, one bias. BasicLSTMCell has gates i j f o, where j is the candidate g, and adds forget_bias to f.
-- GRUCell has gates r u and a candidate, whose kernel takes r h, the reset before the product.
local host = require "host"
local tensors = require "import.tensors"

local tf_cells = {}

-- tf_cells.units(kernel, gates) -> units, inputs of a kernel (inputs + units, gates * units); nil: it is of none.
function tf_cells.units(kernel, gates)
    local shape = kernel.shape
    if #shape ~= 2 or shape[2] % gates ~= 0 then return nil end
    local units = shape[2] // gates
    if units < 1 or shape[1] <= units then return nil end
    return units, shape[1] - units
end

-- Rows of a kernel from `first` on, transposed: (columns, count).
local function transposed(kernel, first, count)
    local columns = kernel.shape[2]
    return { shape = { columns, count },
             data = host.strided(kernel.data, "F32", first * columns, { columns, count }, { 1, columns }) }
end

local function behind(a, b)
    return { shape = { a.shape[1] + b.shape[1], a.shape[2] }, data = a.data .. b.data }
end

-- tf_cells.basic_lstm(kernel, bias, forget_bias) -> weight_ih, weight_hh, bias_ih, bias_hh.
function tf_cells.basic_lstm(kernel, bias, forget_bias)
    local ORDER <const> = { 1, 3, 2, 4 }
    local units, inputs = tf_cells.units(kernel, #ORDER)
    local function ordered(tensor) return tensors.gates(tensor, ORDER) end
    local own = tensors.mapped(ordered(bias), function(value, i)
        return (i - 1) // units == 1 and value + forget_bias or value
    end)
    return ordered(transposed(kernel, 0, inputs)), ordered(transposed(kernel, inputs, units)), own,
        tensors.zeros(#ORDER * units)
end

-- tf_cells.gru(gates_kernel, gates_bias, kernel, bias) -> the same of a gru with reset_after = false.
function tf_cells.gru(gates_kernel, gates_bias, kernel, bias)
    local units, inputs = tf_cells.units(kernel, 1)
    local own = { shape = { 3 * units }, data = gates_bias.data .. bias.data }
    return behind(transposed(gates_kernel, 0, inputs), transposed(kernel, 0, inputs)),
        behind(transposed(gates_kernel, inputs, units), transposed(kernel, inputs, units)), own,
        tensors.zeros(3 * units)
end

-- tf_cells.names: of what these return, without the layer.
tf_cells.names = { "weight_ih", "weight_hh", "bias_ih", "bias_hh" }

return tf_cells
