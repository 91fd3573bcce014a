-- messages: what rnnc says of data, cases and options that do not fit, a row each.
local support = require "tests.compiler.support"

local place = support.place()
local directory, rnnc, write, run = place.directory, place.rnnc, place.write, place.run

local sizes <const> = { F32 = 4, F16 = 2, I32 = 4, I64 = 8, U8 = 1, I16 = 2 }

-- A safetensors file of tensors { name, dtype, shape } of zeros, or with a fourth entry, of all values.
local function tensors(list)
    local entries, parts, at = {}, {}, 0
    for i, t in ipairs(list) do
        local count = 1
        for _, size in ipairs(t[3]) do count = count * size end
        local data = t[4] or ("\0"):rep(count * sizes[t[2]])
        entries[i] = string.format('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}', t[1], t[2],
            table.concat(t[3], ","), at, at + #data)
        parts[i], at = data, at + #data
    end
    return string.pack("<s8", "{" .. table.concat(entries, ",") .. "}") .. table.concat(parts)
end

local X <const>, Y <const> = { "x", "F32", { 2, 4, 3 } }, { "y", "F32", { 2, 4, 2 } }

-- Of rnnc train: fields of the network, fields of training, tensors, what is said.
local RNN <const> = "input_size = 3, hidden_size = 2, "
local trained <const> = {
    { "", "", { X, Y, { "lengths", "I32", { 2 } } }, "d.st: error: there are lengths; the spec needs lengths = true" },
    { "lengths = true", "", { X, Y, { "lengths", "I32", { 3 } } },
      "d.st: error: lengths is (3), expected (2); N sequences, T steps" },
    { "seq_len = 5", "", { X, Y }, "d.st: error: x has 4 steps, and the spec seq_len = 5" },
    { "", "", { { "x", "F32", { 0, 4, 3 } }, { "y", "F32", { 0, 4, 2 } } }, "d.st: error: x is empty" },
    { "", "", { { "x", "I16", { 2, 4, 3 } }, Y },
      "d.st: error: x: of a type that cannot be read; float32, uint8, int32 or int64 can" },
    { "", "", { X, { "y", "I16", { 2, 4, 2 } } }, "d.st: error: y: of a type that cannot be read" },
    { "", "", { X, { "y", "F32", { 2, 3, 2 } } },
      "d.st: error: y is (2, 3, 2), and x (2, 4, 3): they have to be of the same sequences and steps" },
    { "", "", { X, { "y", "F32", { 3, 4, 2 } } }, "d.st: error: y is (3, 4, 2), and x (2, 4, 3): they have to be" },
    { "", "", { X, { "y", "F32", { 2, 4, 3 } } }, "d.st: error: y is (2, 4, 3), expected (N, T, 2)" },
    { "", "", { { "x", "F32", { 2, 4 } }, Y }, "d.st: error: x is (2, 4), expected (N, T, 3)" },
    { "", 'loss = "cross_entropy"', { X, { "y", "U8", { 2, 4, 2 } } },
      "d.st: error: y is (2, 4, 2), expected (N, T)" },
    { "", "validation = 0.01", { X, Y }, "net.lua: error: training: validation = 0.01 of 2 sequences is none" },
    { "", "test = 0.2", { X, Y }, "net.lua: error: training: test = 0.2 of 2 sequences is none" },
    { "", "test = 0.3, validation = 0.5", { X, Y },
      "net.lua: error: training: of 2 sequences nothing is left to learn from" },
    { "", 'validation = "none.st"', { X, Y }, "none.st: error: cannot open: No such file or directory" },
    { "", 'data = "t.txt"', { X }, "t.txt: error: a text is for networks that begin with an embedding and give "
        .. 'something for each step, with loss = "cross_entropy"' },
    { "map = {}", "", { X, Y },
      "net.lua: error: map renames what is in a file; leave it out of a spec that is trained" },
    { "", "", { X, Y }, "rnnc train: error: only one of --csv and --json can go to stdout", "--csv=- --json=-" },
    { "", "", { X, Y }, "rnnc train: error: --epochs needs an integer from 1 to", "--epochs=0" },
    { "", "", { X, Y }, "rnnc train: error: --resume has weights already; leave --weights out", "--resume -w d.st" },
    { "", "", { X, Y }, "rnnc train: error: d.st is there already, and `rnnc train` did not write it; name another "
        .. "file with --output, or replace it with --force", "-o d.st" },
    { "", "", { X, Y }, "rnnc train: error: --output=sub/: a directory; a file is expected", "-o sub/" },
}

support.case("training data", function()
    write("t.txt", "text")
    for _, row in ipairs(trained) do
        local training = (row[2]:find "loss" and "" or 'loss = "mse", ')
            .. (row[2]:find "data" and "" or 'data = "d.st", ')
        write("net.lua", string.format("return rnn { %s%s%s training = training { %s%s } }", RNN, row[1],
            row[1] == "" and "" or ",", training, row[2]))
        write("d.st", tensors(row[3]))
        local output, code = run("train net.lua --cc=false " .. (row[5] or ""))
        assert(code == 1 and output:find(row[4], 1, true), row[4] .. "\n" .. code .. ": " .. output)
    end
end)

-- Of rnnc verify --case: fields of the network, tensors, what is said.
local WEIGHTS <const> = { { "weight_ih_l0", "F32", { 2, 3 } }, { "weight_hh_l0", "F32", { 2, 2 } },
                          { "bias_ih_l0", "F32", { 2 } }, { "bias_hh_l0", "F32", { 2 } } }
local T_FIRST <const>, OUT <const> = { "x", "F32", { 4, 2, 3 } }, { "y", "F32", { 4, 2, 2 } }
local function lengths(a, b) return { "lengths", "I32", { 2 }, string.pack("<i4i4", a, b) } end
local cases <const> = {
    { "", { T_FIRST, OUT, lengths(4, 1) },
      "c.st: error: the case has sequences of different lengths; the spec needs lengths = true" },
    { "lengths = true", { T_FIRST, OUT, lengths(4, 5) }, "c.st: error: a sequence of 5 steps, of which there are 4" },
    { "lengths = true", { T_FIRST, OUT, lengths(4, -1) }, "c.st: error: a sequence of -1 steps, of which there are 4" },
    { "lengths = true", { T_FIRST, OUT, { "lengths", "I16", { 2 } } },
      "c.st: error: lengths are of type I16; write them as int32, int64 or float32" },
    { "lengths = true", { T_FIRST, OUT, { "lengths", "I32", { 3 } } },
      "c.st: error: lengths is (3), and (2) is expected" },
    { "", { T_FIRST }, "c.st: error: a recorded case needs a tensor y" },
    { "", { OUT }, "c.st: error: " },
    { "", { { "x", "I32", { 4, 2, 3 } }, OUT }, "c.st: error: x is of type I32; write it as float32" },
    { "batch = 3", { T_FIRST, OUT }, "c.st: error: the case has batch = 2, the spec 3" },
    { "seq_len = 3", { T_FIRST, OUT }, "c.st: error: the case has seq_len = 4, the spec 3" },
    { 'cell = "lstm"', { T_FIRST, OUT, { "h0", "F32", { 1, 2, 2 } } },
      "c.st: error: a recorded case of lstm needs both h0 and c0, or neither" },
}

support.case("recorded cases", function()
    for _, row in ipairs(cases) do
        write("net.lua", string.format("return rnn { %starget = %q, %s }", RNN, "portable", row[1]))
        local list = table.move(WEIGHTS, 1, #WEIGHTS, #row[2] + 1, row[2])
        write("c.st", tensors(list))
        local output, code = run "verify net.lua --case=c.st --cc=false"
        assert(code == 1 and output:find(row[3], 1, true), row[3] .. "\n" .. code .. ": " .. output)
    end
end)

support.case("slopes of nn.PReLU at the bounds of a spec", function()
    for _, row in ipairs { { 1000, true }, { -1000, true }, { 1000.5, false }, { -1000.5, false }, { 0 / 0, false } } do
        write("slope.safetensors", tensors { { "rnn.weight_ih_l0", "F32", { 2, 3 } },
            { "rnn.weight_hh_l0", "F32", { 2, 2 } }, { "net.0.weight", "F32", { 4, 2 } },
            { "net.1.weight", "F32", { 1 }, string.pack("<f", row[1]) } })
        local output, code = run "import slope.safetensors -o slope"
        assert(code == 0, output)
        assert((output:find("net.1.weight (1)  became activation, nn.PReLU behind net.0.*", 1, true) ~= nil) == row[2]
            and (output:find("not used:   net.1.weight (1)", 1, true) == nil) == row[2], row[1] .. "\n" .. output)
        assert(os.execute("rm -r " .. directory .. "/slope"))
    end
end)

-- Of other commands: the spec's fields, words, what is said.
local commands <const> = {
    { "", "init --weights-only=net.lua", "net.lua: error: the spec names no weights; give it weights = " },
    { 'weights = "w.st", map = {}', "init --weights-only=net.lua",
      "net.lua: error: map: random weights have the spec's own names; leave map out for them" },
    { 'weights = "d.st"', "init --weights-only=net.lua", "d.st is there already and not of rnnc init; move it away" },
    { "", "bench net.lua --csv=- --json=-", "only one of --csv, --json and --html can go to stdout" },
    { "", "bench net.lua --train --csv=a", "--train prints a table and knows no --csv" },
    { "", "bench net.lua --train --threads=2", "--train prints a table and knows no --threads" },
    { "", "bench net.lua --train --peers", "--train prints a table and knows no --peers" },
    { "", "bench net.lua --train --html=a", "--train prints a table and knows no --html" },
    { "", "bench net.lua --train --json=a", "--train prints a table and knows no --json" },
}

support.case("options that do not go together", function()
    for _, row in ipairs(commands) do
        write("net.lua", string.format("return rnn { %s%s }", RNN, row[1]))
        local output, code = run(row[2])
        assert(code == 1 and output:find(row[3], 1, true), row[3] .. "\n" .. code .. ": " .. output)
    end
end)

support.case("a BLAS library that is wrong fails the generic kernels", function()
    -- Once its products are right, and once a thousandth too large.
    write("blas.c", [[
#include <stddef.h>
char *openblas_get_config(void) { return ""; }
void cblas_sgemm(int o, int a, int b, int m, int n, int k, float f, const float *x, int lx, const float *y, int ly,
                 float g, float *z, int lz)
{
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
            float sum = 0;
            for (int q = 0; q < k; ++q)
                sum += x[a == 111 ? i * lx + q : q * lx + i] * y[b == 111 ? q * ly + j : j * ly + q];
            z[i * lz + j] = WRONG * f * sum + (g == 0 ? 0 : g * z[i * lz + j]);
        }
}
void cblas_sgemv(int o, int t, int m, int n, float f, const float *x, int lx, const float *v, int iv, float g,
                 float *z, int iz)
{
    for (int i = 0; i < (t == 111 ? m : n); ++i) {
        float sum = 0;
        for (int q = 0; q < (t == 111 ? n : m); ++q) sum += x[t == 111 ? i * lx + q : q * lx + i] * v[q];
        z[i] = WRONG * f * sum + (g == 0 ? 0 : g * z[i]);
    }
}
]])
    write("net.lua", "return rnn { " .. RNN .. 'target = "scalar", seq_len = 2, batch = 3 }')
    for _, wrong in ipairs { "1", "1.001f" } do
        local right = wrong == "1"
        assert(os.execute(string.format("cd %s && cc -O1 -w -shared -fPIC -DWRONG=%s -o libopenblas.so.0 blas.c",
            directory, wrong)))
        local pipe = io.popen(string.format("cd %s && RNNC_BLAS=openblas LD_LIBRARY_PATH=. %s verify net.lua 2>&1; "
            .. "echo $?", directory, rnnc))
        local output, code = pipe:read("a"):match("^(.-)(%d+)\n$")
        pipe:close()
        assert(output:find(right and "\nPASS\n" or "\nFAIL\n", 1, true) and code == (right and "0" or "1"), output)
        local said = output:find("generic kernels on the same inputs: [%d.e-]+ abs  <%- too large")
        assert((said ~= nil) ~= right, output)
    end
end)

os.execute("rm -r " .. directory)
support.finish()
