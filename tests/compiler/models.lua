-- models: programs of whole models and of made-up cells: forward against PyTorch's recorded sequences of several
-- lengths, and gradients against finite differences. The cells are rows, made here.
local support = require "tests.compiler.support"

local activations = require "tables.activations"
local cells = require "tables.cells"
local facts = require "passes.lower"
local differentiate = require "passes.program.differentiate"
local fuse = require "passes.program.fuse"
local grammar = require "ir.grammar"
local hoist = require "passes.program.hoist"
local interpret = require "ir.interpret"
local lower = require "passes.program.lower"
local simplify = require "passes.program.simplify"

local fast = os.getenv "RNNC_TEST_FAST" == "1"

local function gate(name) return { "gate", name } end

-- A gated unit with a constant: h = z h + (1 - z) tanh(n).
cells.mgu = {
    constant = "RNNC_MGU", gates = { "z", "n" }, separate = {}, states = { "h" },
    update = { { "h", { "add", { "mul", { "sigmoid", gate "z" }, { "state", "h" } },
                             { "mul", { "sub", 1, { "sigmoid", gate "z" } }, { "tanh", gate "n" } } } } },
}

local function rnn(fields)
    local out = { layer = "rnn", cell = "lstm", hidden_size = 4, num_layers = 1, bidirectional = false, bias = true }
    for name, value in pairs(fields) do out[name] = value end
    return out
end

local function dense(fields)
    local out = { layer = "dense", activation = "none", bias = true }
    for name, value in pairs(fields) do out[name] = value end
    return out
end

local function model(layers, fields)
    local out = { layers = layers, seq_len = "any", batch = "any" }
    for name, value in pairs(fields or {}) do out[name] = value end
    -- Prefixes keep the names of weights apart.
    for i, layer in ipairs(layers) do layer.prefix = "layer" .. i .. "." end
    return out
end

local models = {
    { "rnn tanh", rnn { cell = "rnn", nonlinearity = "tanh", input_size = 3, seq_len = "any", batch = "any" } },
    { "made-up cell", model { rnn { cell = "mgu", input_size = 3, num_layers = 2, bidirectional = true } } },
    { "peephole lstm", model { rnn { peepholes = true, input_size = 3, bidirectional = true, proj_size = 2 } } },
    { "normalised lstm", model { rnn { layer_norm = true, layer_norm_eps = 0.1, bias = false, input_size = 3,
                                       bidirectional = true } } },
    { "normalised lstm, carried", model { rnn { layer_norm = true, layer_norm_eps = 0.1, layer_norm_state = true,
                                                bias = false, input_size = 3, num_layers = 2 } } },
    { "normalised gru", model { rnn { cell = "gru", layer_norm = true, layer_norm_eps = 0.1, bias = false,
                                      input_size = 3, num_layers = 2 } } },
    { "projected", model { rnn { input_size = 3, proj_size = 2, num_layers = 2, bidirectional = true } } },
    { "residual", model({ rnn { cell = "gru", input_size = 3 }, dense { units = 3 } }, { residual = 3 }) },
    { "residual of some", model({ rnn { cell = "gru", input_size = 3 }, dense { units = 4 } },
        { residual = 2, batch_first = true }) },
    { "tokens", model { { layer = "embedding", num_embeddings = 6, dim = 3 }, rnn { cell = "gru", bias = false },
                        dense { units = 5, activation = "log_softmax" } } },
    { "shared table", model { { layer = "embedding", num_embeddings = 6, dim = 4 }, rnn { cell = "gru" },
        dense { units = 6, tied = true, activation = "tanh" } } },
    { "classifier", model({ rnn { input_size = 2, bidirectional = true }, dense { units = 3, activation = "tanh",
        last_step = true }, dense { units = 4, activation = "softmax", bias = false } }, { batch_first = true }) },
    { "last states", model { rnn { input_size = 2, bidirectional = true, proj_size = 3, num_layers = 2 },
        dense { units = 3, activation = "tanh", last_state = true }, dense { units = 4 } } },
    { "last state of one direction", model { rnn { input_size = 2 }, dense { units = 3, last_state = true } } },
    { "last states of lengths", model({ rnn { cell = "gru", input_size = 3, bidirectional = true },
        dense { units = 2, last_state = true } }, { lengths = true }) },
    { "projection of lengths", model({ rnn { input_size = 3, hidden_size = 4, proj_size = 2, num_layers = 2,
        bidirectional = true } }, { lengths = true }) },
    { "batch first", model({ rnn { input_size = 3, cell = "rnn", nonlinearity = "tanh" },
        dense { units = 2, activation = "sigmoid" } }, { batch_first = true }) },
    { "functions alone", model({ rnn { input_size = 2, bidirectional = true },
        { layer = "activation", activation = "elu", alpha = 0.7, input_size = 8 },
        dense { units = 3, activation = "tanh", last_step = true },
        { layer = "activation", activation = "softmax", input_size = 3 } }) },
    { "activations", model { rnn { input_size = 3 }, dense { units = 3, activation = "elu", alpha = 0.7 },
        dense { units = 4, activation = "leaky_relu", alpha = 0.2 }, dense { units = 3, activation = "softplus" },
        dense { units = 4, activation = "gelu" }, dense { units = 3, activation = "gelu_tanh" },
        dense { units = 4, activation = "silu" }, dense { units = 3, activation = "softsign" } } },
    { "more activations", model { rnn { input_size = 3 },
        dense { units = 4, activation = "hard_sigmoid", alpha = 0.2, beta = 0.4 },
        dense { units = 3, activation = "hard_tanh", alpha = -0.3, beta = 0.2 },
        dense { units = 4, activation = "selu" }, dense { units = 3, activation = "relu6" },
        dense { units = 4, activation = "hard_swish" }, dense { units = 3, activation = "mish" },
        dense { units = 3, activation = "affine", alpha = 0.7, beta = -0.4 } } },
    { "merges", model { rnn { input_size = 2, bidirectional = true },
        { layer = "merge", merge = "ave", input_size = 8, units = 4, bidirectional = true },
        rnn { cell = "gru", input_size = 4, bidirectional = true, prefix = "b." },
        { layer = "merge", merge = "mul", input_size = 8, units = 4, bidirectional = true, last_state = true },
        dense { units = 3, activation = "tanh" } } },
    { "weights of units", model { { layer = "activation", activation = "scale", input_size = 3, prefix = "in." },
        { layer = "activation", activation = "shift", input_size = 3, prefix = "in." }, rnn { input_size = 3 },
        { layer = "activation", activation = "prelu", input_size = 4, prefix = "p." } } },
    { "functions of an lstm", model { rnn { input_size = 3, gate_activation = "hard_sigmoid", gate_alpha = 0.3,
        candidate_activation = "softsign", output_activation = "elu", output_alpha = 0.6, clip = 2 } } },
    { "functions of a gru", model { rnn { cell = "gru", input_size = 3, gate_activation = "softsign",
        candidate_activation = "none" },
        rnn { cell = "gru", reset_after = false, gate_activation = "tanh", candidate_activation = "sigmoid" } } },
    { "functions of an rnn", model { rnn { cell = "rnn", nonlinearity = "leaky_relu", alpha = 0.3, input_size = 3 },
        rnn { cell = "rnn", nonlinearity = "tanh", clip = 3 } } },
    { "two stacks", model { rnn { input_size = 3 }, rnn { cell = "gru", hidden_size = 3 } } },
    { "reset before the product", model { rnn { cell = "gru", input_size = 3, reset_after = false, num_layers = 2,
        bidirectional = true } } },
    { "reset before the product without bias", rnn { cell = "gru", input_size = 3, reset_after = false, bias = false,
        seq_len = "any", batch = "any" } },
    { "reverse", model { rnn { input_size = 3, direction = "reverse", num_layers = 2 },
        dense { units = 2, last_state = true } } },
    { "reverse of lengths", model({ rnn { cell = "gru", input_size = 3, direction = "reverse" },
        dense { units = 2 } }, { lengths = true }) },
    { "lengths", model({ rnn { input_size = 3, bidirectional = true, num_layers = 2 }, dense { units = 2 } },
        { lengths = true }) },
    { "all steps", model({ rnn { cell = "gru", input_size = 3, bidirectional = true },
        dense { units = 3, activation = "tanh", steps = 4 }, dense { units = 2 } }, { seq_len = 4 }) },
    { "last step of lengths", model({ rnn { cell = "gru", input_size = 3 }, dense { units = 2, last_step = true } },
        { lengths = true }) },
}

local symbols <const> = { T = 4, B = 2 }

local function dot(a, b)
    local sum = 0
    for i = 1, #a do sum = sum + a[i] * b[i] end
    return sum
end

-- The gradients of sum(result * d_result) over all results, by the backward program and by differences.
local function check_gradients(spec)
    local forward = lower.run(spec)
    local backward = differentiate.run(forward)
    local given = support.values(forward, symbols, support.rng(5), { tokens = { 1, 5, 1, 0, 3, 5, 2, 1 },
        lengths = { 4, 2 } })
    local seeds = {}
    local rng = support.rng(6)
    local function loss(tape)
        local sum = 0
        for _, b in ipairs(forward.buffers) do
            if b.role == "result" then
                seeds[b.name] = seeds[b.name] or {}
                for i = #seeds[b.name] + 1, #tape[b.name] do seeds[b.name][i] = rng.number() end
                sum = sum + dot(tape[b.name], seeds[b.name])
            end
        end
        return sum
    end
    local tape = interpret.run(forward, symbols, given)
    loss(tape)
    for name, values in pairs(seeds) do tape["d_" .. name] = values end
    local gradients = interpret.run(backward, symbols, tape)
    local checked = 0
    for _, b in ipairs(forward.buffers) do
        if grammar.given[b.role] and b.dtype == "f32" then
            local got, want = {}, {}
            -- Every third value: a gradient that is wrong is wrong in more than one place.
            for i = 1, #given[b.name], 3 do
                local value, h = given[b.name][i], 1e-5
                given[b.name][i] = value + h
                local up = loss(interpret.run(forward, symbols, given))
                given[b.name][i] = value - h
                got[#got + 1] = gradients["d_" .. b.name][i]
                want[#want + 1] = (up - loss(interpret.run(forward, symbols, given))) / (2 * h)
                given[b.name][i] = value
                checked = checked + 1
            end
            support.near(got, want, 1e-8, "d_" .. b.name)
        end
    end
    assert(checked > 20, "too few gradients")
    -- The same as C, after passes, without warnings.
    local function passed(program) return fuse.run(simplify.run(hoist.run(program))) end
    for name, values in pairs(seeds) do given["d_" .. name] = values end
    for _, real in ipairs(fast and { "double" } or { "double", "float" }) do
        local compiled = support.run_c({ passed(forward), passed(backward) }, symbols, given, real)
        for _, b in ipairs(backward.buffers) do
            if b.role == "result" then
                support.near(compiled[b.name], gradients[b.name], real == "double" and 1e-12 or 1e-5,
                    real .. ": " .. b.name)
            end
        end
    end
end

for _, row in ipairs(models) do support.case(row[1], function() check_gradients(row[2]) end) end

-- softmax does not show it: there the adjoint of the max cancels out.
support.case("the adjoint of a max goes to the largest", function()
    local access = grammar.access
    local forward = { name = "most", symbols = {}, buffers = { grammar.buffer("x", "argument", { 2, 3 }),
        grammar.buffer("y", "result", { 2 }) }, body = { grammar.statement { op = "reduce", kind = "max",
        over = { { "b", 2 } }, sum = { { "j", 3 } }, out = access("y", "b"), value = grammar.read("x", "b", "j") } } }
    local tape = interpret.run(forward, {}, { x = { 1, 5, 2, -1, -2, -3 } })
    assert(tape.y[1] == 5 and tape.y[2] == -1)
    tape.d_y = { 7, 9 }
    support.near(interpret.run(differentiate.run(forward), {}, tape).d_x, { 0, 7, 0, 9, 0, 0 }, 0, "d_x")
end)

-- ---- what a head reads, and what is added behind it ----

-- The results of a model in the interpreter, and what it was given.
local function results(spec)
    local forward = lower.run(spec)
    local given = support.values(forward, symbols, support.rng(7), { lengths = { 4, 2 } })
    return interpret.run(forward, symbols, given), given
end

-- hn is (layers x directions, B, P): its last rows are the states that PyTorch's cat(h_n[-2], h_n[-1]) has.
local function check_last_state(item, lengths)
    local D, P = item.bidirectional and 2 or 1, item.proj_size or item.hidden_size or 4
    local tape, given = results(model({ rnn(item), dense { units = 3, last_state = true } }, { lengths = lengths }))
    local first = #tape.hn // P // symbols.B - D
    local want = {}
    for b = 0, symbols.B - 1 do
        for i = 0, 2 do
            local sum = given["layer2.bias"][i + 1]
            for d = 0, D - 1 do
                for k = 0, P - 1 do
                    sum = sum + given["layer2.weight"][i * D * P + d * P + k + 1]
                        * tape.hn[((first + d) * symbols.B + b) * P + k + 1]
                end
            end
            want[#want + 1] = sum
        end
    end
    support.near(tape.y, want, 1e-12, "y")
end

support.case("last_state reads hn", function()
    check_last_state { input_size = 2, bidirectional = true, num_layers = 2, proj_size = 3 }
    check_last_state { input_size = 2, num_layers = 2 }
    check_last_state { input_size = 2, num_layers = 2, direction = "reverse" }
    check_last_state({ input_size = 2, cell = "gru", direction = "reverse" }, true)
    check_last_state({ input_size = 2, cell = "gru", bidirectional = true, num_layers = 2 }, true)
end)

-- Step by step from the first one on, the values of a step beside each other, as torch.flatten puts them.
support.case("a dense layer behind flatten reads all steps", function()
    local tape, given = results(model({ rnn { input_size = 2 }, dense { units = 3, steps = 4 } }, { seq_len = 4 }))
    local want = {}
    for b = 0, symbols.B - 1 do
        for i = 0, 2 do
            local sum = given["layer2.bias"][i + 1]
            for t = 0, symbols.T - 1 do
                for k = 0, 3 do
                    sum = sum + given["layer2.weight"][i * 16 + t * 4 + k + 1]
                        * tape.out_l0[(t * symbols.B + b) * 4 + k + 1]
                end
            end
            want[#want + 1] = sum
        end
    end
    support.near(tape.y, want, 1e-12, "y")
end)

support.case("a reverse layer is a forward one on the sequence from its end", function()
    local function run(direction, change)
        local forward = lower.run(model { rnn { cell = "gru", input_size = 3, num_layers = 2, direction = direction } })
        local given = support.values(forward, symbols, support.rng(8))
        given.x = change(given.x, 3)
        return interpret.run(forward, symbols, given)
    end
    -- (T, B, width), the steps the other way round.
    local function flipped(values, width)
        local out, row = {}, symbols.B * width
        for i = 0, #values - 1 do out[i + 1] = values[(symbols.T - 1 - i // row) * row + i % row + 1] end
        return out
    end
    local reverse, want = run("reverse", function(x) return x end), run("forward", flipped)
    support.near(reverse.y, flipped(want.y, 4), 0, "y")
    support.near(reverse.hn, want.hn, 0, "hn")
end)

support.case("residual adds the first values of a step of x", function()
    local function y(residual)
        return results(model({ rnn { input_size = 3 }, dense { units = 5 } }, { residual = residual }))
    end
    local without, with, given = y(false).y, y(2)
    local want = {}
    for i, value in ipairs(without) do
        local step, k = (i - 1) // 5, (i - 1) % 5
        want[i] = value + (k < 2 and given.x[step * 3 + k + 1] or 0)
    end
    support.near(with.y, want, 1e-15, "y")
end)

-- ---- PyTorch's packed sequences: forward, with NaN in x beyond the lengths ----

local packed = 0
local list <close> = assert(io.popen("ls tests/cases/packed/*.safetensors"))
local number = 0
for path in list:lines() do
    number = number + 1
    if fast and number % 4 > 0 then goto next end
    support.case(path, function()
        local tensors, _, m = support.read_case(path)
        local cell, nonlinearity = m.cell:match("^(rnn)_(%a+)$")
        local H = math.tointeger(m.H)
        local given, lengths = tensors, {}
        for word in m.lengths:gmatch("%d+") do lengths[#lengths + 1] = math.tointeger(tonumber(word)) end
        given.lengths = lengths
        local program = lower.run { cell = cell or m.cell, nonlinearity = nonlinearity,
            input_size = math.tointeger(m.I),
            hidden_size = H, num_layers = math.tointeger(m.L), bidirectional = m.D == "2", bias = m.bias == "1",
            batch_first = m.batch_first == "1", seq_len = "any", batch = "any", lengths = true }
        local sizes = { T = math.tointeger(m.T), B = math.tointeger(m.B) }
        for _, b in ipairs(program.buffers) do
            if (b.name == "h0" or b.name == "c0") and not given[b.name] then
                local _, n = interpret.strides(b, sizes)
                given[b.name] = {}
                for i = 1, n do given[b.name][i] = 0.0 end
            end
        end
        local values = support.run_c({ fuse.run(simplify.run(hoist.run(program))) }, sizes, given, "double")
        support.near(values.y, tensors.y, 1e-6, "y")
        support.near(values.hn, tensors.hn, 1e-6, "hn")
        if tensors.cn then support.near(values.cn, tensors.cn, 1e-6, "cn") end
        packed = packed + 1
    end)
    ::next::
end
support.case("there are packed cases", function() assert(packed >= (fast and 8 or 30), packed .. " only") end)

-- ---- mistakes in rows ----

local function lowered(cell, more)
    cells.broken = cell
    local spec = rnn { cell = "broken", input_size = 3, seq_len = 4, batch = 2 }
    for name, value in pairs(more or {}) do spec[name] = value end
    return function() lower.run(spec) end
end

local function cell_with(tree)
    return { gates = { "z" }, separate = {}, states = { "h" }, update = { { "h", tree } } }
end

support.case("a mistake in a row is found when it is lowered", function()
    support.fails(lowered(cell_with { "tahn", gate "z" }), "no function tahn")
    support.fails(lowered(cell_with { "tahn", gate "z" }), "of broken, layer 0")
    support.fails(lowered(cell_with { "add", gate "z" }), "add takes 2, not 1")
    support.fails(lowered(cell_with { "tanh", gate "q" }), "broken, layer 0: no gate q")
    support.fails(lowered(cell_with { "tanh", { "state", "c" } }), "no buffer c_l0")
    support.fails(lowered(cell_with { "tanh", { "new", "h" } }), "broken, layer 0: the new h is used above its update")
    support.fails(function() lower.run(model { rnn { input_size = 3 }, dense { units = 2,
        activation = "hardtan" } }) end,
        "dense layer 1: no activation hardtan")
    -- The pipeline of generated code, too; also where only the row was added.
    local function generated(name)
        return function()
            facts.run { name = "net", seq_len = 4, batch = 2, layers = {
                { layer = "dense", input_size = 3, units = 2, activation = name, bias = true } } }
        end
    end
    generated "relu" ()
    support.fails(generated "hardtan", "no activation hardtan")
    activations[#activations + 1] = { name = "hardtan", constant = "RNNC_HARDTAN", of = "value" }
    support.fails(generated "hardtan", "no function hardtan")
    activations[#activations] = nil
    cells.broken = nil
end)

support.finish()
