-- graphs: frozen graphs of TensorFlow, taken apart and put together again with a node changed: lists of values that end
-- early, constants of other shapes and types, nodes that read others.
local onnx = require "tests.support.onnx"
local support = require "tests.compiler.support"

local place = support.place()
local directory, write, run = place.directory, place.write, place.run

-- ---- protobuf: fields of a message, { field, value }, of which a text is one with a length ----

local function varint(bytes, at)
    local value, shift = 0, 0
    repeat
        local byte = bytes:byte(at)
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
    until byte < 128
    return value, at
end

local function parse(bytes)
    local list, at = {}, 1
    while at <= #bytes do
        local key, value
        key, at = varint(bytes, at)
        local wire = key & 7
        if wire == 0 then
            value, at = varint(bytes, at)
        elseif wire == 2 then
            value, at = varint(bytes, at)
            value, at = bytes:sub(at, at + value - 1), at + value
        else
            local size = wire == 5 and 4 or 8
            value, at = { bytes:sub(at, at + size - 1), wire }, at + size
        end
        list[#list + 1] = { key >> 3, value }
    end
    return list
end

local function build(list)
    local out = {}
    for i, field in ipairs(list) do
        local number, value = field[1], field[2]
        if type(value) == "table" then
            out[i] = string.char(number << 3 | value[2]) .. value[1]
        elseif type(value) == "string" then
            out[i] = onnx.bytes(number, value)
        else
            out[i] = onnx.number(number, value)
        end
    end
    return table.concat(out)
end

local function find(list, number)
    for _, field in ipairs(list) do
        if field[1] == number then return field end
    end
end

-- Fields of NodeDef, of an entry of its attributes, of AttrValue and of TensorProto (tensorflow/core/framework).
local NODE <const>, NAME <const>, INPUT <const>, ATTRIBUTE <const> = 1, 1, 3, 5
local KEY <const>, VALUE <const>, TENSOR <const> = 1, 2, 8
local DTYPE <const>, SHAPE <const>, CONTENT <const>, FLOATS <const> = 1, 2, 4, 5

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
end

-- The graph with change(fields of the node of that name) done.
local function with_node(bytes, name, change)
    local nodes, found = parse(bytes), false
    for _, node in ipairs(nodes) do
        local fields = node[1] == NODE and parse(node[2])
        if fields and find(fields, NAME)[2] == name then
            found = true
            change(fields)
            node[2] = build(fields)
        end
    end
    assert(found, name)
    return build(nodes)
end

-- The same of the constant of that name, whose TensorProto becomes what is given.
local function with_constant(bytes, name, tensor)
    return with_node(bytes, name, function(fields)
        for _, field in ipairs(fields) do
            local entry = field[1] == ATTRIBUTE and parse(field[2])
            if entry and find(entry, KEY)[2] == "value" then
                field[2] = build { { KEY, "value" }, { VALUE, build { { TENSOR, tensor } } } }
            end
        end
    end)
end

-- A TensorProto of floats (type 1) by its sizes; typed: in float_val, not in tensor_content.
local function tensor_of(sizes, values, typed, dtype)
    local dims = {}
    for i, size in ipairs(sizes) do dims[i] = { 2, onnx.number(1, size) } end
    local data = string.pack(("<" .. ("f"):rep(#values)), table.unpack(values))
    return build { { DTYPE, dtype or 1 }, { SHAPE, build(dims) }, { typed and FLOATS or CONTENT, data } }
end

local LSTM <const> = read "tests/import/mlkws_basic_lstm_s/Basic_LSTM_S.pb"
local GRU <const> = read "tests/import/mlkws_gru_s/GRU_S.pb"

local function import(bytes)
    write("a.pb", bytes)
    return run "import a.pb -o out"
end

-- The bias of 12 values of the layer behind the cells.
local function expect_bias(tensor, wanted)
    local output, code = import(with_constant(LSTM, "b_o", tensor))
    assert(code == 0, output)
    local tensors = support.read_case(directory .. "/out/model.safetensors")
    assert(os.execute("rm -r " .. directory .. "/out"))
    support.near(tensors["dense_1.bias"], wanted, 0, "b_o")
end

support.case("nothing changed is the same graph", function()
    assert(build(parse(LSTM)) == LSTM)
    assert(build(parse(GRU)) == GRU)
end)

support.case("lists of values that end early", function()
    local function filled(...)
        local list = { ... }
        for i = #list + 1, 12 do list[i] = list[i - 1] end
        return list
    end
    for _, typed in ipairs { false, true } do
        expect_bias(tensor_of({ 12 }, filled(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), typed),
            filled(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
        expect_bias(tensor_of({ 12 }, { 1, 2 }, typed), filled(1, 2))
        expect_bias(tensor_of({ 12 }, { 3 }, typed), filled(3))
        expect_bias(tensor_of({ 12 }, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11 }, typed),
            filled(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11))
    end
end)

local function numbers(count)
    local list = {}
    for i = 1, count do list[i] = i end
    return list
end

-- A constant of the LSTM's graph, its TensorProto, what is said.
local constants <const> = {
    { "b_o", tensor_of({ 12 }, {}), "node b_o (Const) has another number of values than its shape" },
    { "b_o", tensor_of({ 12 }, numbers(13)), "node b_o (Const) has another number of values than its shape" },
    { "b_o", tensor_of({ 12 }, numbers(12), false, 2),
      "node Output-Layer/add (Add) reads what is no constant of 1 axes" },
    { "b_o", tensor_of({ 3, 4 }, numbers(12)), "node Output-Layer/add (Add) reads what is no constant of 1 axes" },
    { "b_o", tensor_of({ 2 << 20 }, { 1 }), "node b_o (Const) is a million times one value" },
    { "b_o", tensor_of({ 1 << 62 }, { 1 }), "node b_o (Const) is too large" },
    { "b_o", tensor_of({ -1 }, { 1 }), "node b_o (Const) is too large" },
    { "b_o", tensor_of({ 11 }, numbers(11)), "node Output-Layer/MatMul (MatMul) is of a matrix (118, 12) and a bias of "
        .. "11, and reads 118 values" },
    { "W_o", tensor_of({ 12 }, numbers(12)),
      "node Output-Layer/MatMul (MatMul) reads what is no constant of 2 axes" },
    { "W_o", tensor_of({ 1, 12 }, numbers(12)),
      "node Output-Layer/MatMul (MatMul) is of a matrix (1, 12) and a bias of 12, and reads 118 values" },
}

support.case("constants", function()
    local wrong = {}
    for _, row in ipairs(constants) do
        local output, code = import(with_constant(LSTM, row[1], row[2]))
        local line = "a.pb: error: " .. row[3]
        if code ~= 1 or output:sub(1, #line) ~= line or not output:find "^[^\n]*\n$" then
            wrong[#wrong + 1] = line .. "\n" .. code .. ": " .. output
        end
    end
    assert(#wrong == 0, table.concat(wrong, "\n"))
end)

support.case("constants of cells", function()
    for _, row in ipairs {
        { LSTM, "lstm/rnn/basic_lstm_cell/bias", tensor_of({ 471 }, numbers(471)),
          "is of a cell whose kernel and bias do not fit each other" },
        { GRU, "rnn/multi_rnn_cell/cell_0/gru_cell/gates/bias", tensor_of({ 3 }, numbers(3)),
          "is of a cell whose kernels and biases do not fit each other" },
        { GRU, "rnn/multi_rnn_cell/cell_0/gru_cell/candidate/bias", tensor_of({ 3 }, numbers(3)),
          "is of a cell whose kernels and biases do not fit each other" },
    } do
        local output, code = import(with_constant(row[1], row[2], row[3]))
        assert(code == 1 and output:find("^a.pb: error: node [^\n]*" .. row[4] .. "\n$"), row[4] .. "\n" .. output)
    end
end)

support.case("nodes", function()
    local function input(of, number, name)
        return with_node(LSTM, of, function(fields)
            local count = 0
            for _, field in ipairs(fields) do
                if field[1] == INPUT then
                    count = count + 1
                    if count == number then field[2] = name end
                end
            end
        end)
    end
    for _, row in ipairs {
        { input("labels_softmax", 1, "none"),
          "its graph has several outputs, node Output-Layer/add (Add) and node labels_softmax (Softmax); freeze it" },
        { with_node(LSTM, "Output-Layer/MatMul", function(fields) find(fields, 2)[2] = "Relu" end),
          "node Output-Layer/MatMul (Relu) is no product, and a constant is added to it" },
        { LSTM .. build { { NODE, build { { NAME, "more" }, { 2, "Softmax" }, { INPUT, "W_o" } } } },
          "its graph has several outputs, node labels_softmax (Softmax) and node more (Softmax); freeze it for one" },
        { "\n\5\n\1a\18\9", "is no graph of TensorFlow that can be read: " },
    } do
        local output, code = import(row[1])
        local line = "a.pb: error: " .. row[2]
        assert(code == 1 and output:sub(1, #line) == line and output:find "^[^\n]*\n$", line .. "\n" .. output)
    end
end)

os.execute("rm -r " .. directory)
support.finish()
