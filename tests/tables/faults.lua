-- faults: each command when the system fails it, at one call after the other: memory, files, reading, writing, names
-- and processes. It says so and ends with exit code 1, with all files as they were or all as they are to be, and with
-- nothing left behind; or it did not matter, and all is as it is without a fault. An argument is the name of a command,
-- and then it is tried alone.
local support = require "tests.compiler.support"

local place = support.place()
local directory, rnnc, write = place.directory, place.rnnc, place.write

local function shell(text)
    local pipe = io.popen(string.format("cd %s && { %s\n} 2>&1", directory, text))
    local output = pipe:read("a")
    return pipe:close(), output
end

local root <const> = os.getenv "PWD"
local cc <const> = os.getenv "CC" or "cc"

local made, why = shell(string.format("%s -shared -fPIC -o fail.so %s/tests/fault/fail.c -ldl", cc, root))
assert(made, why)

-- A compiler that compiles once and hands out what it made; nothing here is about it.
assert(os.execute("mkdir " .. directory .. "/kept"))
write("cc", string.format([[#!/bin/sh
words=$* made=
while [ $# -gt 1 ]; do [ "$1" = -o ] && made=$2; shift; done
[ "$made" ] || exec %s $words
kept=%s/kept/$FAIL_NAME-${made##*/}
[ -e "$kept" ] || { %s $words && cp "$made" "$kept"; } || exit 1
cp "$kept" "$made"
]], cc, directory, cc))
assert(os.execute("chmod 700 " .. directory .. "/cc"))

local RNN <const> = 'return rnn { name = "net", input_size = 2, hidden_size = 3, target = "portable", %s }'
local WEIGHTS <const> = 'weights = "w.safetensors"'
local DATA <const> = string.pack("<s8", '{"x":{"dtype":"F32","shape":[2,2,2],"data_offsets":[0,32]},'
    .. '"y":{"dtype":"F32","shape":[2,2,3],"data_offsets":[32,80]}}') .. ("\0"):rep(80)
local KERAS <const> = "tests/import/keras/text.keras"

-- What is there before: files by name, a text or "@" and a path of the tree; `first`: a command that makes the rest.
-- stages: what is written is not one set, so files may be between; varies: what is printed is not the same each time;
-- tells: on stdout, where it is no line of an error.
local commands <const> = {
    { "compile", "compile net.lua -o out", { ["net.lua"] = RNN:format(WEIGHTS) },
      first = "init --weights-only net.lua" },
    { "again", "compile net.lua -o out", { ["net.lua"] = RNN:format(WEIGHTS) },
      first = "init --weights-only net.lua && $RNNC compile net.lua -o out && sed -i s/3/4/ net.lua "
          .. "&& rm w.safetensors && $RNNC init --weights-only net.lua" },
    { "init", "init new.lua", {} },
    { "weights", "init --weights-only net.lua", { ["net.lua"] = RNN:format(WEIGHTS) } },
    { "plan", "plan net.lua", { ["net.lua"] = RNN:format "" } },
    { "onnx", "import model.onnx -o out", { ["model.onnx"] = "@tests/import/exports/lstm_state.onnx" } },
    { "keras", "import model.keras -o out", { ["model.keras"] = "@" .. KERAS } },
    { "pt", "import policy.pt -o out", { ["policy.pt"] = "@tests/import/exports/policy.pt" } },
    { "json", "import model.json -o out", { ["model.json"] = "@tests/import/rtneural_lstm_1d/lstm_1d.json" } },
    { "nam", "import model.nam -o out", { ["model.nam"] = "@tests/import/nam_example_lstm/lstm.nam" } },
    { "verify", "verify net.lua --cc=../cc", { ["net.lua"] = RNN:format(WEIGHTS) },
      first = "init --weights-only net.lua", tells = "\n[^\n]+\n" },
    { "train", "train net.lua --cc=../cc --epochs=1",
      { ["net.lua"] = RNN:format(WEIGHTS .. ', training = training { loss = "mse", data = "d.safetensors" }'),
        ["d.safetensors"] = DATA }, stages = true, varies = true },
}

-- Letters of fail.c: how many faults of that kind are tried at most.
local kinds <const> = { { "m", 9 }, { "o", 7 }, { "r", 7 }, { "w", 6 }, { "n", 6 }, { "p", 4 } }

-- Numbers from 1 to count: all, or some that become sparse, and the last ones.
local function sample(count, most)
    local list, seen = {}, {}
    local function add(n)
        n = math.floor(n)
        if n >= 1 and n <= count and not seen[n] then
            seen[n] = true
            list[#list + 1] = n
        end
    end
    for i = 0, most - 3 do
        if count <= most then break end
        add(i * (count / (most - 2)) ^ (i / (most - 3)) + 1)
    end
    for n = math.max(1, count - (count <= most and most or 2)), count do add(n) end
    return list
end

-- Runs the words, by the scripts in rnnc itself, in a fresh copy of what is there before -> exit code, stdout, stderr,
-- the files afterwards.
local function try(command, kind, at)
    local ok, text = shell(string.format([[
rm -rf run tmp && cp -a before run && mkdir tmp && cd run
unset RNNC_HOME
export FAIL_NAME=%s FAIL_KIND=%s FAIL_AT=%d FAIL_COUNT=%s TMPDIR=%s/tmp
LD_PRELOAD=%s/fail.so timeout 100 %s %s >../out 2>../err
echo $? >../code
cd .. && { find run tmp ! -type d -exec cksum {} + && find run tmp -type d; } | sort >files]], command[1], kind, at,
        at == 0 and directory .. "/count" or "", directory, directory, rnnc, command[2]))
    assert(ok, text)
    local result = {}
    for _, name in ipairs { "code", "out", "err", "files" } do
        local file <close> = assert(io.open(directory .. "/" .. name, "rb"))
        result[name] = file:read("a")
    end
    return result
end

local function check(command, good, before, result)
    local code = math.tointeger(result.code)
    if code == 0 then
        assert(command.varies or result.out == good.out, "exit code 0, but prints " .. result.out)
        assert(result.files == good.files or command.varies, "exit code 0, but leaves\n" .. result.files)
        return
    end
    assert(code == 1, "exit code " .. result.code .. result.err)
    local told = result.err:find "error: " or command.tells and result.out:find(command.tells)
    assert(told and not result.err:find "internal error", "says " .. result.err .. result.out)
    if command.stages then
        assert(not (result.files:find "%.rnnc%-" or result.files:find "[ \n]tmp/"), "leaves\n" .. result.files)
    else
        assert(result.files == before or result.files == good.files, "leaves\n" .. result.files)
    end
end

for _, command in ipairs(commands) do
    if not arg[1] or arg[1] == command[1] then support.case(command[1], function()
        assert(shell("rm -rf before && mkdir before"))
        for name, text in pairs(command[3]) do
            if text:sub(1, 1) == "@" then
                assert(shell(string.format("cp %s/%s before/%s", root, text:sub(2), name)))
            else
                write("before/" .. name, text)
            end
        end
        if command.first then
            local ok, output = shell(string.format("RNNC=%s; cd before && $RNNC %s", rnnc, command.first))
            assert(ok, output)
        end
        local _, before = shell("rm -rf run tmp; cp -a before run && mkdir tmp; "
            .. "{ find run tmp ! -type d -exec cksum {} + && find run tmp -type d; } | sort")
        local wrong = {}
        for _, kind in ipairs(kinds) do
            local good = try(command, kind[1], 0)
            assert(good.code == "0\n", good.err)
            local file <close> = assert(io.open(directory .. "/count"))
            for _, at in ipairs(sample(file:read("n"), kind[2])) do
                local ok, message = pcall(check, command, good, before, try(command, kind[1], at))
                if not ok then wrong[#wrong + 1] = string.format("%s %d: %s", kind[1], at, message) end
            end
        end
        assert(#wrong == 0, table.concat(wrong, "\n"))
    end) end
end

os.execute("rm -rf " .. directory)
support.finish()
