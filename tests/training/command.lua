-- command: rnnc train on small networks: what it computes, what it leaves, how it goes on, what it refuses. C is
-- compiled with warnings as errors, and without optimisation, which costs more than it saves here.
local support = require "tests.compiler.support"

local rnnc = os.getenv "RNNC" or "build/rnnc"
if rnnc:sub(1, 1) ~= "/" then rnnc = os.getenv "PWD" .. "/" .. rnnc end
local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

local CC <const> = (os.getenv "CC" or "cc") .. " -O0 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

local function write(name, text)
    local file <close> = assert(io.open(directory .. "/" .. name, "wb"))
    file:write(text)
end

local function read(name)
    local file <close> = io.open(directory .. "/" .. name, "rb")
    return file and file:read("a")
end

-- Runs `rnnc train WORDS` -> its output, its exit code.
local function train(words)
    local pipe = io.popen(string.format("cd %s && CC='%s' %s train -t scalar %s 2>&1; echo $?", directory, CC,
        rnnc, words))
    local output = pipe:read("a")
    pipe:close()
    local text, code = output:match("^(.-)(%d+)\n$")
    return text, tonumber(code)
end

local function must(words)
    local output, code = train(words)
    assert(code == 0, words .. "\n" .. output)
    return output
end

local function refused(words, wanted)
    local output, code = train(words)
    assert(code == 1 and output:find(wanted, 1, true), words .. ": " .. code .. ": " .. output)
end

-- A safetensors file of { name, dtype, shape, bytes }.
local function tensors(list)
    local entries, parts, at = {}, {}, 0
    for i, t in ipairs(list) do
        entries[i] = string.format('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}', t[1], t[2],
            table.concat(t[3], ","), at, at + #t[4])
        parts[i], at = t[4], at + #t[4]
    end
    local header = "{" .. table.concat(entries, ",") .. "}"
    return string.pack("<s8", header) .. table.concat(parts)
end

local function floats(values)
    for i, value in ipairs(values) do values[i] = string.pack("<f", value) end
    return table.concat(values)
end

-- Sequences whose second half of y is a running product of x, and its first one the third value of x.
local N <const>, T <const> = 23, 11
local rng = support.rng(3)
local x, y, lengths, labels = {}, {}, {}, {}
for n = 1, N do
    local sum, total = 0, 0
    for _ = 1, T do
        local a, b, c = rng.number(), rng.number(), rng.number()
        sum, total = 0.5 * sum + a * b, total + a + (n % 2 == 0 and 0.6 or -0.6)
        for _, value in ipairs { a + (n % 2 == 0 and 0.6 or -0.6), b, c } do x[#x + 1] = value end
        y[#y + 1], y[#y + 2] = c, sum
    end
    lengths[n], labels[n] = string.pack("<i4", n % T + 1), string.char(n % 2)
end
local bytes <const> = { x = floats(x), y = floats(y), lengths = table.concat(lengths), labels = table.concat(labels) }
local all <const> = { "x", "F32", { N, T, 3 }, bytes.x }
write("whole.safetensors", tensors { all, { "y", "F32", { N, T, 2 }, bytes.y } })
write("padded.safetensors", tensors { all, { "y", "F32", { N, T, 2 }, bytes.y },
    { "lengths", "I32", { N }, bytes.lengths } })
write("labels.safetensors", tensors { all, { "y", "U8", { N }, bytes.labels } })

-- One spec for all: what is trained is a matter of --define.
write("net.lua", [[
local last = define.data == "labels"
return model {
  name = "net", prefix = "net.", lengths = define.data == "padded", batch_first = last,
  layers = { rnn { cell = define.cell or "lstm", input_size = 3, hidden_size = 5, num_layers = define.cell and 1 or 2,
                   dropout = define.dropout },
             dense { units = 2, last_step = last } },
  training = training {
    loss = define.loss or "mse", data = (define.data or "whole") .. ".safetensors", piece = define.piece,
    optimiser = define.sgd and sgd { lr = define.sgd, momentum = 0.9, nesterov = true } or adam { lr = define.lr },
    batch = define.batch or 7, epochs = define.epochs or 4, clip = define.clip, validation = define.held,
    test = define.held, patience = define.patience, seed = define.seed,
    class_weights = define.one and { define.zero, define.one },
  },
}
]])

-- The losses of the epochs.
local function losses_of(csv)
    local list = {}
    for line in csv:gmatch("[^\n]+") do list[#list + 1] = tonumber(line:match("^%d+,%d+,[^,]*,([^,]*),")) end
    return list
end

support.case("the loss of an epoch does not depend on batches and pieces", function()
    -- With a rate that changes nothing every batch is of the same network.
    for _, data in ipairs { "whole", "padded" } do
        local wanted
        for _, how in ipairs { "-D batch=23", "-D batch=7 -D seed=5", data == "whole" and "-D batch=7 -D piece=4" or
                               "-D batch=1" } do
            local seed = how:find("seed") and "" or "-D seed=1 "
            -- Weights are those of a file, as a seed gives others.
            local from = wanted and "-w start.safetensors" or ""
            local losses = losses_of(must(string.format("net.lua -D cell=gru -D lr=1e-30 -D epochs=1 -D data=%s %s %s "
                .. "%s --csv=- -o out.safetensors --force", data, seed, how, from)))
            wanted = wanted or losses[1]
            if from == "" then write("start.safetensors", read "out.safetensors") end
            assert(#losses == 1 and math.abs(losses[1] - wanted) <= 1e-6 * wanted,
                how .. ": " .. losses[1] .. " " .. wanted)
        end
    end
end)

support.case("parts are apart and make up the whole", function()
    local words = "net.lua -D cell=gru -D lr=1e-30 -D epochs=1 -w start.safetensors --force -o out.safetensors -D held="
    local whole = losses_of(must(words:gsub(" %-D held=$", "") .. " --csv=-"))[1]
    for held, wanted in pairs { ["0.3"] = { 9, 7, 7 }, ["0.1"] = { 19, 2, 2 } } do
        local output = must(words .. held)
        local counts = { output:match("(%d+) sequences of 11 steps, (%d+) for validation, (%d+) for test") }
        local losses = { output:match("loss ([%d.e+-]+), validation ([%d.e+-]+)") }
        losses[3] = output:match("test: loss ([%d.e+-]+)")
        local sum = 0
        for i, count in ipairs(wanted) do
            assert(tonumber(counts[i]) == count, output)
            sum = sum + count * tonumber(losses[i])
        end
        assert(math.abs(sum / N - whole) <= 2e-4 * whole, sum / N .. ", and " .. whole .. ": " .. output)
    end
end)

support.case("an epoch takes each sequence once, and not in the order of the one before", function()
    must "net.lua -D cell=rnn -D epochs=1 -o out.safetensors --force --keep=kept"
    local file <close> = assert(io.open(directory .. "/kept/part", "wb"))
    file:write(bytes.x, bytes.y)
    file:close()
    local lines, orders = { "data 0 23 11 0 kept/part", "init 1" }, { "1 7", "2 7", "3 7", "1 8", "2 7" }
    for _, order in ipairs(orders) do
        lines[#lines + 1] = "shuffle " .. order
        for k = 0, N - 1 do lines[#lines + 1] = string.format("evaluate 0 %d 1 0 11", k) end
    end
    write("lines", table.concat(lines, "\n") .. "\n")
    local pipe = io.popen("cd " .. directory .. " && kept/net_trainer < lines")
    local output = pipe:read("a")
    pipe:close()
    local taken, sorted = {}, {}
    for loss in output:gmatch("ok (%S+) ") do
        local i = #taken > 0 and #taken[#taken] < N and #taken or #taken + 1
        taken[i] = taken[i] or {}
        table.insert(taken[i], loss)
    end
    assert(#taken == #orders and #taken[#orders] == N, output)
    for i, list in ipairs(taken) do
        taken[i] = table.concat(list, " ")
        table.sort(list)
        sorted[i] = table.concat(list, " ")
        assert(sorted[i] == sorted[1] and not sorted[i]:find("(%S+) %1 "), "another set of sequences")
        for k = 1, i - 1 do
            assert((taken[k] == taken[i]) == (orders[k] == orders[i]), orders[k] .. " and " .. orders[i])
        end
    end
end)

support.case("it learns labels, holds some out and keeps the best", function()
    local output = must("net.lua -D data=labels -D loss=cross_entropy -D lr=0.02 -D epochs=15 -D held=0.2 "
        .. "--json=out.json")
    assert(output:find("^net: 452 parameters, 13 sequences of 11 steps, 5 for validation, 5 for test; cross_entropy, "
        .. "adam"), output)
    assert(output:find("epoch 15 of 15: loss ") and output:find("(100.00 %% right)"), output)
    assert(output:find("\ntest: loss [%d.]+ %(%d"), output)
    local json = read "out.json"
    assert(json:find('"epoch": 15') and json:find('"test_right"'), json)
    -- The best weights are of one epoch, the last ones have the optimiser's besides, all under PyTorch's names.
    local best, last = read "net.safetensors", read "net.last.safetensors"
    for _, name in ipairs { "net.weight_ih_l0", "net.bias_hh_l1", "net.weight", "net.bias" } do
        assert(best:find('"' .. name .. '"', 1, true) and last:find('"' .. name .. '"', 1, true), name)
        for _, moment in ipairs { "first", "second" } do
            assert(last:find('"optimiser.' .. moment .. "." .. name .. '"', 1, true), name)
        end
    end
    -- They are the weights of the spec for other commands.
    assert(os.execute(string.format("%s check %s/net.lua -w %s/net.safetensors -D data=labels > /dev/null", rnnc,
        directory, directory)))
end)

-- Weights behind a flatten are of so many steps, which calls are not asked for.
support.case("a network with flatten learns labels", function()
    write("flat.lua", [[return model { name = "flat", seq_len = 11, batch_first = true, layers = {
        rnn { cell = "gru", input_size = 3, hidden_size = 4, bidirectional = true, prefix = "r." }, flatten { },
        dense { units = 2, prefix = "d." } },
        training = training { loss = "cross_entropy", data = "labels.safetensors", epochs = 15, batch = 7, seed = 1,
                              optimiser = adam { lr = 0.02 } } }]])
    local losses = losses_of(must "flat.lua --csv=- -o flat.safetensors")
    assert(#losses == 15 and losses[15] < 0.5 * losses[1], losses[1] .. " " .. losses[#losses])
end)

support.case("labels count by the weights of their classes", function()
    local words = "net.lua -D data=labels -D loss=cross_entropy -D cell=gru -D epochs=1 -D batch=7 --force --csv=- "
    must(words .. "-D lr=1e-30 -o classes.safetensors")
    local function loss(more)
        return losses_of(must(words .. "-w classes.safetensors -o out.safetensors " .. more))[1]
    end
    local plain, zero, one = loss "-D lr=1e-30", loss "-D lr=1e-30 -D zero=2 -D one=0",
        loss "-D lr=1e-30 -D zero=0 -D one=0.1"
    -- Of 23 labels 11 are 0.
    local function near(got, wanted) assert(math.abs(got - wanted) <= 2e-6 * wanted, got .. ", not " .. wanted) end
    assert(math.abs(zero - one) > 1e-3)
    near(plain, (11 * zero + 12 * one) / 23)
    near(loss "-D lr=1e-30 -D zero=3 -D one=0.5", (33 * zero + 6 * one) / 39)
    -- Equal ones change nothing in what is learnt; others do.
    loss "-D lr=0.01"
    local learnt = read "out.safetensors"
    loss "-D lr=0.01 -D zero=1 -D one=1"
    assert(read "out.safetensors" == learnt)
    loss "-D lr=0.01 -D zero=1 -D one=4"
    assert(read "out.safetensors" ~= learnt)
    refused(words .. "-o more.safetensors -w classes.safetensors -D zero=0 -D one=0",
        "class_weights = { 0, 0 }: expected a list of numbers of 0 or more")
    refused("net.lua -D data=labels -D loss=mse -D zero=1 -D one=1", 'only loss = "cross_entropy" has classes')
end)

support.case("patience ends a run that gets no better", function()
    local output = must("net.lua -D cell=rnn -D lr=1e-30 -D epochs=50 -D held=0.2 -D patience=3 "
        .. "-o out.safetensors --force")
    assert(output:find("epoch 4 of 50") and not output:find("epoch 5 of 50") and output:find("patience"), output)
end)

support.case("values are dropped in training, others in each epoch, and none in evaluation", function()
    local words, lists = "net.lua -D lr=1e-30 -D epochs=2 -D held=0.3 --csv=- -o drop.safetensors --force ", {}
    for i, drop in ipairs { 0, 0.5 } do
        local first, second, held = must(words .. "-D dropout=" .. drop):match(
            "\n1,[^,]*,[^,]*,([^,]*),.-\n2,[^,]*,[^,]*,([^,]*),([^,]*),")
        lists[i] = { first = tonumber(first), second = tonumber(second), held = tonumber(held) }
    end
    local plain, dropped = lists[1], lists[2]
    assert(plain.held == dropped.held and plain.held > 0, plain.held .. " " .. dropped.held)
    assert(math.abs(plain.first - plain.second) <= 1e-6 * plain.first)
    assert(math.abs(dropped.first - plain.first) > 1e-5 and math.abs(dropped.first - dropped.second) > 1e-5)
end)

support.case("a resumed run gives the same bits", function()
    local words = "net.lua -D dropout=0.2 -D sgd=0.05 -D clip=0.5 -D piece=4 -D held=0.2 "
    must(words .. "-D epochs=6 -o straight.safetensors")
    must(words .. "-D epochs=2 -o parts.safetensors")
    local output = must(words .. "-D epochs=6 -o parts.safetensors --resume")
    assert(output:find("epoch 3 of 6") and not output:find("epoch 2 of 6"), output)
    assert(read "parts.safetensors" == read "straight.safetensors", "best")
    assert(read "parts.last.safetensors" == read "straight.last.safetensors", "last")
    refused(words .. "-D batch=3 -o parts.safetensors --resume", "it is of a run with other settings")
    refused(words .. "-o none.safetensors --resume", "nothing to resume")
    refused("net.lua -o whole.safetensors --resume", "`rnnc train` did not write it")
end)

support.case("SIGINT saves and ends, and the run goes on in the midst of a sequence", function()
    -- All of the sequences are fewer than a batch: what is saved are the states of those that there are.
    local words = "net.lua -D sgd=0.05 -D piece=1 -D batch=40 -D epochs=%d -o %s.safetensors"
    -- Once there is a checkpoint it trains; the signal comes somewhere.
    local pipe = io.popen(string.format("cd %s && CC='%s' && export CC && { %s train -t scalar %s > log 2>&1 & } && "
        .. "child=$! && while [ ! -e cut.last.safetensors ] && kill -0 $child; do sleep 0.05; done; "
        .. "kill -INT $child; wait $child; echo $?", directory, CC, rnnc, words:format(1000000, "cut")))
    local code = pipe:read("a")
    pipe:close()
    assert(code == "130\n", code .. read "log")
    assert(read "log":find("interrupted; `rnnc train %-%-resume` goes on from here"), read "log")
    local epoch = math.tointeger(tonumber(read "cut.last.safetensors":match(" epoch=(%d+) ")))
    must(words:format(epoch + 1, "cut") .. " --resume")
    must(words:format(epoch + 1, "straight") .. " --force")
    assert(read "cut.last.safetensors" == read "straight.last.safetensors", "after epoch " .. epoch)
end)

support.case("a second SIGINT ends it at once, and nothing stays", function()
    write("slow", "#!/bin/sh\nexec sleep 300\n")
    local pipe = io.popen(string.format("cd %s && chmod +x slow && mkdir tmp && { TMPDIR=%s/tmp %s train net.lua "
        .. "--cc=%s/slow -o second.safetensors > log 2>&1 & } && child=$! && while [ -z \"$(ls tmp)\" ] && "
        .. "kill -0 $child; do sleep 0.05; done; kill -INT $child; sleep 0.2; kill -INT $child; sleep 1.2; "
        .. "kill -0 $child && echo waits; kill -INT $child; for i in $(seq 100); do kill -0 $child 2> /dev/null || "
        .. "break; sleep 0.1; done; kill -9 $child 2> /dev/null && echo stays; wait $child; echo $?; ls -A tmp",
        directory, directory, rnnc, directory))
    local output = pipe:read("a")
    pipe:close()
    -- Two within a second are one.
    assert(output == "waits\n130\n", output .. read "log")
end)

support.case("losses that are no numbers, or explode, end it", function()
    local output, code = train "net.lua -D cell=rnn -D sgd=1000 -D epochs=30 -o wild.safetensors"
    assert(code == 1 and output:find("epoch 1, step %d: the loss explodes, from .* to .*; try sgd { lr = 100 }, or "
        .. "clip = 1.0"), output)
    assert(not read "wild.last.safetensors")
    write("huge.safetensors", tensors { { "x", "F32", { 1, T, 3 }, bytes.x:sub(1, 12 * T) },
        { "y", "F32", { 1, T, 2 }, string.pack("<f", 3e38):rep(2 * T) } })
    refused("net.lua -D cell=rnn -D data=huge -D sgd=1000 -D epochs=30 -o wild.safetensors",
        " is no number any more; try sgd")
end)

support.case("what is wrong with data is said, and nobody's weights are overwritten", function()
    write("plain.lua", 'return rnn { input_size = 1, hidden_size = 2 }')
    refused("plain.lua", "plain.lua: error: the spec does not say how it is trained")
    refused("net.lua -D data=none", "none.safetensors")
    refused("net.lua -D data=padded -D piece=4", "net.lua:8: error: training: piece: it goes with lengths = false only")
    write("none.safetensors", tensors { { "x", "F32", { 2, 3, 4 }, ("\0"):rep(96) } })
    refused("net.lua -D data=none", "none.safetensors: error: x is (2, 3, 4), expected (N, T, 3)")
    write("none.safetensors", tensors { { "x", "F32", { 1, 2, 3 }, ("\0"):rep(24) } })
    refused("net.lua -D data=none", "none.safetensors: error: there is no y; expected (N, T, 2)")
    write("none.safetensors", tensors { { "x", "F32", { 1, 2, 3 }, ("\0"):rep(24) },
        { "y", "F32", { 1, 1, 2 }, ("\0"):rep(8) } })
    refused("net.lua -D data=none", "have to be of the same sequences and steps")
    write("labels2.safetensors", tensors { all, { "y", "U8", { N, T }, ("\2"):rep(N * T) } })
    refused("net.lua -D data=labels2 -D loss=cross_entropy", "labels2.safetensors: y of sequence 0")
    write("nan.safetensors", tensors { { "x", "F32", { N, T, 3 }, bytes.x:sub(1, -5) .. string.pack("<f", 0 / 0) },
        { "y", "F32", { N, T, 2 }, bytes.y } })
    refused("net.lua -D data=nan", "nan.safetensors: x of sequence 22")
    local before = read "whole.safetensors"
    refused("net.lua -o whole.safetensors", "whole.safetensors is there already, and `rnnc train` did not write it")
    assert(read "whole.safetensors" == before)
end)

-- The numbers of a float32 tensor of a safetensors file that has no other types.
local function numbers_in(file, name)
    local first, last = file:match('"' .. name .. '":{[^}]*"data_offsets":%[(%d+),(%d+)%]')
    local base, list = 8 + string.unpack("<I8", file), {}
    for at = first, last - 4, 4 do list[#list + 1] = (string.unpack("<f", file, base + math.tointeger(at) + 1)) end
    return list
end

support.case("50 steps of each optimiser follow PyTorch's losses", function()
    local source <close> = assert(io.open("tests/training/runs.safetensors", "rb"))
    local recorded = source:read("a")
    write("runs.safetensors", recorded)
    write("runs.lua", [[
local optimisers = {
  sgd = sgd { lr = 0.5, momentum = 0.9, nesterov = true, weight_decay = 0.01 },
  adam = adam { lr = 0.01, weight_decay = 0.01 },
  adamw = adamw { lr = 0.005, beta1 = 0.8, beta2 = 0.99, weight_decay = 0.1 },
  rmsprop = rmsprop { lr = 0.003, alpha = 0.9, momentum = 0.5 },
}
return model {
  name = "runs", prefix = "net.",
  layers = { rnn { cell = "lstm", input_size = 3, hidden_size = 5, num_layers = 2 }, dense { units = 2 } },
  training = training { loss = "mse", data = "runs.safetensors", optimiser = optimisers[define.optimiser],
    batch = 23, epochs = 50, clip = 0.05 },
}
]])
    for _, optimiser in ipairs { "sgd", "adam", "adamw", "rmsprop" } do
        local losses = losses_of(must("runs.lua -w runs.safetensors -o o.safetensors --force --csv=- -D optimiser="
            .. optimiser))
        local wanted = numbers_in(recorded, "losses." .. optimiser)
        assert(#losses == 50 and #wanted == 50)
        for i, loss in ipairs(losses) do
            assert(math.abs(loss - wanted[i]) <= 1e-5 * wanted[i],
                string.format("%s, step %d: %.9g, PyTorch has %.9g", optimiser, i, loss, wanted[i]))
        end
    end
end)

support.case("the digits of the example are learnt from scratch", function()
    local root <close> = assert(io.popen("pwd"))
    local output = must(root:read("l") .. "/examples/02-digits/model.lua --cc 'cc -O2' -o digits.safetensors")
    local right = tonumber(output:match("test: loss [%d.]+ %(([%d.]+) %% right%)"))
    assert(right and right >= 97, output)
end)

support.case("a text tells its next byte", function()
    -- Each a is known, and of what stands between them a third can be guessed.
    local letters, random = {}, support.rng(5)
    for i = 1, 160 do letters[i] = "a" .. ("bcd"):sub(random.integer(1, 3)):sub(1, 1) end
    write("abc.txt", table.concat(letters) .. "a")
    write("odd.txt", "abcxabc")
    write("text.lua", [[
return model {
  name = "text", layers = { embedding { num_embeddings = 4, dim = 3, prefix = "e." },
    rnn { hidden_size = 8, prefix = "r." }, dense { units = 4, activation = "log_softmax" } },
  training = training { loss = "cross_entropy", data = (define.data or "abc") .. ".txt", validation = "abc.txt",
    vocabulary = "dcba", piece = 8, batch = define.batch or 4, epochs = 12, optimiser = adam { lr = 0.02 } },
}
]])
    local output = must "text.lua"
    assert(output:find("4 sequences of 80 steps, 4 for validation"), output)
    local right = tonumber(output:match("epoch 12 of 12: .*%(([%d.]+) %% right%)"))
    assert(right and right >= 55 and right <= 85, output)
    refused("text.lua -D data=odd", "odd.txt: error: byte 120 is not in the vocabulary")
    refused("text.lua -D data=odd -D batch=7", "7 bytes are too few for 7 parts side by side")
    write("plain.lua", read "text.lua":gsub("embedding {.-},", "")
        :gsub("rnn {", "rnn { input_size = 1,"):gsub('"text"', '"plain"'))
    refused("plain.lua", "abc.txt: error: a text is for networks that begin with an embedding")
end)

os.execute("rm -r " .. directory)
support.finish()
