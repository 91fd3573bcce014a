-- json: what import says of networks in JSON that lie or that have what rnnc has not: RTNeural's, deeplearn.js', and
-- configs of Keras in an archive; a row each.
local support = require "tests.compiler.support"
local zip = require "tests.support.zip"

local place = support.place()
local write, run = place.write, place.run

local wrong = {}

-- Imports `file`; what is said has to begin with the line, or, without one, it is read.
local function try(file, line, what)
    local output, code = run("import " .. file .. " -o out")
    if code == 0 then assert(os.execute("rm -r " .. place.directory .. "/out")) end
    local wanted = line and file .. ": error: " .. line
    local fine = not line and code == 0
        or line and code == 1 and output:sub(1, #wanted) == wanted and output:find "^[^\n]*\n$"
    if not fine then
        wrong[#wrong + 1] = string.format("%s\nis to be %s\n%d: %s", what, wanted or "read", code, output)
    end
end

local function finish()
    local text = table.concat(wrong, "\n")
    wrong = {}
    assert(text == "", text)
end

-- Nested lists of numbers of that shape.
local function array(rows, columns)
    if not columns then return "[" .. ("0.5,"):rep(rows):sub(1, -2) .. "]" end
    return "[" .. (array(columns) .. ","):rep(rows):sub(1, -2) .. "]"
end

-- ---- RTNeural ----

local function rtneural_layer(kind, weights, more)
    return string.format('{"type":"%s","weights":[%s]%s}', kind, table.concat(weights, ","), more or "")
end

local LSTM <const> = rtneural_layer("lstm", { array(1, 8), array(2, 8), array(8) })
local DENSE <const> = rtneural_layer("dense", { array(2, 1), array(1) })

-- Layers, what is said, in_shape.
local rtneural <const> = {
    { LSTM .. "," .. DENSE },
    { rtneural_layer("gru", { array(1, 6), array(2, 6), array(2, 6) }) .. "," .. DENSE },
    { rtneural_layer("gru", { array(1, 6), array(2, 6), array(6) }) .. "," .. DENSE },
    { '{"type":"activation","activation":"tanh"},' .. LSTM,
      "layers[0] (activation): is of x itself, which rnnc has not; the program can apply it" },
    { LSTM .. ',{"type":"activation","activation":"tinh"}', 'layers[1] (activation): rnnc has no function "tinh"' },
    { LSTM .. ',{"activation":"tanh"}', "layers[1] has no type" },
    { LSTM .. ',7', "layers[1] has no type" },
    { LSTM .. ',{"type":"conv1d"}', "layers[1] (conv1d): rnnc has no such layer" },
    { '{"type":"lstm"}', "layers[0] (lstm): has no weights" },
    { rtneural_layer("lstm", { "[1,[2]]", "[]" }), "layers[0] (lstm): weights[0] is no array of numbers" },
    { rtneural_layer("lstm", { "[[1,2],[3]]", "[]" }), "layers[0] (lstm): weights[0] is no array of numbers" },
    { rtneural_layer("lstm", { array(1, 8), array(2, 8) }),
      "layers[0] (lstm): needs weights [kernel, recurrent kernel, bias]" },
    { rtneural_layer("lstm", { array(1, 8), array(2, 8), array(8), array(8) }),
      "layers[0] (lstm): needs weights [kernel, recurrent kernel, bias]" },
    { rtneural_layer("lstm", { array(1, 8), array(2, 8), array(8) }, ',"activation":"relu"'),
      'layers[0] (lstm): rnnc\'s lstm has tanh where this has "relu"' },
    { rtneural_layer("lstm", { array(1, 7), array(2, 8), array(8) }),
      "layers[0] (lstm): its kernel is (1, 7), and (1, 8) is expected" },
    { rtneural_layer("lstm", { array(2, 8), array(2, 8), array(8) }),
      "layers[0] (lstm): its kernel is (2, 8), and (1, 8) is expected" },
    { rtneural_layer("lstm", { array(1, 8), array(2, 7), array(8) }),
      "layers[0] (lstm): its recurrent kernel is (2, 7), and (2, 8) is expected" },
    { rtneural_layer("lstm", { array(1, 8), array(2, 8), array(7) }),
      "layers[0] (lstm): its bias is (7), and (8) is expected" },
    { rtneural_layer("gru", { array(1, 6), array(2, 6), array(3, 6) }),
      "layers[0] (gru): its bias is (3, 6), and (2, 6) is expected" },
    { rtneural_layer("gru", { array(1, 6), array(2, 6), array(5) }),
      "layers[0] (gru): its bias is (5), and (6) is expected" },
    { rtneural_layer("dense", { array(1) }), "layers[0] (dense): needs weights [kernel, bias]" },
    { rtneural_layer("dense", { array(1, 2), array(2), array(2) }), "layers[0] (dense): needs weights [kernel, bias]" },
    { LSTM .. "," .. rtneural_layer("dense", { array(3, 1), array(1) }),
      "layers[1] (dense): its kernel is (3, 1), and (2, 1) is expected" },
    { LSTM .. "," .. rtneural_layer("dense", { array(2, 1), array(2) }),
      "layers[1] (dense): its bias is (2), and (1) is expected" },
    { LSTM, "in_shape does not end in the number of inputs", "[null,null]" },
    { LSTM, "in_shape does not end in the number of inputs", "[0]" },
    { LSTM, "in_shape does not end in the number of inputs", "[1.5]" },
    { LSTM, "in_shape does not end in the number of inputs", "1" },
}

support.case("RTNeural", function()
    for _, row in ipairs(rtneural) do
        local text = string.format('{"in_shape":%s,"layers":[%s]}', row[3] or "[null,null,1]", row[1])
        write("net.json", text)
        try("net.json", row[2], text)
    end
    write("net.json", '{"in_shape":[1],"layers":"' .. ("x"):rep(17 << 20) .. '"}')
    try("net.json", "JSON of more than 16 MB; is it a network?", "17 MB")
    finish()
end)

-- Fields beside the layers, the last layer, what is printed, what is in the spec.
local besides <const> = {
    { "", DENSE, "left open:  the sample rate, which has to be that of the training\n", "dense { units = 1, prefix" },
    { '"samplerate":44100,', DENSE, "left open:  the network is for 44100 samples a second\n", "dense {" },
    { '"metadata":{"samplerate":48000},', DENSE, "left open:  the network is for 48000 samples a second\n", "dense {" },
    { '"in_skip":1,', DENSE, "in_skip = 1      became residual = true: x is added to y\n", "residual = true" },
    { '"in_skip":0,', DENSE, "dense of 2 -> 1  became dense, transposed, layers.1.*\n", "dense { units = 1, prefix" },
    { '"in_gain":-6,"out_gain":3,', DENSE,
      "in_gain = -6: the program amplifies x before the network by -6 dB\n", "dense" },
    { '"in_gain":-6,"out_gain":3,', DENSE,
      "out_gain = 3: the program amplifies y behind the network by 3 dB\n", "dense" },
    { "", rtneural_layer("dense", { array(2, 1) }),
      "dense, transposed, layers.1.*", "dense { units = 1, bias = false," },
    { "", rtneural_layer("dense", { array(2, 1), array(1) }, ',"activation":"tanh"'), "dense, transposed",
      'dense { units = 1, activation = "tanh", prefix' },
    { "", DENSE .. ',{"type":"activation","activation":"relu"}', "activation relu  became of the layer before",
      'dense { units = 1, activation = "relu", prefix' },
}

support.case("what RTNeural's files say besides", function()
    for _, row in ipairs(besides) do
        write("net.json", string.format('{%s"in_shape":[1],"layers":[%s,%s]}', row[1], LSTM, row[2]))
        local output, code = run "import net.json -o out"
        assert(code == 0 and output:find(row[3], 1, true), row[3] .. "\n" .. output)
        local file <close> = assert(io.open(place.directory .. "/out/model.lua"))
        local text = file:read "a"
        assert(text:find(row[4], 1, true), row[4] .. "\n" .. text)
        assert((text:find("residual", 1, true) ~= nil) == (row[4]:find "residual" ~= nil), text)
        assert(os.execute("rm -r " .. place.directory .. "/out"))
    end
end)

-- ---- deeplearn.js ----

-- Arrays "name rows columns" or "name rows", which lie in a file of that many values.
local function manifest(list)
    local entries = {}
    for i, text in ipairs(list) do
        local name, rows, columns = text:match "^(%S+) (%d+) ?(%d*)$"
        local shape = columns == "" and rows or rows .. "," .. columns
        entries[i] = string.format('"%s":{"filename":"v%d","shape":[%s]}', name, i, shape)
        write("v" .. i, ("\0\0\0\0"):rep(math.tointeger(rows) * (math.tointeger(columns) or 1)))
    end
    return "{" .. table.concat(entries, ",") .. "}"
end

local CELL <const> = "rnn/multi_rnn_cell/cell_%d/basic_lstm_cell/%s"
local function cells(...)
    local list = { "embedding 5 3", CELL:format(0, "kernel") .. " 5 8", CELL:format(0, "bias") .. " 8",
                   "softmax_w 2 4", "softmax_b 4" }
    for i, text in pairs { ... } do list[i] = text or nil end
    local there = {}
    for i = 1, 8 do there[#there + 1] = list[i] end
    return there
end

local deeplearn <const> = {
    { cells() },
    { cells(nil, CELL:format(0, "weights") .. " 5 8", CELL:format(0, "biases") .. " 8") },
    { cells("embedding 15"), '"embedding": is (15), and has to have 2 axes' },
    { cells(nil, nil, nil, "softmax_w 8"), '"softmax_w": is (8), and has to have 2 axes' },
    { cells(nil, nil, nil, "softmax_w 3 4"), '"softmax_w": is (3, 4), and (2, 4) is expected' },
    { cells(nil, nil, nil, nil, nil, "b/embedding 5 3"), '"b/embedding": there are two such arrays' },
    { cells(nil, nil, nil, nil, nil, CELL:format(0, "weights") .. " 5 8"),
      '"' .. CELL:format(0, "weights") .. '": there are two such arrays' },
    { cells(nil, CELL:format(0, "kernel") .. " 6 8"), '"' .. CELL:format(0, "kernel") .. '": is (6, 8) with a bias of '
        .. "8, of no cell that reads 3 values and has as many units as the others" },
    { cells(nil, nil, CELL:format(0, "bias") .. " 7"), '"' .. CELL:format(0, "kernel") .. '": is (5, 8) with a bias of '
        .. "7, of no cell that reads 3 values and has as many units as the others" },
    { cells(nil, nil, nil, nil, nil, CELL:format(1, "kernel") .. " 6 16", CELL:format(1, "bias") .. " 16"),
      '"' .. CELL:format(1, "kernel") .. '": is (6, 16) with a bias of 16, of no cell that reads 2 values' },
    { cells(nil, nil, nil, nil, nil, CELL:format(1, "kernel") .. " 4 8"),
      "has no array bias 1 of a network of BasicLSTMCells between embedding and softmax_w" },
    { cells(nil, CELL:format(200, "kernel") .. " 5 8"), "more than 128 cells" },
    { { "embedding 5 3", "softmax_w 2 4", "softmax_b 4" },
      "has no array kernel 0 of a network of BasicLSTMCells between embedding and softmax_w" },
}

support.case("deeplearn.js", function()
    for _, row in ipairs(deeplearn) do
        local text = manifest(row[1])
        write("manifest.json", text)
        try("manifest.json", row[2], text)
    end
    local entries = {}
    for i = 1, 4097 do entries[i] = string.format('"a%d":{"filename":"v1","shape":[1]}', i) end
    write("manifest.json", "{" .. table.concat(entries, ",") .. "}")
    try("manifest.json", "more than 4096 arrays", "4097 arrays")
    for _, row in ipairs {
        { '"v1","shape":[0]', "its shape has what is no size" },
        { '"v1","shape":[1.5]', "its shape has what is no size" },
        { '"v1","shape":[65536,65536]', "its shape is of too many values" },
        { '"../v1","shape":[5,3]', "its filename is none of a file beside the manifest" },
        { '"","shape":[5,3]', "its filename is none of a file beside the manifest" },
        { '"none","shape":[5,3]', "cannot be opened: No such file or directory" },
        { '"v1","shape":[5,4]', "its file has 60 bytes, and (5, 4) is 20 values of 4" },
    } do
        write("v1", ("\0"):rep(60))
        write("manifest.json", '{"embedding":{"filename":' .. row[1] .. "}}")
        try("manifest.json", '"embedding": ' .. row[2], row[1])
    end
    finish()
end)

-- ---- Keras ----

-- The weights of tests/import/keras/functions.keras: gru of 2 -> 4, lstm of 4 -> 5, gru_1 of 5 -> 3.
local function weights()
    local file <close> = assert(io.open("tests/import/keras/functions.keras", "rb"))
    local text = file:read "a"
    local name = text:find("model.weights.h5", 1, true)
    local size, length, more = string.unpack("<I4I2I2", text, name - 8)
    return text:sub(name + length + more, name + length + more + size - 1)
end

local function layer(class, config, name, sources)
    local nodes = {}
    for i, source in ipairs(sources or {}) do nodes[i] = string.format('["%s",0,0,{}]', source) end
    return string.format('{"class_name":"%s","config":{%s"name":"%s"},"inbound_nodes":[[%s]]}', class,
        config and config .. "," or "", name, table.concat(nodes, ","))
end

local SHAPE <const> = '"batch_shape":[null,null,2]'
local UNITS <const> = '"units":4,"return_sequences":true,"reset_after":true,' .. SHAPE
local GRU <const> = layer("GRU", UNITS, "gru", { "x" })
local X <const> = layer("InputLayer", SHAPE, "x")
local END <const> = layer("GRU", '"units":4,"reset_after":true,' .. SHAPE, "gru", { "x" })

local function model(class, outputs, ...)
    return string.format('{"class_name":"%s","config":{"layers":[%s]%s}}', class, table.concat({ ... }, ","),
        outputs and ',"output_layers":' .. outputs or "")
end
local function sequential(...) return model("Sequential", nil, ...) end
local function functional(outputs, ...) return model("Functional", outputs, ...) end

local keras <const> = {
    { sequential(GRU) },
    { functional('[["gru",0,0]]', X, GRU) },
    { functional('[["gru",0,0],["gru",0,1]]', X, GRU) },
    { '{"class_name":"Sequential","config":[' .. GRU .. "]}" },
    { "[]", "the config is of no model; rnnc reads Sequential and Functional models" },
    { "{", "config.json is no JSON that can be read, line 1: " },
    { sequential(), 'the config is of "Sequential"; rnnc reads Sequential and Functional models' },
    { sequential((GRU .. ","):rep(1000) .. GRU), "the model has more than 1000 layers" },
    { sequential(X), "the model has no layers" },
    { sequential("7"), "config.layers[0] has no class_name or no config" },
    { functional("[]", X, GRU), "output_layers of the model's config names no layer" },
    { functional('[["none",0,0]]', X, GRU),
      'the config of the model does not lead from its output "none" to an input' },
    { functional('[["b",0,0]]', layer("GRU", UNITS, "a", { "b" }), layer("GRU", UNITS, "b", { "a" })),
      'the config of the model does not lead from its output "b" to an input' },
    { functional('[["gru",0,1]]', X, GRU), 'a layer reads the state of "gru"; rnnc reads its output' },
    { functional('[["sum",0,0]]', X, GRU, layer("Add", nil, "sum", { "x", "gru" })),
      'layer "sum" reads "x" and "gru"; rnnc has layers that follow each other' },
    { functional('[["gru",0,0]]', X, layer("GRU", UNITS, "gru")), 'layer "gru" reads nothing' },
    { functional('[["gru",0,0]]', X, GRU, layer("GRU", UNITS, "other", { "x" })),
      'layer "other" is on another way than that to the first output, "gru"; rnnc has layers that follow each other' },
    { functional('[["gru",0,0],["other",0,0]]', X, GRU, layer("GRU", UNITS, "other", { "x" })),
      "GRU gru: is one of several outputs; rnnc reads dense layers side by side, which read the same" },
    { sequential(layer("GRU", '"units":4', "gru")),
      'layer "gru" (GRU): the model does not tell how many values are in a step' },
    { sequential(layer("Activation", '"activation":"relu",' .. SHAPE, "f"), GRU),
      'layer "f" (Activation): is of x itself, which rnnc has not; the program can apply it' },
    { sequential(layer("ReLU", SHAPE, "f"), GRU),
      'layer "f" (ReLU): is of x itself, which rnnc has not; the program can apply it' },
    { sequential(END, layer("TimeDistributed", '"layer":{"class_name":"Dense","config":{"units":2}}', "t")),
      'layer "t" (TimeDistributed): it stands behind a layer that gives the last step only' },
    { sequential(GRU, layer("TimeDistributed", '"layer":{"class_name":"GRU","config":{"units":2}}', "t")),
      'layer "t" (TimeDistributed): rnnc reads TimeDistributed around Dense' },
    { sequential(GRU, layer("Dense", '"units":2', "d")), 'layer "d" (Dense): there is no kernel of it in the file' },
    { sequential(GRU, layer("LSTM", '"units":4', "l")),
      'layer "l" (LSTM): its kernel is (4, 20), and (4, 16) is expected' },
    { sequential(GRU, layer("LSTM", '"units":5,"return_sequences":true', "l"), layer("LSTM", '"units":5', "m")),
      'layer "m" (LSTM): there are no weights kernel and recurrent_kernel of it in the file' },
    { sequential(layer("Embedding", '"input_dim":4,"output_dim":2', "e")),
      'layer "e" (Embedding): there are no embeddings of it in the file' },
    { sequential(layer("Embedding", '"input_dim":0,"output_dim":2', "e")),
      'layer "e" (Embedding): input_dim is no number above 0' },
    { sequential(GRU, layer("ReLU", '"max_value":2000', "f")),
      'layer "f" (ReLU): max_value = 2000; rnnc has more than 0, and at most 1000' },
    { sequential(GRU, layer("ReLU", '"threshold":0.5', "f")),
      'layer "f" (ReLU): a ReLU with a threshold, or with max_value and a slope, which rnnc has not' },
    { sequential(GRU, layer("ReLU", '"max_value":1,"negative_slope":0.5', "f")),
      'layer "f" (ReLU): a ReLU with a threshold, or with max_value and a slope, which rnnc has not' },
    { sequential(GRU, layer("Rescaling", '"scale":2,"offset":1', "r")) },
    { sequential(GRU, layer("Rescaling", '"scale":[1,2]', "r")), 'layer "r" (Rescaling): its scale is a list' },
    { sequential(GRU, layer("Rescaling", '"offset":[1,2]', "r")), 'layer "r" (Rescaling): its offset is a list' },
    { sequential(GRU, layer("Normalization", '"axis":1', "n")),
      'layer "n" (Normalization): it is along another axis than the last one' },
    { sequential(GRU, layer("BatchNormalization", '"axis":[1]', "n")),
      'layer "n" (BatchNormalization): it is along another axis than the last one' },
    { sequential(GRU, layer("Normalization", '"axis":-1,"invert":true', "n")),
      'layer "n" (Normalization): an inverse one, which rnnc does not read' },
    { sequential(GRU, layer("Normalization", '"axis":[2]', "n")),
      'layer "n" (Normalization): there is no mean of it in the file' },
    { sequential(GRU, layer("BatchNormalization", '"axis":[2]', "n")),
      'layer "n" (BatchNormalization): there is no moving_mean of it in the file' },
    { sequential(GRU, layer("PReLU", nil, "p")), 'layer "p" (PReLU): there is no alpha of it in the file' },
    { sequential(GRU, layer("Conv1D", nil, "c")), 'layer "c" (Conv1D): rnnc has no such layer' },
    { sequential(GRU, layer("RepeatVector", nil, "r")), 'layer "r" (RepeatVector): rnnc has no such layer: the last' },
    { sequential(layer("GRU", UNITS .. ',"go_backwards":true', "gru"),
        layer("Bidirectional", '"layer":{"class_name":"LSTM","config":{"units":5}}', "b")),
      'layer "b" (Bidirectional): Bidirectional of a sequence that is reversed' },
    { sequential(GRU, layer("Bidirectional", '"layer":{"class_name":"LSTM","config":{"units":5}},'
        .. '"backward_layer":{"class_name":"LSTM","config":{"units":6}}', "b")),
      'layer "b" (Bidirectional): its two directions differ in units' },
}

-- Fields of the config of the first layer, what is left open, and what is not.
local opens <const> = {
    { '"return_sequences":true,"batch_shape":[null,null,2]', nil, "left open:  s" },
    { '"return_sequences":true,"batch_shape":[null,null,2]', nil, "left open:  the state" },
    { '"return_sequences":true,"stateful":true,"batch_shape":[null,null,2]',
      "the state: give hn and cn to the next call as h0 and c0, as stateful = True does\n" },
    { '"return_sequences":true,"batch_shape":[null,1,2]',
      "the state: give hn and cn to the next call as h0 and c0, as stateful = True does\n" },
    { '"return_sequences":true,"batch_shape":[null,1,2]', "seq_len: the model is for 1 step in a call\n" },
    { '"return_sequences":true,"batch_shape":[null,7,2]', "seq_len: the model is for 7 steps in a call\n" },
    { '"batch_shape":[null,null,2]', "which step: the model gives the last state alone (return_sequences = False), "
        .. "which is hn; y has all steps\n" },
    { '"return_sequences":true,"go_backwards":true,"batch_shape":[null,null,2]', "the order of y: the model gives the "
        .. "last step first (go_backwards = True), rnnc has y in the order of x\n" },
}

support.case("what Keras' models leave open", function()
    local h5 <const> = weights()
    for _, row in ipairs(opens) do
        write("net.keras", zip { { "config.json", sequential(layer("GRU", '"units":4,"reset_after":true,' .. row[1],
            "gru")) }, { "model.weights.h5", h5 } })
        local output, code = run "import net.keras -o out"
        if output:find("was built without libhdf5", 1, true) then return end
        assert(code == 0 and (not row[2] or output:find(row[2], 1, true)) and not (row[3] and output:find(row[3], 1,
            true)), (row[2] or row[3]) .. "\n" .. output)
        assert(os.execute("rm -r " .. place.directory .. "/out"))
    end
end)

support.case("Keras", function()
    local h5 <const> = weights()
    for _, row in ipairs(keras) do
        write("net.keras", zip { { "config.json", row[1] }, { "model.weights.h5", h5 },
                                 { "metadata.json", '{"keras_version":"3.0.0"}' } })
        local output = run "check net.keras"
        if output:find("was built without libhdf5", 1, true) then return end
        try("net.keras", row[2], row[1]:sub(1, 1000))
    end
    write("net.keras", zip { { "config.json", (" "):rep((4 << 20) + 1) }, { "model.weights.h5", h5 } })
    try("net.keras", "config.json has more than 4 MB; is it a network?", "4 MB")
    write("net.keras", zip { { "config.json", sequential(GRU) }, { "model.weights.h5", h5 }, { "metadata.json", "{" } })
    try("net.keras", "metadata.json is no JSON that can be read, line 1: ", "metadata")
    finish()
end)

os.execute("rm -r " .. place.directory)
support.finish()
