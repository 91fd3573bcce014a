-- verify: `rnnc verify --gradients` of generated training code: the recorded cases of PyTorch, random networks of all
-- cells and layers, and cases that are damaged. Run by tests/test_training.c as tests/compiler is, a part at a time:
-- recorded, random or others.
local support = require "tests.compiler.support"

local fast = os.getenv "RNNC_TEST_FAST" == "1"
local rnnc = os.getenv "RNNC" or "build/rnnc"

local part = ...
assert(part == "recorded" or part == "random" or part == "others", "usage: verify.lua recorded|random|others")

-- What makes the compiler start with a header that is precompiled for -O0, or nothing.
local header = os.getenv "RNNC_TEST_HEADER" or ""

-- Each network takes two to three seconds of processor time, most of it the C compiler's.
local NETWORKS <const> = fast and 4 or 16

local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

local function write(name, text)
    local file <close> = assert(io.open(directory .. "/" .. name, "wb"))
    assert(file:write(text))
    return directory .. "/" .. name
end

-- Targets that this CPU runs.
local targets = { "scalar", "portable" }
do
    local file = io.open("/proc/cpuinfo")
    local flags = file and file:read("a") or ""
    if file then file:close() end
    if flags:find("avx2") and flags:find(" fma") then targets[#targets + 1] = "avx2" end
    if flags:find("avx512vl") and flags:find("avx512dq") and flags:find("avx512bw") then
        targets[#targets + 1] = "avx512"
    end
end

-- What `rnnc verify --gradients` prints, and does it pass? Without optimisation compilers take a fifth of the time.
local function verify(spec, case, optimised)
    local pipe = io.popen(string.format("%s verify --gradients %s%s --cc='%s%s' 2>&1; echo $?", rnnc, spec,
        case and " --case=" .. case or "", os.getenv "CC" or "cc", optimised and "" or " -O0 " .. header))
    local output = pipe:read("a")
    pipe:close()
    return output, output:match("(%d+)\n$") == "0"
end

local function passes(text, case, optimised)
    local output, passed = verify(write("model.lua", text), case, optimised)
    assert(passed and output:find("\nPASS\n"), text .. output)
    return output
end

-- ---- PyTorch's ----

local function spec_of(m, fixed, target)
    local cell, nonlinearity = m.cell:match("^(rnn)_(%a+)$")
    return string.format('return rnn { name = "net", cell = "%s",%s input_size = %s, hidden_size = %s, num_layers = %s,'
        .. ' bidirectional = %s, bias = %s, batch_first = %s, seq_len = %s, batch = %s%s }', cell or m.cell,
        nonlinearity and ' nonlinearity = "' .. nonlinearity .. '",' or "", m.I, m.H, m.L, tostring(m.D == "2"),
        tostring(m.bias == "1"), tostring(m.batch_first == "1"), fixed and m.T or '"any"', fixed and m.B or '"any"',
        target and ', target = "' .. target .. '"' or "")
end

local cases, recorded = {}, 0
do
    local list <close> = assert(io.popen("ls tests/cases/*.safetensors"))
    for path in list:lines() do cases[#cases + 1] = path end
end

for i, path in ipairs(cases) do
    local _, shapes, metadata = support.read_case(path)
    if part == "recorded" and metadata.cell and (not fast or i % 6 == 1) then
        support.case(path, function()
            local output = passes(spec_of(metadata, i % 2 == 0), path, i % 10 == 0 or metadata.H + 0 > 60)
            for name in pairs(shapes) do
                if name:find("^grad%.") or name == "y" then
                    local row = output:match("\n" .. name:gsub("%.", "%%.") .. " [^\n]+")
                    assert(row and row:match("(%S+)$"):find("^%d"), name .. " is not compared:\n" .. output)
                    recorded = recorded + 1
                end
            end
        end)
    end
end
if part == "recorded" then
    support.case("there are recorded gradients", function() assert(recorded >= (fast and 20 or 200), recorded) end)
end

-- The case with value `at` of the tensor multiplied by `factor`, and the place of its largest value.
local function damaged(path, tensor, factor)
    local file <close> = assert(io.open(path, "rb"))
    local text = file:read("a")
    local size = string.unpack("<I8", text)
    local first, last = text:sub(9, 8 + size):match('"' .. tensor:gsub("%.", "%%.")
        .. '"%s*:%s*{[^}]-"data_offsets"%s*:%s*%[%s*(%d+)%s*,%s*(%d+)')
    local best, at
    for k = 9 + size + first, 8 + size + last, 4 do
        local value = math.abs((string.unpack("<f", text, k)))
        if not best or value > best then best, at = value, k end
    end
    return text:sub(1, at - 1) .. string.pack("<f", string.unpack("<f", text, at) * factor) .. text:sub(at + 4)
end

-- For one target: it is the comparison that is tried.
for _, tensor in ipairs(part == "others" and { "grad.weight_hh_l0", "grad.bias_ih_l0", "grad.x", "grad.h0", "hn" }
                        or {}) do
    support.case("a damaged " .. tensor, function()
        local path = "tests/cases/lstm_3_4_1_1_1_0_5_2.safetensors"
        local _, _, metadata = support.read_case(path)
        local spec = write("model.lua", spec_of(metadata, false, "portable"))
        for _, factor in ipairs(fast and { 0 / 0 } or { 0.99, 0 / 0 }) do
            local output, passed = verify(spec, write("case.safetensors", damaged(path, tensor, factor)))
            assert(not passed and output:find("\nFAIL\n"), factor .. ": " .. output)
            local row = output:match("\n" .. tensor:gsub("%.", "%%.") .. " [^\n]+")
            assert(row:find("<- too large", 1, true), output)
        end
    end)
end

-- ---- random networks ----

local rng = support.rng(20)

local function one_of(...)
    local list = { ... }
    return list[rng.integer(1, #list)]
end

local function often(percent) return rng.integer(1, 100) <= percent end

local function cell_text(first)
    local cell = one_of("rnn", "lstm", "gru")
    local words = { string.format('cell = "%s", hidden_size = %d', cell, rng.integer(1, 19)) }
    if first then words[#words + 1] = "input_size = " .. rng.integer(1, 18) end
    if often(40) then
        words[#words + 1] = string.format("num_layers = %d, dropout = %s", rng.integer(2, 3), one_of(0, 0.3, 0.9))
    end
    if often(40) then
        words[#words + 1] = "bidirectional = true"
    elseif often(20) then
        words[#words + 1] = 'direction = "reverse"'
    end
    local norm = cell ~= "rnn" and often(20)
    if norm then
        words[#words + 1] = "layer_norm = true, layer_norm_eps = " .. one_of("1e-3", "0.25")
        if cell == "lstm" and often(50) then words[#words + 1] = "layer_norm_state = true" end
        return table.concat(words, ", "), cell
    end
    if often(20) then words[#words + 1] = "bias = false" end
    if cell == "rnn" and often(40) then words[#words + 1] = 'nonlinearity = "relu"' end
    if cell == "gru" and often(40) then words[#words + 1] = "reset_after = false" end
    if cell == "lstm" and often(30) then words[#words + 1] = "peepholes = true" end
    return table.concat(words, ", "), cell
end

local activations <const> = { "none", "tanh", "relu", "sigmoid", "softplus", "gelu", "elu", "silu", "leaky_relu",
                              "softsign", "mish", "hard_tanh", "hard_sigmoid", "selu", "relu6", "affine", "hard_swish",
                              "gelu_tanh" }

local function random_spec()
    local options, layers = {}, {}
    local lengths = often(30)
    if often(30) then options[#options + 1] = "batch_first = true" end
    if lengths then options[#options + 1] = "lengths = true" end
    options[#options + 1] = string.format('target = "%s"', one_of(table.unpack(targets)))
    options[#options + 1] = "seq_len = " .. one_of('"any"', '"any"', rng.integer(1, 9))
    options[#options + 1] = "batch = " .. one_of('"any"', '"any"', rng.integer(1, 20))
    local embeds, tied = often(30), false
    local vocabulary = rng.integer(2, 12)
    if embeds then
        layers[1] = string.format("embedding { num_embeddings = %d, dim = %d }", vocabulary, rng.integer(1, 9))
    end
    local projects = often(30)
    local text, cell = cell_text(not embeds)
    local narrow = text:find("hidden_size = 1,") or text:find("hidden_size = 1$")
    if projects and cell == "lstm" and not narrow and not text:find "layer_norm" then
        text = text .. ", proj_size = 1"
    end
    layers[#layers + 1] = "rnn { " .. text .. ', prefix = "a." }'
    if often(25) then layers[#layers + 1] = "rnn { " .. cell_text(false) .. ', prefix = "b." }' end
    if often(60) then
        layers[#layers + 1] = string.format('dense { units = %d, activation = "%s", prefix = "c."%s%s }',
            rng.integer(1, 17), one_of(table.unpack(activations)), often(25) and ", bias = false" or "",
            often(40) and (often(50) and ", last_step = true" or ", last_state = true") or "")
    end
    if embeds and often(30) then
        -- A table that is both the first and the last layer.
        local last = layers[#layers]
        layers[1] = string.format('embedding { num_embeddings = %d, dim = 6, prefix = "e." }', vocabulary)
        layers[#layers + 1] = string.format('dense { units = 6, prefix = "f." }')
        layers[#layers + 1] = string.format('dense { units = %d, tied = true, prefix = "d." }', vocabulary)
        tied = last ~= nil
    elseif often(40) then
        layers[#layers + 1] = string.format('dense { units = %d, activation = "%s", prefix = "d." }',
            rng.integer(2, 17), one_of("softmax", "log_softmax", "none"))
    end
    if embeds and not tied then layers[1] = layers[1]:gsub(" }$", ', prefix = "e." }') end
    local joined = table.concat(layers)
    if not embeds and not joined:find("last_st") and often(30) then options[#options + 1] = "residual = 1" end
    return string.format('return model { name = "net", %s, layers = { %s } }\n', table.concat(options, ", "),
        table.concat(layers, ",\n  "))
end

for i = 1, part == "random" and NETWORKS or 0 do
    support.case("random network " .. i, function() passes(random_spec(), nil, i % 8 == 0) end)
end

if part == "others" then
    support.case("each target of several, and all in one", function()
        local listed = {}
        -- A list has one of those that run everywhere.
        for i = 2, #targets do listed[i - 1] = '"' .. targets[i] .. '"' end
        local output = passes(string.format('return rnn { name = "net", cell = "gru", input_size = 3, '
            .. 'hidden_size = 17, seq_len = 3, batch = 2, target = { %s } }', table.concat(listed, ", ")))
        local _, builds = output:gsub("net for [%w, ]+: gradients", "")
        assert(builds == (#listed > 1 and #listed + 1 or 1), output)
    end)

    -- The masks of the double reference are its own.
    support.case("dropout, where layers are read by others, with lengths", function()
        passes('return model { name = "net", batch_first = true, lengths = true, layers = { rnn { cell = "lstm", '
            .. 'input_size = 3, hidden_size = 5, num_layers = 3, bidirectional = true, dropout = 0.3, prefix = "a." }, '
            .. 'rnn { cell = "gru", hidden_size = 9, num_layers = 2, dropout = 0.75, prefix = "b." } } }')
    end)
    support.case("layer normalisation, with lengths", function()
        passes('return model { name = "net", lengths = true, layers = { rnn { cell = "lstm", input_size = 3, '
            .. 'hidden_size = 5, layer_norm = true, layer_norm_eps = 0.01, layer_norm_state = true, prefix = "a.", '
            .. 'bidirectional = true }, rnn { cell = "lstm", hidden_size = 9, layer_norm = true, prefix = "b.", '
            .. 'layer_norm_eps = 0.01 }, rnn { cell = "gru", hidden_size = 6, layer_norm = true, '
            .. 'layer_norm_eps = 0.01, prefix = "c." } } }')
    end)
    support.case("dropout of everything", function()
        passes('return rnn { name = "net", input_size = 3, hidden_size = 5, num_layers = 2, dropout = 1 }')
    end)

    support.case("names as nn.Sequential gives them, and those of adjoints; all steps", function()
        passes('return model { name = "net", seq_len = 3, batch = 2, layers = { rnn { input_size = 3, hidden_size = 4, '
            .. 'prefix = "0." }, flatten { }, dense { units = 2, prefix = "d_" }, '
            .. 'dense { units = 2, prefix = "a\\"*/ ??/" } } }')
    end)

    -- ---- what there is no program for ----

    for what, text in pairs {
        ["two names that are one in C"] = 'return model { layers = { '
            .. 'dense { input_size = 2, units = 3, prefix = "a." }, dense { units = 2, prefix = "a_" } } }',
        ["norms without an epsilon"] = 'return rnn { cell = "gru", input_size = 2, hidden_size = 3, '
            .. 'layer_norm = true, layer_norm_eps = 0 }',
        ["initial_state"] = 'return rnn { input_size = 2, hidden_size = 3, initial_state = true }',
    } do
        support.case("no training of " .. what, function()
            local spec = write("model.lua", text)
            local pipe = io.popen(string.format("%s compile --train %s -o %s/out 2>&1; echo $?", rnnc, spec, directory))
            local output = pipe:read("a")
            pipe:close()
            assert(output:match("(%d+)\n$") == "1" and output:find("error: train: ", 1, true), output)
            assert(not io.open(directory .. "/out/model.h"), "something is written")
        end)
    end
end

os.execute("rm -r " .. directory)
support.finish()
