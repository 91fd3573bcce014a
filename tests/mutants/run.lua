-- run.lua COPY [WORDS]: tries the bugs of mutants.lua in COPY, a built copy of the tree (see `run`).
package.path = "tests/mutants/?.lua;" .. package.path
local mutants = require "mutants"

local copy, words = arg[1], arg[2]

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return text
end

local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
end

-- Runs a command in the copy: whether it succeeded, and what it printed.
local function shell(command)
    local pipe = assert(io.popen("cd " .. quote(copy) .. " && { " .. command .. "\n} 2>&1"))
    local text = pipe:read("a")
    return pipe:close() == true, text
end

-- How often `find` occurs in `text`, as it stands.
local function count(text, find)
    local times, from = 0, 1
    while true do
        local at = text:find(find, from, true)
        if not at then return times end
        times, from = times + 1, at + #find
    end
end

local function is_script(mutant) return mutant.file:find("%.lua$") or mutant.file:find("%.t$") end

-- The first test that fails, or nil if all pass. The whole of a pattern runs: what is killed is killed
-- by a whole test of the suite, as it stands.
local function failing_test(mutant)
    local home = is_script(mutant) and "RNNC_HOME=" .. quote(copy) .. " " or ""
    for _, pattern in ipairs(mutant.tests or mutants.usual) do
        local ok, text = shell(home .. "RNNC=build/rnnc BUILD=build RNNC_TEST_FAST=1 build/tests/rnnc-tests"
            .. " --jobs 2 --timeout 300 --fail-fast --filter " .. quote(pattern))
        if not ok then
            return text:match("%[%u+%] ([%w_]+::[%w_]+)") or "a crash in " .. pattern, text
        end
        assert(text:match("Tested: [1-9]"), "no test is called " .. pattern)
    end
end

-- A bug that keeps the compiler from compiling shows nothing: the code has to come out and be C.
local function still_works(mutant)
    if not is_script(mutant) then return shell("make -s build build/tests/rnnc-tests") end
    local fields = 'cell = "rnn", input_size = 5, hidden_size = 19, num_layers = 2, bidirectional = true'
    local nets = { one = 'target = "avx2", batch = 8, seq_len = 9', two = 'target = "portable"' }
    shell("mkdir -p sample")
    for name, more in pairs(nets) do
        write(copy .. "/sample/" .. name .. ".lua",
            string.format("return rnn { name = %q, %s, %s }\n", name, fields, more))
    end
    return shell("for n in one two; do RNNC_HOME=" .. quote(copy) .. " build/rnnc compile sample/$n.lua -o sample"
        .. " && ${CC:-cc} -w -fsyntax-only -Iruntime sample/$n.c || exit 1; done")
end

local function plant(mutant)
    local path = copy .. "/" .. mutant.file
    local text = read(path)
    local times = count(text, mutant.find)
    if times ~= 1 then return "INVALID", "the text to replace occurs " .. times .. " times" end
    local at, to = text:find(mutant.find, 1, true)
    write(path, text:sub(1, at - 1) .. mutant.replace .. text:sub(to + 1))
    local works, message = still_works(mutant)
    local verdict, reason
    if not works then
        verdict, reason = "INVALID", "does not build: " .. (message:match("[^\n]*error[^\n]*") or message:sub(1, 200))
    else
        local test = failing_test(mutant)
        verdict, reason = test and "killed" or "SURVIVED", test or "no test fails"
    end
    write(path, text)
    -- Scripts are read from disk, by an executable without the bug before.
    if not is_script(mutant) then assert(shell("make -s build build/tests/rnnc-tests")) end
    return verdict, reason
end

-- ---- the whole ----

local chosen, patterns, seen = {}, {}, {}
for _, mutant in ipairs(mutants.list) do
    if not words or mutant.what:find(words, 1, true) then
        chosen[#chosen + 1] = mutant
        for _, pattern in ipairs(mutant.tests or mutants.usual) do
            if not seen[pattern] then patterns[#patterns + 1] = pattern end
            seen[pattern] = true
        end
    end
end
-- A test that fails anyhow would kill everything.
local test, text = failing_test { file = "x.lua", tests = patterns }
if test then
    io.stderr:write(text, "mutants: ", test, " fails without any bug planted\n")
    os.exit(1)
end

local bad = 0
print(string.format("%-8s  %-64s  %-28s  %s", "", "bug", "file", "caught by"))
for _, mutant in ipairs(chosen) do
    local verdict, reason = plant(mutant)
    if verdict ~= "killed" then bad = bad + 1 end
    print(string.format("%-8s  %-64s  %-28s  %s", verdict, mutant.what, mutant.file, reason))
    io.stdout:flush()
end
print(string.format("%d of %d bugs caught", #chosen - bad, #chosen))
os.exit(bad == 0)
