-- onnx: what import says of ONNX models that lie or that have what rnnc has not, and of types of whole numbers: a
-- small graph a row.
local onnx = require "tests.support.onnx"
local support = require "tests.compiler.support"

local place = support.place()
local write, run = place.write, place.run

-- Layers that rows begin with: y of an RNN of 2 units, (time, directions, batch, 2), and c the same without its second
-- axis.
local Y <const> = "RNN x F1x2x2 F1x2x2 > y h;"
local C <const> = Y .. "Squeeze y [1] > c;"
local DENSE <const> = C .. "MatMul c F2x2 > d;"
-- What has a constant in place of the weights W, so that what makes it is of use.
local W <const> = "; RNN x a F1x2x2 > z"

local WEIGHTS_H <const> = { { "x", "time,batch,2" }, { "h", "2,batch,2" } }

-- The nodes, what is said, and options of onnx.graph.
local rows <const> = {
    { "Add [1,2] [1,2,3] > a" .. W, "node 0 (Add): of lists of different sizes" },
    { "Sub F2 F2 > a" .. W,
      "node 0 (Sub): of numbers that are no part of the network, which rnnc does not compute" },
    { "Not F1 > a" .. W, "node 0 (Not): of numbers that are no part of the network" },
    { "Shape x > s; Not s > a" .. W, "node 1 (Not): depends on what the network is given" },
    -- ---- layers ----
    { DENSE .. "Add d F3 > z", "node 3 (Add): adds numbers that are no vector of 2" },
    { DENSE .. "Add d F1x1x1x2 > z", "node 3 (Add): adds numbers that are no vector of 2" },
    { C .. "Transpose x > t perm=1,0,2; Add t c > z", "node 3 (Add): adds tensors of different shapes" },
    { C .. "Add c - > z", "node 2 (Add): has one input" },
    { "Gather - x > a" .. W, "node 0 (Gather): has no table" },
    { "Gather F2 x > z", "node 0 (Gather): takes entries by what the network is given, of what is no table of rows" },
    { Y .. "Gather F2x2 y > z", "node 1 (Gather): takes rows by what is no input of the graph" },
    { "Tanh F2 > a" .. W, "node 0 (Tanh): is of numbers of the file, which rnnc does not compute" },
    { C .. "Gemm c F2x2 > z", "node 2 (Gemm): its A is no row a sequence" },
    { Y .. "Squeeze h [0] > g; Gemm g F2 > z", "node 2 (Gemm): its B is no matrix" },
    { Y .. "Squeeze h [0] > g; Gemm g F2x2 F3 > z", "node 2 (Gemm): its C is no vector of 2" },
    { "MatMul F2x2 F2x2 > a" .. W, "node 0 (MatMul): multiplies numbers of the file, or by what the network is given" },
    { "Squeeze x > s; MatMul s F1x1 > z", "node 1 (MatMul): reads a single number", { inputs = { { "x", "1,1,1" } } } },
    { C .. "MatMul c F3x2 > z", "node 2 (MatMul): its matrix is (3, 2), and it reads 2 values" },
    { DENSE .. "MatMul c F2x3 > e; Concat d e > z axis=0",
      "node 4 (Concat): puts what dense layers give behind each other along another axis than the last" },
    { DENSE .. "MatMul d F2x3 > e; Concat d e > z axis=2",
      "node 4 (Concat): puts what dense layers give side by side that read different things" },
    { DENSE .. "Concat d d > z axis=2", "node 3 (Concat): takes what one layer gives twice" },
    { C .. "PRelu c F3 > z",
      "node 2 (PRelu): its slope is (3), and it reads 2 values; rnnc has one for each, or one for all" },
    -- ---- what layers read ----
    { C .. "Add c x > d; MatMul d F2x2 > z", "node 3 (MatMul): follows a sum with x, which rnnc has at the end only" },
    { C .. "Transpose c > d perm=1,0,2; RNN d F1x2x2 F1x2x2 > z", "node 3 (RNN): has an axis of batch as its time" },
    { "Reshape x [-1,1,2] > a; RNN a F1x2x2 F1x2x2 > z", "node 1 (RNN): has several axes as its time" },
    { "Slice x [0] [1] [2] > a; RNN a F1x2x1 F1x2x2 > z", "node 1 (RNN): reads a part of input x" },
    { "RNN x F1x2x2 F1x2x2 - - h > y q; RNN h F1x2x2 F1x2x2 > z", "node 1 (RNN): reads input h, which is h0 already",
      { inputs = { { "x", "time,batch,2" }, { "h", "1,batch,2" } }, outputs = { "y", "z" } } },
    { "RNN x F1x2x2 F1x2x2 - - x > z", "node 0 (RNN): its initial_h is input x, which is x already" },
    { "RNN x F1x2x2 F1x2x2 - x > z", "node 0 (RNN): its sequence_lens is no input of the graph" },
    { "RNN x F1x2x2 F1x2x2 - - h > z", "node 0 (RNN): its initial_h is no state of its size",
      { inputs = WEIGHTS_H } },
    { Y .. "RNN x F1x2x2 F1x2x2 - - h > z", "node 1 (RNN): its initial_h is no input of the graph" },
    { "Reshape x [0,1,6] > a; RNN a F1x2x6 F1x2x2 > z", "node 1 (RNN): reads several axes of input x as one",
      { inputs = { { "x", "time,3,2" } } } },
    { "LSTM x F1x8x2 F1x8x2 > y h c; LSTM c F1x8x2 F1x8x2 > z",
      "node 1 (LSTM): reads the state c of an LSTM, which no layer here does" },
    { Y .. "Slice y [-1] [9223372036854775807] [0] > l; RNN h F1x2x2 F1x2x2 > z",
      "node 2 (RNN): reads one step of what the layer before gives" },
    -- ---- states ----
    { "RNN x F1x2x2 F1x2x2 - - F1x2x2 > z",
      "node 0 (RNN): its initial_h is in the file and differs between sequences, which rnnc has not" },
    { "LSTM x F1x8x2 F1x8x2 - - F1x1x2 F1x2x2 > z",
      "node 0 (LSTM): its initial_c is in the file and differs between sequences, which rnnc has not" },
    { "LSTM x F1x8x2 F1x8x2 - - h F1x1x2 > z",
      "node 0 (LSTM): has one initial state in the file and one from the program, which rnnc has not",
      { inputs = { { "x", "time,batch,2" }, { "h", "1,batch,2" } } } },
    { "RNN x F1x2x2 F1x2x2 F1x4 F1 > z", "node 0 (RNN): its sequence_lens has no whole numbers" },
    { "RNN x F1x2x2 F1x2x2 - - h > y; Squeeze y [1] > c; RNN c F1x2x2 F1x2x2 - - F1x1x2 > z",
      "node 2 (RNN): its initial_h is in the file, and that of other layers comes from the program, which rnnc has not",
      { inputs = { { "x", "time,batch,2" }, { "h", "1,batch,2" } } } },
    { "Split h > a b axis=0; RNN x F1x2x2 F1x2x2 - - b > y; Squeeze y [1] > c; RNN c F1x2x2 F1x2x2 - - a > z",
      "node 3 (RNN): its initial_h has other rows of input h than its place among the layers",
      { inputs = WEIGHTS_H } },
    -- ---- numbers ----
    { C .. "Mul c F1x1x1x2 > z", "node 2 (Mul): has numbers of more axes than what it reads" },
    { C .. "Mul c F3 > z", "node 2 (Mul): has numbers of shape (3), and reads 2 values; rnnc has one for each, or" },
    { C .. "Mul c F=2e9 > z", "node 2 (Mul): has the number 2e+09, which rnnc has not" },
    { C .. "Sub c [1,1] > z", "node 2 (Sub): is of numbers that are no part of the network" },
    -- ---- what moves ----
    { "Squeeze F2x2 [0] > a" .. W, "node 0 (Squeeze): squeezes axis 0, which is not of size 1" },
    { "Reshape F2x2 F1 > a" .. W, "node 0 (Reshape): its shape are no integers" },
    { "Shape x > s; Unsqueeze F2 s > a" .. W, "node 1 (Unsqueeze): its axes depend on what the network is given" },
    { "Dropout F1x2x2 F1 I64(1) > a" .. W, "node 0 (Dropout): drops values out, as in training" },
    { "Dropout F1x2x2 F1 BOOL(1) > a" .. W, "node 0 (Dropout): drops values out, as in training" },
    { "Cast [1] > a to=1" .. W, "node 0 (Cast): makes floats of whole numbers, which rnnc has not" },
    { "Cast F=1e30 > a to=7" .. W, "node 0 (Cast): makes whole numbers of 1e+30" },
    { "Constant > a value=&away" .. W, "node 0 (Constant): has its values in another file" },
    { "Constant > a value=&short" .. W, "node 0 (Constant): its value has 1 values of type I64 and a shape of 2" },
    { "Constant > a value_string=word" .. W, "node 0 (Constant): has a value of a kind that rnnc does not read" },
    { "Unsqueeze F2 [0,0] > a" .. W, "node 0 (Unsqueeze): has an axis twice" },
    { "Unsqueeze F2 > a" .. W, "node 0 (Unsqueeze): has no axes" },
    { "Unsqueeze F2 [0,1,2,3,4,5,6,7] > a" .. W, "node 0 (Unsqueeze): makes more than 8 axes" },
    { "Reshape F2 [1,1,1,1,1,1,1,1,2] > a" .. W, "node 0 (Reshape): makes more than 8 axes" },
    { "Expand F2 [1,1,1,1,1,1,1,1,2] > a" .. W, "node 0 (Expand): makes more than 8 axes" },
    { "Reshape F2x2 > a" .. W, "node 0 (Reshape): has no shape" },
    { "Reshape F2x2 [3,2] > a" .. W, "node 0 (Reshape): has a shape of another size" },
    { "Reshape F2x2 [3,-1] > a" .. W, "node 0 (Reshape): has a shape of another size" },
    { "Reshape F2x2 [0,0] > a allowzero=1" .. W, "node 0 (Reshape): has a shape of another size" },
    { "Reshape F2x2 [-1,-1] > a" .. W, "node 0 (Reshape): has two sizes of -1" },
    { "Reshape F2x2 [-2,2] > a" .. W, "node 0 (Reshape): has a size below 0" },
    { "Reshape F2 [0,0] > a" .. W, "node 0 (Reshape): keeps an axis that is not there" },
    { "Shape x > s; Add s [1,1,1] > t; Reshape F2x2 t > a" .. W,
      "node 2 (Reshape): has a shape that cannot be told" },
    { "Reshape x [2,2] > a" .. W, "node 0 (Reshape): its new shape cuts through an axis, which rnnc has not" },
    { "Reshape x [-1,3] > a" .. W, "node 0 (Reshape): its new shape cuts through an axis, which rnnc has not" },
    { "Reshape x [0] > a" .. W, "node 0 (Reshape): its new shape is of another size, which rnnc has not" },
    { "Reshape x [-1,-1] > a" .. W, "node 0 (Reshape): two sizes of its new shape are open, which rnnc has not" },
    { "Flatten F2 > a axis=7" .. W, "node 0 (Flatten): has no axis 7" },
    { "Flatten F2 > a axis=-2" .. W, "node 0 (Flatten): has no axis -1" },
    { "Concat F2 - > a axis=0" .. W, "node 0 (Concat): has an input that is left out" },
    { "Concat F2 F3x1 > a axis=0" .. W, "node 0 (Concat): its inputs do not fit side by side" },
    { Y .. "Concat y h > z axis=1", "node 1 (Concat): puts side by side what rnnc has not there, which rnnc has not" },
    { "Identity > a" .. W, "node 0 (Identity): has no input" },
    { "Slice F2x2 > a" .. W, "node 0 (Slice): has no starts and ends" },
    { "Slice F2x2 [0] [1,1] > a" .. W, "node 0 (Slice): has no starts and ends" },
    { "Slice F2x2 [0] [1] [0,1] > a" .. W, "node 0 (Slice): has lists of different lengths" },
    { "Slice F2x2 [0] [1] [0] [1,1] > a" .. W, "node 0 (Slice): has lists of different lengths" },
    { "Slice F2x2 [0] [2] [0] [-1] > a" .. W, "node 0 (Slice): takes steps of -1, which rnnc has not" },
    { "Slice x [0] [2] [2] [2] > a" .. W, "node 0 (Slice): takes steps of 2, which rnnc has not" },
    { "Slice F2x2 [1] [0] [0] > a" .. W, "node 0 (Slice): takes a part that cannot be told" },
    { "Shape x > s start=0 end=1; Slice F2x2 [0] s [0] > a" .. W, "node 1 (Slice): takes a part that cannot be told" },
    { "Shape x > s start=0 end=1; Add s [1] > t; Slice F2x2 s t [0] > a" .. W,
      "node 2 (Slice): takes a part that cannot be told" },
    { "Slice x [1] [1] [2] > a" .. W, "node 0 (Slice): takes nothing of axis 2" },
    { Y .. "Slice y [0] [1] [0] > z", "node 1 (Slice): takes a part of axis 0, which is of time, which rnnc has not" },
    { "Slice x [0] [1] [2] > b; Slice b [0] [0] [2] > a" .. W, "node 1 (Slice): takes nothing of axis 2" },
    { "Split x > a b axis=0" .. W, "node 0 (Split): splits axis 0, whose size is not known" },
    { "Split F2x2 [1,2] > a b axis=0" .. W, "node 0 (Split): splits axis 0 into parts of another size" },
    { "Split F2x2 [2,0] > a b axis=0" .. W, "node 0 (Split): splits into a part of nothing" },
    { "Gather F2x2 F1 > a" .. W, "node 0 (Gather): has indices that are no list of whole numbers" },
    { "Gather x [0,1] > a axis=0" .. W, "node 0 (Gather): takes several parts of axis 0, which rnnc has not" },
    { "Gather F2x2 [] > a" .. W, "node 0 (Gather): takes nothing" },
    { "Shape x > s start=0 end=1; Gather F2x2 s > a" .. W, "node 1 (Gather): takes a part that cannot be told" },
    { "Expand F1 [-5] > a" .. W, "node 0 (Expand): makes an axis of -5" },
    { "Expand x [3,1,1,2] > a" .. W, "node 0 (Expand): repeats what the network gives" },
    { "ConstantOfShape [2] > a value=&two" .. W, "node 0 (ConstantOfShape): its value is not one number" },
    { C .. "Softmax c > z axis=7", "node 2 (Softmax): has an axis 7 of 3" },
    -- ---- graphs ----
    { "If BOOL(1) > a" .. W, "node 0 (If): has no such branch" },
    { "If BOOL[1,1] > a then_branch=&one" .. W, "node 0 (If): its condition is no boolean" },
    { "Shape x > s start=0 end=1; If s > a then_branch=&one" .. W,
      "node 1 (If): its condition depends on what the network is given" },
    { "If BOOL(1) > a b then_branch=&one" .. W, "node 0 (If): has no output 1" },
    { ("If BOOL(1) > a%d then_branch=&one;"):rep(65):gsub("%%d", (function()
        local count = 0
        return function()
            count = count + 1
            return tostring(count)
        end
    end)()) .. "Concat " .. (function()
        local names = {}
        for i = 1, 65 do names[i] = "a" .. i end
        return table.concat(names, " ")
    end)() .. " > a axis=0" .. W, "node 64 (If): is one If too many" },
    { "RNN x F1x2x2 F1x2x2 > x", "inputs: there is a \"x\" already" },
    { Y .. "Squeeze y [1] > c; RNN c F1x2x2 F1x2x2 > z", "output y comes of node 0 (RNN), which is not the last of the "
        .. "layers: rnnc has one chain of layers, and outputs that are dense layers side by side",
        { outputs = { "z", "y" } } },
    { Y, "its graph has no outputs", { outputs = {} } },
    { Y, "outputs: number 0 has no name", { outputs = { "" } } },
    { Y, "input w has more than 8 axes", { inputs = { { "x", "time,batch,2" }, { "w", "1,1,1,1,1,1,1,1,1" } } } },
    { Y, "has sparse weights, which rnnc does not read", { more = onnx.bytes(15, "") } },
    { "RNN x w F1x2x2 > z", "node 0 (RNN): its W is input w of the graph, whose values are not in the file; put them "
        .. "beside it as input_1.pb", { inputs = { { "x", "time,batch,2" }, { "w", "1,2,2" } } } },
}

local parts <const> = {
    one = { 6, 5, onnx.graph("Identity F1x2x2 > q", { inputs = {} }) },
    two = { 5, 4, onnx.tensor(nil, "F", { 2 }, { 1, 2 }) },
    short = { 5, 4, onnx.tensor(nil, "I64", { 2 }, { 1 }) },
    away = { 5, 4, onnx.number(1, 1) .. onnx.number(2, 1) .. onnx.bytes(13, onnx.bytes(1, "location")
        .. onnx.bytes(2, "w")) .. onnx.number(14, 1) },
}

local function import(graph, opset, version)
    write("a.onnx", onnx.model(graph, opset, version))
    local output, code = run "import a.onnx -o out"
    if code == 0 then assert(os.execute("rm -r " .. place.directory .. "/out")) end
    return output, code
end

local function expect(wanted, output, code, what)
    local line = "a.onnx: error: " .. wanted
    assert(code == 1 and output:sub(1, #line) == line and output:find "^[^\n]*\n$",
        string.format("%s\nis to be %s\n%d: %s", what, line, code, output))
end

support.case("a line for each graph", function()
    local wrong = {}
    for _, row in ipairs(rows) do
        local options = row[3] or {}
        options.parts = parts
        local output, code = import(onnx.graph(row[1], options))
        local ok, message = pcall(expect, row[2], output, code, row[1])
        if not ok then wrong[#wrong + 1] = message end
    end
    assert(#wrong == 0, table.concat(wrong, "\n"))
end)

support.case("versions of the format and of operators", function()
    for _, row in ipairs {
        { false, 8, "does not tell of which version its operators are (opset_import)" },
        { 17, 2, "is of version 2 of the format; export it with a newer one" },
    } do
        local output, code = import(onnx.graph(Y, {}), row[1], row[2])
        expect(row[3], output, code, row[3])
    end
    write("a.onnx", onnx.number(1, 8) .. onnx.bytes(7, "\255\255"))
    local output, code = run "import a.onnx -o out"
    expect("is no ONNX model that can be read: ", output, code, "damaged")
end)

support.case("values in other files", function()
    local function external(...)
        local fields = onnx.number(1, 1) .. onnx.number(1, 2) .. onnx.number(1, 2) .. onnx.number(2, 1)
            .. onnx.bytes(8, "w")
        for _, pair in ipairs { ... } do
            fields = fields .. onnx.bytes(13, onnx.bytes(1, pair[1]) .. onnx.bytes(2, pair[2]))
        end
        return onnx.bytes(5, fields .. onnx.number(14, 1))
    end
    write("values", string.pack("<ffff", 1, 2, 3, 4) .. "12345")
    local location <const> = { "location", "values" }
    for _, row in ipairs {
        { { location, { "offset", "4" }, { "length", "16" } } }, { { location, { "length", "16" } } },
        { { location, { "offset", "5" } } },
        { { location, { "offset", "6" }, { "length", "16" } }, "values, which is too short" },
        { { location, { "offset", "22" } }, "values, which is too short" },
        { { location, { "offset", "x" } }, "values, at a place that is no number" },
        { { location, { "length", "1.5" } }, "values, at a place that is no number" },
        { { location, { "offset", "-1" } }, "values, at a place that is no number" },
        { { { "location", "none" } }, "none: cannot be opened: No such file or directory" },
        { { { "location", "../values" } }, '"../values"; only one beside the model is read' },
        { { { "location", ".values" } }, '".values"; only one beside the model is read' },
        { {}, '""; only one beside the model is read' },
    } do
        local output, code = import(onnx.graph("RNN x w F1x2x2 > z", { more = external(table.unpack(row[1])) }))
        if row[2] then
            expect("the values of w are in another file, " .. row[2], output, code, row[2])
        else
            assert(code == 0, output)
        end
    end
end)

support.case("weights in the files of a test", function()
    local graph <const> = onnx.graph("RNN x w F1x2x2 > z", { inputs = { { "x", "time,batch,2" }, { "w", "1,2,2" } } })
    write("input_1.pb", onnx.tensor("w", "F", { 1, 2, 2 }, { 1, 2, 3, 4 }))
    local output, code = import(graph)
    assert(code == 0 and output:find("weights, with the values of input_1.pb", 1, true), output)
    for _, bytes in ipairs { "\255", onnx.tensor("w", "F", { 1, 2, 2 }, { 1 }) } do
        write("input_1.pb", bytes)
        output, code = import(graph)
        assert(code == 1 and output:find("^input_1.pb: error: is no tensor that can be read: "), output)
    end
    os.remove(place.directory .. "/input_1.pb")
end)

-- Parts with every kind of begin, end and step, against a loop over the entries: those of an axis of 5 are the rows of
-- a layer's weights, which are written as they are read.
support.case("slices", function()
    local function part(first, behind, step)
        local entries = {}
        local from, to = first < 0 and math.max(5 + first, 0) or first, behind < 0 and 5 + behind or math.min(behind, 5)
        for i = from, to - 1, step do
            entries[#entries + 1] = string.pack("<ff", 2 * i + 1, 2 * i + 2)
        end
        return entries
    end
    for _, first in ipairs { 0, 1, -4, -9 } do
        for _, behind in ipairs { 4, -1, 9 } do
            for step = 1, 3 do
                local entries = part(first, behind, step)
                write("a.onnx", onnx.model(onnx.graph(string.format("Slice F1x5x2 [%d] [%d] [1] [%d] > a;"
                    .. "RNN x a F1x%dx%d > z", first, behind, step, #entries, #entries), {})))
                local output, code = run "import a.onnx -o out"
                local what = string.format("%d:%d:%d: %s", first, behind, step, output)
                assert(code == 0, what)
                local file <close> = assert(io.open(place.directory .. "/out/model.safetensors", "rb"))
                assert(file:read("a"):find(table.concat(entries), 1, true), what)
                assert(os.execute("rm -r " .. place.directory .. "/out"))
            end
        end
    end
end)

-- Whole numbers of each type, in bytes and in the field of values that onnx.proto has for it: the entry that is asked
-- for tells which number was read; -3 is the entry -1 of an axis of 2.
support.case("whole numbers of each type", function()
    local signed <const>, unsigned <const> = { { -3, -1 }, { 100, 100 }, { -128, -126 } }, { { 3, 3 }, { 200, 200 } }
    local least <const> = {
        I16 = { -32768, -32766 }, I32 = { -2147483648, -2147483646 }, I64 = { -2147483649, -2147483647 },
        U16 = { 65535, 65535 }, U32 = { 4294967295, 4294967295 },
    }
    for type, field in pairs { I8 = 5, I16 = 5, I32 = 5, I64 = 7, U8 = 5, U16 = 5, U32 = 11, U64 = 11 } do
        local list = { least[type], table.unpack(type:sub(1, 1) == "I" and signed or unsigned) }
        for _, pair in ipairs(list) do
            for _, typed in ipairs { false, field } do
                local more = onnx.bytes(5, onnx.tensor("i", type, { 1 }, { pair[1] }, typed or nil))
                local what = type .. " " .. pair[1] .. (typed and " in field " .. field or "")
                local output, code = import(onnx.graph("Gather F2x2 i > a; RNN x a F1x2x2 > z", { more = more }))
                expect("node 0 (Gather): takes entry " .. pair[2] .. " of an axis of 2", output, code, what)
            end
        end
    end
end)

os.execute("rm -r " .. place.directory)
support.finish()
