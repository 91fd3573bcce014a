-- calls: builds calls.c and rules.c with their networks by each compiler that there is, the networks as C and as C++,
-- without a warning, and runs them; and --train changes nothing of the other files.
local support = require "tests.compiler.support"

local rnnc = os.getenv "RNNC" or "build/rnnc"
local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

local nets <const> = {
    net = 'return rnn { name = "net", cell = "lstm", input_size = 2, hidden_size = 5, lengths = true, prefix = "rec.", '
        .. 'batch = "any", activation = "fast" }',
    words = 'return model { name = "words", seq_len = 4, batch = 3, train = true, layers = { '
        .. 'embedding { num_embeddings = 6, dim = 3, prefix = "e." }, rnn { cell = "gru", hidden_size = 4, '
        .. 'reset_after = false }, dense { units = 6, activation = "log_softmax", prefix = "d." } } }',
    drops = 'return rnn { name = "drops", cell = "gru", input_size = 2, hidden_size = 70, num_layers = 2, '
        .. 'batch = "any", dropout = 0.5, target = "portable", train = true }',
}

local function run(command)
    local pipe = io.popen(command .. " 2>&1; echo $?")
    local output = pipe:read("a")
    pipe:close()
    return output, output:match("(%d+)\n$") == "0"
end

local function must(command)
    local output, ok = run(command)
    assert(ok, command .. "\n" .. output)
    return output
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
end

for name, text in pairs(nets) do
    local file <close> = assert(io.open(string.format("%s/%s.lua", directory, name), "wb"))
    file:write(text)
end

support.case("--train and train = true add two files and change no other", function()
    local listed = must(string.format("%s compile --list --train %s/net.lua", rnnc, directory))
    assert(listed:find("^net.h\nnet.c\nnet_train.h\nnet_train.c\n"), listed)
    must(string.format("%s compile --train %s/net.lua -o %s/gen", rnnc, directory, directory))
    must(string.format("%s compile %s/words.lua -o %s/gen", rnnc, directory, directory))
    must(string.format("%s compile %s/drops.lua -o %s/gen", rnnc, directory, directory))
    must(string.format("%s compile %s/net.lua -o %s/plain", rnnc, directory, directory))
    for _, ending in ipairs { ".h", ".c" } do
        assert(read(directory .. "/gen/net" .. ending) == read(directory .. "/plain/net" .. ending), ending)
    end
    assert(not io.open(directory .. "/plain/net_train.h"))
end)

local WARNINGS <const> = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

for _, compiler in ipairs { "gcc -std=c11 -O2", "gcc -std=c11 -O0 -fsanitize=address,undefined", "g++ -std=c++17 -O1",
                            "clang -std=c11 -O2", "clang++ -std=c++17 -O0" } do
    support.case("calls by " .. compiler, function()
        if not os.execute("command -v " .. compiler:match("%S+") .. " >/dev/null") then return end
        local is_cxx = compiler:find("++", 1, true)
        local objects = {}
        for i, name in ipairs { "net_train", "words_train" } do
            objects[i] = string.format("%s/%s.o", directory, name)
            must(string.format("%s %s -I%s/gen %s -c %s/gen/%s.c -o %s", compiler, WARNINGS, directory,
                is_cxx and "-x c++" or "", directory, name, objects[i]))
        end
        -- A program in C links with both.
        local linker = compiler:gsub("clang%+%+", "clang"):gsub("g%+%+", "gcc"):gsub("c%+%+17", "c11")
        must(string.format("%s %s -I%s/gen -o %s/calls tests/training/calls.c %s -lm", linker, WARNINGS, directory,
            directory, table.concat(objects, " ")))
        must(string.format("%s %s -I%s/gen -o %s/rules tests/training/rules.c %s/words_train.o -lm", linker, WARNINGS,
            directory, directory, directory))
        must(string.format("%s %s -I%s/gen -o %s/dropout tests/training/dropout.c -lm", linker, WARNINGS, directory,
            directory))
        for _, program in ipairs { "calls", "rules", "dropout" } do
            local output = must(directory .. "/" .. program)
            assert(output:find("(%d+) cases, 0 failed"), output)
        end
    end)
end

support.case("tensors that would have one name in C are an error", function()
    local path = directory .. "/same.lua"
    local file <close> = assert(io.open(path, "wb"))
    file:write('return model { name = "same", train = true, layers = { rnn { input_size = 2, hidden_size = 3 }, '
        .. 'dense { units = 4, prefix = "a." }, dense { units = 2, prefix = "a_" } } }\n')
    file:close()
    local output, ok = run(string.format("%s compile %s -o %s/same", rnnc, path, directory))
    assert(not ok and output:find("a.weight and a_weight would have one name in C, a_weight", 1, true), output)
end)

support.case("two generated files in one unit are an error", function()
    local file <close> = assert(io.open(directory .. "/unit.c", "wb"))
    file:write('#include "net_train.c"\n#include "words_train.c"\n')
    file:close()
    local output, ok = run(string.format("gcc -std=c11 -I%s/gen -c %s/unit.c -o /dev/null", directory, directory))
    assert(not ok and output:find("in one translation unit"), output)
end)

os.execute("rm -r " .. directory)
support.finish()
