-- peers: other libraries that run the same network, by the drivers in tests/bench/peers.
local build = require "measure.build"
local timing = require "measure.timing"
local host = require "host"

local peers = {}

local PATIENCE <const> = 120
local FOLDER <const> = "tests/bench/peers/"

-- name      as it stands in tables
-- files     what the driver is made of; the first one is compiled, or run by an interpreter
-- interpreter  the variable that names it (default: python3)
-- compiler  with its flags; libraries stand behind the file
-- settings  environments of which the best counts
local rows = {
    { name = "PyTorch", files = { "pytorch.py" }, interpreter = "PYTHON",
      settings = { { "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1" } } },
    { name = "oneDNN", files = { "onednn.cpp", "driver.h" }, compiler = "c++ -std=c++17 -O2 -fopenmp",
      libraries = "-ldnnl -lm",
      settings = { { "OMP_NUM_THREADS=1" }, { "OMP_NUM_THREADS=1", "ONEDNN_MAX_CPU_ISA=AVX2" } } },
    { name = "ONNX Runtime", files = { "onnxruntime.c", "onnx.h", "driver.h" },
      compiler = "cc -std=gnu11 -O2", libraries = "-ldl -lm", settings = { {} } },
    { name = "libxsmm", files = { "libxsmm.c", "driver.h" },
      compiler = "cc -std=gnu11 -O3 -march=native -ffast-math",
      libraries = "-lxsmm -lxsmmnoblas -lpthread -ldl -lm", settings = { {} } },
}

-- Writes and compiles the driver of a row; returns the words that start it, or nil and why not.
local function prepare(row, directory)
    local files = {}
    for i, name in ipairs(row.files) do
        local there, text = pcall(host.resource, FOLDER .. name)
        if not there then return nil, "skipped: this rnnc was built without its driver" end
        files[i] = { name = name, text = text }
    end
    local written, message = host.write(directory, files)
    if not written then return nil, message end
    local source = directory .. "/" .. row.files[1]
    if row.interpreter then return { host.getenv(row.interpreter) or "python3", source } end
    local program, compiler = source:gsub("%.%w+$", ""), {}
    for word in row.compiler:gmatch("%S+") do compiler[#compiler + 1] = word end
    local words = { source, "-o", program }
    for word in row.libraries:gmatch("%S+") do words[#words + 1] = word end
    local made, reason, output = build.call({ compiler[1] }, table.concat(compiler, " ", 2), words)
    if made then return { program } end
    local missing = (output or ""):match("([%w_/.]+%.hp?p?): No such file") or (output or ""):match("cannot find (%S+)")
    return nil, missing and "skipped: " .. missing .. " is not installed" or "skipped: " .. reason
end

-- peers.open(directory) -> the rows with how to start them; drivers are made in `directory`.
function peers.open(directory)
    local list = {}
    for i, row in ipairs(rows) do
        local words, why_not = prepare(row, directory)
        list[i] = { name = row.name, words = words, why_not = why_not, settings = row.settings }
    end
    return list
end

-- The first line of a driver: the code's full name, or nil and why it is not to be had.
local function greeting(runner)
    local answer, message = runner:ask(nil, PATIENCE)
    if not answer then return nil, message end
    local name = answer:match("^hello (.+)$")
    return name, not name and "skipped: " .. answer:gsub("^absent ", "")
end

-- Runners with all variants of a peer. A variant has a process of its own.
local function candidates(peer, arguments)
    local list, failed = {}, nil
    for _, setting in ipairs(peer.settings) do
        local number = 0
        while true do
            local words = { "env" }
            table.move(setting, 1, #setting, 2, words)
            table.move(peer.words, 1, #peer.words, #words + 1, words)
            table.move(arguments, 1, #arguments, #words + 1, words)
            local runner, message = host.start(words)
            local name
            if runner then name, message = greeting(runner) end
            local answer = name and runner:ask("variant " .. number, PATIENCE)
            if answer and answer:find("^ready") then
                local words_of = { (answer:gsub("^ready ?", "")) }
                if #setting > 1 then words_of[#words_of + 1] = setting[#setting] end
                list[#list + 1] = { code = name, runner = runner, variant = table.concat(words_of, ", ") }
            else
                failed = failed or message or (answer or "it ends"):gsub("^cannot ", "")
                if runner then runner:close() end
                if not (answer and answer:find("^cannot")) then break end
            end
            number = number + 1
        end
    end
    return list, failed
end

-- peers.candidate(peer, arguments, problem, directory) -> a candidate, its fastest variant; without a runner
-- and with a note if there is none.
function peers.candidate(peer, arguments, problem, directory)
    if not peer.words then return { code = peer.name, note = peer.why_not } end
    local list, failed = candidates(peer, arguments)
    if #list == 0 then return { code = peer.name, note = failed } end
    return timing.choose(list, problem, directory)
end

return peers
