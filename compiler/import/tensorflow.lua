-- tensorflow: frozen graphs of TensorFlow 1 (a GraphDef, .pb), in which dynamic_rnn is a while loop. From the output
-- back: functions, MatMul and Add of constants, then the Exit of the loop, whose body has to compute a BasicLSTMCell or
-- a GRUCell (or several, each on the one before) of what a TensorArray has for the step, from a state of zeros.
local match = require "import.tensorflow_match"
local tensors = require "import.tensors"
local tf_cells = require "import.tf_cells"

local FLOAT <const>, BYTES <const>, VALUES_MAX <const>, LAYERS_MAX <const> = 1, 4, 1 << 28, 64

-- Functions by operation.
local functions <const> = {
    Softmax = "softmax", LogSoftmax = "log_softmax", Relu = "relu", Relu6 = "relu6", Tanh = "tanh",
    Sigmoid = "sigmoid", Elu = "elu", Selu = "selu", Softplus = "softplus", Softsign = "softsign",
}

local additions <const> = { Add = true, AddV2 = true, BiasAdd = true }

-- A node in a message, in one line.
local function named(node)
    return string.format("node %s (%s)", (node.name:sub(1, 200):gsub("%c", "?")), (node.op:sub(1, 40):gsub("%c", "?")))
end

-- The float tensor of a constant; nil: the place is none. A list of values may end early: the last one stands for the
-- rest (tensor.proto).
local function constant(graph, place)
    local value = place and place.node.op == "Const" and place.node.value
    if not value or value.dtype ~= FLOAT then return nil end
    local count = 1
    for _, size in ipairs(value.shape) do
        if size < 0 or size > VALUES_MAX or count * size > VALUES_MAX then graph.bad(place.node, "is too large") end
        count = count * size
    end
    local data = value.data
    if #data >= BYTES and #data < count * BYTES and #data % BYTES == 0 then
        if count > (1 << 20) then graph.bad(place.node, "is a million times one value") end
        data = data .. data:sub(-BYTES):rep(count - #data // BYTES)
    end
    if #data ~= count * BYTES then graph.bad(place.node, "has another number of values than its shape") end
    return { shape = table.move(value.shape, 1, #value.shape, 1, {}), data = data }
end

-- The constant of so many axes that an operation of a cell or layer reads.
local function weight(graph, place, rank, of)
    local tensor = constant(graph, place)
    if not tensor or #tensor.shape ~= rank then
        graph.bad(of, string.format("reads what is no constant of %d axes", rank))
    end
    return tensor
end

local function scalar(graph, place)
    local tensor = constant(graph, place)
    return tensor and #tensor.data == BYTES and string.unpack("<f", tensor.data) or nil
end

-- Does a variable of the loop begin as zeros, and is it `new` in the next step? place: where the body reads it.
local function check_variable(graph, place, new, cell)
    local merge = place.node.op == "Switch" and place.port == 1 and graph.place(place.node.inputs[1])
    local first = merge and merge.node.op == "Merge" and graph.place(merge.node.inputs[1])
    local following = first and graph.raw(merge.node.inputs[2])
    local again = following and following.node.op == "NextIteration" and graph.place(following.node.inputs[1])
    if not again or not match.same(again, new) then
        graph.bad(cell, "reads a state that is not its own of the step before")
    end
    local value = first.node.op == "Fill" and graph.place(first.node.inputs[2]) or first
    local tensor = constant(graph, value)
    if not tensor or tensor.data:find("[^%z]") then
        graph.bad(cell, "begins with a state that is not zero, which rnnc reads of no graph")
    end
end

-- The cell that gives the place: { kind, units, inputs, tensors, below = the place of what it reads }.
local function cell_of(graph, place)
    local found = match.lstm(graph, place)
    if found then
        local kernel, bias = weight(graph, found.kernel, 2, place.node), weight(graph, found.bias, 1, place.node)
        local forget = scalar(graph, found.forget)
        local units, inputs = tf_cells.units(kernel, 4)
        if not units or bias.shape[1] ~= 4 * units or not forget then
            graph.bad(place.node, "is of a cell whose kernel and bias do not fit each other")
        end
        check_variable(graph, found.h, place, place.node)
        check_variable(graph, found.c, found.new_c, place.node)
        return { kind = "lstm", units = units, inputs = inputs, below = found.x,
                 tensors = { tf_cells.basic_lstm(kernel, bias, forget) },
                 text = string.format("gates i j f o as i f g o, forget_bias %g", forget) }
    end
    found = match.gru(graph, place)
    if not found then graph.bad(place.node, "is no BasicLSTMCell and no GRUCell; rnnc reads loops of these") end
    local kernel, bias = weight(graph, found.kernel, 2, place.node), weight(graph, found.bias, 1, place.node)
    local own, own_bias = weight(graph, found.own, 2, place.node), weight(graph, found.own_bias, 1, place.node)
    local units, inputs = tf_cells.units(own, 1)
    if not units or kernel.shape[1] ~= units + inputs or kernel.shape[2] ~= 2 * units or bias.shape[1] ~= 2 * units
        or own_bias.shape[1] ~= units or scalar(graph, found.one) ~= 1 then
        graph.bad(place.node, "is of a cell whose kernels and biases do not fit each other")
    end
    check_variable(graph, found.h, place, place.node)
    return { kind = "gru", units = units, inputs = inputs, below = found.x,
             text = "gates r u c as r z n, reset_after = false",
             tensors = { tf_cells.gru(kernel, bias, own, own_bias) } }
end

-- The cells of the loop that an Exit ends, the lowest first, and the node of what the lowest reads.
local function loop_of(graph, exit)
    local switch = graph.place(exit.inputs[1])
    local merge = switch and switch.node.op == "Switch" and graph.place(switch.node.inputs[1])
    local following = merge and merge.node.op == "Merge" and graph.raw(merge.node.inputs[2])
    local place = following and following.node.op == "NextIteration" and graph.place(following.node.inputs[1])
    if not place then graph.bad(exit, "ends no loop of dynamic_rnn") end
    local cells = {}
    while place.node.op ~= "TensorArrayReadV3" do
        if #cells == LAYERS_MAX then graph.bad(exit, "ends a loop of more than 64 cells") end
        table.insert(cells, 1, cell_of(graph, place))
        place = cells[1].below
    end
    local scatter = graph.place(place.node.inputs[3])
    local x = scatter and scatter.node.op == "TensorArrayScatterV3" and graph.place(scatter.node.inputs[3])
    if not x then graph.bad(place.node, "reads no sequence as a whole") end
    local turned = x.node.op == "Transpose" and graph.place(x.node.inputs[1])
    return cells, (turned or x).node, turned and "(batch, time, values)" or "(time, batch, values)"
end

-- The layers behind the loop, first to last, and its Exit.
local function tail_of(graph, place)
    local list, bias = {}, nil
    while place.node.op ~= "Exit" do
        local node, inputs = place.node, {}
        if #list > LAYERS_MAX then graph.bad(node, "is behind more than 64 layers") end
        for i = 1, 2 do inputs[i] = node.inputs[i] and graph.place(node.inputs[i]) end
        if not inputs[1] then graph.bad(node, "is no part of a network that rnnc reads") end
        if node.op == "MatMul" and inputs[2] and not node.flags.transpose_a and not node.flags.transpose_b then
            local matrix = weight(graph, inputs[2], 2, node)
            table.insert(list, 1, { form = "dense", node = node, matrix = matrix, bias = bias })
            bias, place = nil, inputs[1]
        elseif node.op == "MatMul" then
            graph.bad(node, "is no product with a constant as it is")
        elseif bias then
            graph.bad(node, "is no product, and a constant is added to it")
        elseif functions[node.op] then
            table.insert(list, 1, { form = "activation", node = node, fields = { activation = functions[node.op] } })
            place = inputs[1]
        elseif additions[node.op] and inputs[2] then
            if constant(graph, inputs[1]) then inputs[1], inputs[2] = inputs[2], inputs[1] end
            bias, place = weight(graph, inputs[2], 1, node), inputs[1]
        else
            graph.bad(node, "is no part of a network that rnnc reads")
        end
    end
    if bias then graph.bad(place.node, "is no product, and a constant is added to it") end
    return list, place.node
end

local function put_cells(cells, record)
    local function add(tensor, name) table.insert(record.tensors, tensors.named(tensor, name)) end
    local number, level = 0, 0
    for i, cell in ipairs(cells) do
        local before = cells[i - 1]
        if before and before.kind == cell.kind and before.units == cell.units then
            level = level + 1
            record.layers[number].fields.num_layers = level + 1
        else
            number, level = number + 1, 0
            record.layers[number] = { form = "rnn", fields = {
                cell = cell.kind, hidden_size = cell.units, prefix = string.format("rnn_%d.", number),
                input_size = number == 1 and cell.inputs or nil,
            } }
            if cell.kind == "gru" then record.layers[number].fields.reset_after = false end
        end
        for k, tensor in ipairs(cell.tensors) do
            add(tensor, string.format("rnn_%d.%s_l%d", number, tf_cells.names[k], level))
        end
        table.insert(record.became, { string.format("cell %d of %d -> %d", i - 1, cell.inputs, cell.units),
                                      string.format("rnn, transposed, %s, rnn_%d.*_l%d", cell.text, number, level) })
    end
    return cells[#cells].units
end

local function put_tail(graph, list, width, record)
    local dense = 0
    for _, layer in ipairs(list) do
        local what = named(layer.node)
        if layer.form == "dense" then
            local shape, prefix = layer.matrix.shape, string.format("dense_%d.", dense + 1)
            if shape[1] ~= width or layer.bias and layer.bias.shape[1] ~= shape[2] or shape[2] < 1 then
                graph.bad(layer.node, string.format("is of a matrix %s%s, and reads %d values",
                    tensors.shape_text(shape), layer.bias and " and a bias of " .. layer.bias.shape[1] or "", width))
            end
            table.insert(record.tensors, tensors.named(tensors.transposed(layer.matrix), prefix .. "weight"))
            if layer.bias then table.insert(record.tensors, tensors.named(layer.bias, prefix .. "bias")) end
            layer.fields = { units = shape[2], bias = layer.bias ~= nil, prefix = prefix }
            if dense == 0 then layer.fields.last_step = true end
            width, dense = shape[2], dense + 1
            table.insert(record.became, { what, "dense, transposed, " .. prefix .. "*" })
        else
            table.insert(record.became, { what, "activation " .. layer.fields.activation })
        end
        local before = record.layers[#record.layers]
        if layer.form == "activation" and before.form == "dense" and not before.fields.activation then
            before.fields.activation = layer.fields.activation
        else
            table.insert(record.layers, { form = layer.form, fields = layer.fields })
        end
    end
    if dense == 0 then table.insert(record.open, "the output of the file is the last step of y") end
end

local function read(file)
    local graph = match.graph(file, named)
    local place = match.output(graph)
    local list, exit = tail_of(graph, place)
    local cells, x, order = loop_of(graph, exit)
    local record = { layers = {}, fields = {}, tensors = {}, became = {}, unused = {}, doubts = {}, open = {} }
    for i, cell in ipairs(cells) do
        if i > 1 and cell.inputs ~= cells[i - 1].units then
            graph.bad(exit, "ends a loop of cells that do not fit on each other")
        end
    end
    put_tail(graph, list, put_cells(cells, record), record)
    table.insert(record.open, string.format("x is what %s gives, there %s; what is before it is the program's",
        named(x), order))
    return record
end

return {
    format = "a frozen graph of TensorFlow 1",
    -- Field 1 of a GraphDef, a node, whose field 1 is its name and field 2 its operation.
    can_read = function(file)
        local at = file.bytes:match("^\n[\128-\255]?[\128-\255]?[\0-\127]\n()")
        local length = at and file.bytes:byte(at)
        return length ~= nil and length > 0 and length < 128 and file.bytes:byte(at + length + 1) == 0x12
    end,
    read = read,
}
