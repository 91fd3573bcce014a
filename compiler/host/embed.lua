-- embed: packs the scripts, the templates, rnnc.h and the drivers of `rnnc bench --peers` into one C
-- file, byte for byte.
--
--     lua5.4 compiler/host/embed.lua OUTPUT.c        (in the root of the tree)
--
-- The files stand in sorted order and nothing else enters, so that the same tree gives the same
-- bytes. A file becomes rows of ROW characters, each a string literal that fills its row exactly:
-- compilers read string literals many times faster than lists of numbers, and a literal of more
-- than 4095 characters is not portable (C11 5.2.4.1).
local ROW <const> = 1024

local function lines_of(command)
    local pipe = assert(io.popen(command))
    local lines = {}
    for line in pipe:lines() do lines[#lines + 1] = line end
    assert(pipe:close(), command .. " failed")
    return lines
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return assert(file:read("a"))
end

local function escaped(byte) return string.format("\\%03o", string.byte(byte)) end

local function literal(text)
    return '"' .. text:gsub('[^ !#->@-%[%]-~]', escaped) .. '"'
end

local names = lines_of("find compiler templates -type f \\( -name '*.lua' -o -name '*.t' \\)")
-- A compiler that is built without the tests has no drivers.
for _, name in ipairs(lines_of("if [ -d tests/bench/peers ]; then find tests/bench/peers -type f; fi")) do
    names[#names + 1] = name
end
names[#names + 1] = "runtime/rnnc.h"
table.sort(names)

local out, index = { '#include "embedded.h"\n' }, {}
for _, name in ipairs(names) do
    if name ~= "compiler/host/embed.lua" then
        local text = read(name)
        local id = #index + 1
        -- An empty file still needs a row: C has no empty arrays.
        local rows = math.max(1, (#text + ROW - 1) // ROW)
        out[#out + 1] = string.format("\nstatic const char file_%d[%d][%d] = {", id, rows, ROW)
        for row = 1, rows do
            out[#out + 1] = "    " .. literal(text:sub((row - 1) * ROW + 1, row * ROW)) .. ","
        end
        out[#out + 1] = "};"
        index[id] = string.format('    {"%s", file_%d[0], %d},', name, id, #text)
    end
end
out[#out + 1] = "\nconst embedded_file embedded_files[] = {"
out[#out + 1] = table.concat(index, "\n")
out[#out + 1] = "};\n"
out[#out + 1] = string.format("const size_t embedded_count = %d;\n", #index)

local path = assert(arg[1], "usage: lua5.4 compiler/host/embed.lua OUTPUT.c")
local file <close> = assert(io.open(path, "wb"))
assert(file:write(table.concat(out, "\n")))
