-- support: a small test runner, random numbers, recorded cases and compiled programs for the tests of compiler/ by
-- themselves. Run by tests/test_compiler.c: lua5.4 tests/compiler/NAME.lua, in the root of the tree.
package.path = "compiler/?.lua;" .. package.path

local interpret = require "ir.interpret"
local grammar = require "ir.grammar"
local emit = require "emit.program"

local support = { failed = 0, passed = 0 }

-- support.case(name, run): run() has to end without an error.
function support.case(name, run)
    local ok, message = xpcall(run, debug.traceback)
    if ok then
        support.passed = support.passed + 1
    else
        support.failed = support.failed + 1
        io.stderr:write("FAILED: ", name, ": ", tostring(message), "\n")
    end
end

-- To be called last: prints how many cases there were and exits with 1 if one failed or there were none.
function support.finish()
    print(string.format("%d cases, %d failed", support.passed + support.failed, support.failed))
    os.exit(support.failed == 0 and support.passed > 0 and 0 or 1, true)
end

-- support.place() -> a new directory to work in, { directory, rnnc (its path from anywhere), write(name, text): a file
-- there, run(words): what `rnnc WORDS` prints there within a minute, and its exit code }. The caller removes it.
function support.place()
    local place = { rnnc = os.getenv "RNNC" or "build/rnnc", directory = os.tmpname() }
    if place.rnnc:sub(1, 1) ~= "/" then place.rnnc = os.getenv "PWD" .. "/" .. place.rnnc end
    os.remove(place.directory)
    assert(os.execute("mkdir " .. place.directory))
    function place.write(name, text)
        local file <close> = assert(io.open(place.directory .. "/" .. name, "wb"))
        file:write(text)
    end
    function place.run(words)
        local pipe = io.popen(string.format("cd %s && timeout 60 %s %s 2>&1; echo $?", place.directory, place.rnnc,
            words))
        local output, code = pipe:read("a"):match("^(.-)(%d+)\n$")
        pipe:close()
        return output, tonumber(code)
    end
    return place
end

-- support.fails(run, pattern): run() has to end with an error that matches.
function support.fails(run, pattern)
    local ok, message = pcall(run)
    if ok then error("no error, wanted " .. pattern, 2) end
    if not tostring(message):find(pattern) then
        error(string.format("the error is %q, wanted %q", tostring(message), pattern), 2)
    end
end

-- xorshift: the same numbers on every machine.
function support.rng(seed)
    local state = seed * 0x9E3779B97F4A7C15 | 1
    local function next_bits()
        state = state ~ (state << 13)
        state = state ~ (state >> 7)
        state = state ~ (state << 17)
        return state
    end
    local rng = {}
    -- In (-scale, scale).
    function rng.number(scale) return ((next_bits() >> 11) * 2.0 ^ -52 - 1) * (scale or 1) end
    -- In least .. most.
    function rng.integer(least, most) return least + (next_bits() >> 1) % (most - least + 1) end
    return rng
end

-- Random values of all buffers that the program is given; more: those by name that are there already.
function support.values(program, symbols, rng, more)
    local given = {}
    for _, b in ipairs(program.buffers) do
        if grammar.given[b.role] then
            given[b.name] = more and more[b.name]
            if not given[b.name] then
                local _, n = interpret.strides(b, symbols)
                local list = {}
                for i = 1, n do list[i] = rng.number() end
                given[b.name] = list
            end
        end
    end
    return given
end

-- support.near(got, want, tolerance, what): lists, of the same length, in relation to the largest value wanted, 1 at
-- least. NaN is near nothing.
function support.near(got, want, tolerance, what)
    if #got ~= #want then error(string.format("%s: %d values, wanted %d", what, #got, #want), 2) end
    local largest = 1
    for _, value in ipairs(want) do largest = math.max(largest, math.abs(value)) end
    for i, value in ipairs(want) do
        local near = math.abs(got[i] - value) <= tolerance * largest
        if not near then
            error(string.format("%s: value %d is %.9g, wanted %.9g", what, i, got[i], value), 2)
        end
    end
end

-- support.same(a, b, symbols, seed, tolerance): two programs with the same given buffers and results compute the same.
function support.same(a, b, symbols, seed, tolerance, more)
    local given = support.values(a, symbols, support.rng(seed), more)
    local first, second = interpret.run(a, symbols, given), interpret.run(b, symbols, given)
    local count = 0
    for _, buffer in ipairs(a.buffers) do
        if buffer.role == "result" then
            support.near(second[buffer.name], first[buffer.name], tolerance or 0, buffer.name)
            count = count + 1
        end
    end
    assert(count > 0, "no results")
end

-- ---- safetensors ----

-- support.read_case(path) -> tensors (lists by name), shapes, metadata. F32 and I32 of files that PyTorch's cases are.
function support.read_case(path)
    local file <close> = assert(io.open(path, "rb"))
    local text = file:read("a")
    local size = string.unpack("<I8", text)
    local header, tensors, shapes, metadata = text:sub(9, 8 + size), {}, {}, {}
    local meta = header:match('"__metadata__"%s*:%s*(%b{})')
    for key, value in (meta or ""):gmatch('"([^"]+)"%s*:%s*"([^"]*)"') do metadata[key] = value end
    for name, body in header:gmatch('"([^"]+)"%s*:%s*(%b{})') do
        local dtype = body:match('"dtype"%s*:%s*"(%w+)"')
        local shape = body:match('"shape"%s*:%s*%[([^%]]*)%]')
        if name ~= "__metadata__" then
            shapes[name] = {}
            for word in shape:gmatch("%d+") do table.insert(shapes[name], math.tointeger(tonumber(word))) end
            local first, last = body:match('"data_offsets"%s*:%s*%[%s*(%d+)%s*,%s*(%d+)%s*%]')
            local format = dtype == "F32" and "<f" or dtype == "I32" and "<i4"
                or error(path .. ": " .. name .. " is " .. dtype)
            local list = {}
            for at = first + 0, last - 4, 4 do list[#list + 1] = string.unpack(format, text, 9 + size + at) end
            tensors[name] = list
        end
    end
    assert(next(tensors), path .. " has no tensors")
    return tensors, shapes, metadata
end

-- ---- programs in C ----

local WARNINGS <const> = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

local function is_real(buffer) return buffer.dtype == "f32" end

-- Reads what the program is given and writes all else, as doubles and int32_t, in the order of its buffers.
local function main_of(programs, symbols, real)
    local out = {}
    for i, header in ipairs { "math", "stddef", "stdint", "stdio", "stdlib" } do
        out[i] = "#include <" .. header .. ".h>"
    end
    local names, seen, declared, reads, writes, calls = {}, {}, {}, {}, {}, {}
    for _, program in ipairs(programs) do
        out[#out + 1] = emit.text(program, real)
        local members = {}
        for _, b in ipairs(program.buffers) do
            local c = b.name:gsub("[^%w_]", "_")
            local _, n = interpret.strides(b, symbols)
            members[#members + 1] = c
            if not seen[c] then
                seen[c] = true
                names[#names + 1] = b
                declared[#declared + 1] = string.format("static %s %s[%d];", is_real(b) and real or "int32_t", c, n)
                if grammar.given[b.role] then
                    reads[#reads + 1] = string.format("    read_%s(%s, %d);", is_real(b) and "real" or "whole", c, n)
                else
                    writes[#writes + 1] = string.format("    write_real(%s, %d);", c, n)
                end
            end
        end
        local arguments = { "&" .. program.name .. "_all" }
        for _, symbol in ipairs(program.symbols) do arguments[#arguments + 1] = tostring(symbols[symbol]) end
        declared[#declared + 1] = string.format("static const %s_buffers %s_all = {%s};", program.name, program.name,
            table.concat(members, ", "))
        calls[#calls + 1] = string.format("    %s(%s);", program.name, table.concat(arguments, ", "))
    end
    out[#out + 1] = table.concat(declared, "\n")
    out[#out + 1] = string.format([[
static void read_real(%s *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double value;
        if (fread(&value, sizeof value, 1, stdin) != 1) exit(3);
        to[i] = (%s)value;
    }
}
static void write_real(const %s *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double value = (double)from[i];
        if (fwrite(&value, sizeof value, 1, stdout) != 1) exit(4);
    }
}]], real, real, real)
    if table.concat(reads):find("read_whole") then
        out[#out + 1] = [[
static void read_whole(int32_t *to, size_t n) {
    if (fread(to, sizeof *to, n, stdin) != n) exit(3);
}]]
    end
    out[#out + 1] = "int main(void) {\n" .. table.concat(reads, "\n") .. "\n" .. table.concat(calls, "\n") .. "\n"
        .. table.concat(writes, "\n") .. "\n    return 0;\n}\n"
    return table.concat(out, "\n"), names
end

-- support.run_c(programs, symbols, given, real) -> values by buffer: the programs one after the other, in C, as float
-- or double. given: all that is given and not made by one before. Compiled without warnings, or an error.
function support.run_c(programs, symbols, given, real)
    local text, names = main_of(programs, symbols, real)
    local base = os.tmpname()
    local source, program, input, output = base .. ".c", base .. ".out", base .. ".in", base .. ".result"
    local function write(path, data)
        local file <close> = assert(io.open(path, "wb"))
        assert(file:write(data))
    end
    write(source, text)
    local parts = {}
    for _, b in ipairs(names) do
        if grammar.given[b.role] then
            for _, value in ipairs(given[b.name] or error("no values of " .. b.name)) do
                parts[#parts + 1] = is_real(b) and string.pack("<d", value) or string.pack("<i4", value)
            end
        end
    end
    write(input, table.concat(parts))
    local command = string.format("%s -std=c11 -O0 %s -o %s %s -lm && %s <%s >%s", os.getenv("CC") or "cc", WARNINGS,
        program,
        source, program, input, output)
    local ok = os.execute(command)
    local values = {}
    if ok then
        local file <close> = assert(io.open(output, "rb"))
        local data, at = file:read("a"), 1
        for _, b in ipairs(names) do
            if not grammar.given[b.role] then
                local list = {}
                local _, n = interpret.strides(b, symbols)
                for i = 1, n do list[i], at = string.unpack("<d", data, at) end
                values[b.name] = list
            end
        end
        assert(at == #data + 1, "the program wrote too much")
    end
    for _, path in ipairs { base, source, program, input, output } do os.remove(path) end
    assert(ok, "the program does not compile or run")
    return values
end

return support
