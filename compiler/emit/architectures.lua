-- architectures: which of a file's targets compile where, as lines of the preprocessor and checks of the CPU.
local known = require("tables.targets").architectures
local statements = require "emit.statements"

local format = string.format

local architectures = {}

-- architectures.of(variants) -> of the targets of a file, from the least to the most demanding:
--   everywhere  does one of them compile on every architecture?
--   list        the rows of those that others are for, in the order of the targets
--   only        the one that the file is for, or nil
--   guarded     does code have to be left out where it does not compile?
--   blocks      { macro (nil: wherever the file compiles), variants } of targets that compile together, best first
function architectures.of(variants)
    local found, seen = { everywhere = false, list = {}, blocks = {} }, {}
    for _, v in ipairs(variants) do
        local row = known[v.arch]
        if not row then
            found.everywhere = true
        elseif not seen[row] then
            seen[row], found.list[#found.list + 1] = true, row
        end
    end
    found.guarded = #found.list > 1 or found.everywhere and #found.list > 0
    found.only = not found.guarded and found.list[1] or nil
    for i = #variants, 1, -1 do
        local macro, block = architectures.macro(found, variants[i]), found.blocks[#found.blocks]
        if not block or block.macro ~= macro then
            block = { macro = macro, variants = {} }
            found.blocks[#found.blocks + 1] = block
        end
        table.insert(block.variants, variants[i])
    end
    return found
end

-- architectures.macro(found, v): what is defined where the target's code compiles; nil: no need to ask.
function architectures.macro(found, v) return found.guarded and v.arch and known[v.arch].macro or nil end

-- architectures.where(found, variants): the line before what these targets need and no other; nil: it is needed
-- wherever the file compiles.
function architectures.where(found, variants)
    local macros, seen = {}, {}
    for _, v in ipairs(variants) do
        local macro = architectures.macro(found, v)
        if not macro then return nil end
        if not seen[macro] then seen[macro], macros[#macros + 1] = true, macro end
    end
    if #macros < 2 then return macros[1] and "#ifdef " .. macros[1] end
    for i, macro in ipairs(macros) do macros[i] = format("defined(%s)", macro) end
    return "#if " .. table.concat(macros, " || ")
end

-- architectures.lacking(found): the least target of each architecture where a CPU may lack what all targets that
-- compile there need, { macro, target }.
function architectures.lacking(found)
    local list = {}
    for _, block in ipairs(found.everywhere and {} or found.blocks) do
        local least = block.variants[#block.variants]
        if least.isa ~= "" then list[#list + 1] = { macro = block.macro, target = least.target } end
    end
    return list
end

-- architectures.within(macro, text) -> the text where the macro, or nil, is defined.
function architectures.within(macro, text)
    return macro and text ~= "" and format("#ifdef %s\n%s#endif\n", macro, text) or text
end

-- architectures.supported(found) -> the functions supported_<target> of those that not every CPU of their architecture
-- has, as C.
function architectures.supported(found)
    local text = ""
    for _, block in ipairs(found.blocks) do
        local list = {}
        for i = #block.variants, 1, -1 do
            local v, asked = block.variants[i], {}
            for name in v.isa:gmatch("[^,]+") do
                asked[#asked + 1] = format("__builtin_cpu_supports(\"%s\")", name)
            end
            list[#list + 1] = asked[1] and statements.plain(format("Can this CPU run the code for %s?", v.target),
                "static int supported" .. v.suffix, "void", { statements.leave(table.concat(asked, " && ")) }) or nil
        end
        text = text .. architectures.within(block.macro, table.concat(list))
    end
    return text
end

-- architectures.open(found): are there CPUs that a file compiles for and none of its targets runs on?
function architectures.open(found)
    for _, block in ipairs(found.blocks) do
        if not block.macro and block.variants[#block.variants].isa == "" then return false end
    end
    return true
end

-- architectures.best(found, call, otherwise) -> C that runs call(v), lines, for the best target that this CPU has;
-- otherwise: the line where it has none.
function architectures.best(found, call, otherwise)
    local text = ""
    for _, block in ipairs(found.blocks) do
        local lines = {}
        for _, v in ipairs(block.variants) do
            local asked = v.isa ~= ""
            if asked then lines[#lines + 1] = format("    if (supported%s()) {\n", v.suffix) end
            for _, line in ipairs(call(v)) do
                lines[#lines + 1] = format("%s%s\n", asked and "        " or "    ", line)
            end
            if asked then lines[#lines + 1] = "    }\n" end
        end
        text = text .. architectures.within(block.macro, table.concat(lines))
    end
    return architectures.open(found) and text .. "    " .. otherwise .. "\n" or text
end

-- architectures.refusal(found, file) -> lines that refuse to compile a file for one architecture anywhere else.
function architectures.refusal(found, file)
    local only = found.only
    return only and format("#if !(%s)\n#error \"%s is for %s and gcc or clang: generate it with target = \\\"portable"
        .. "\\\"\"\n#endif\n", only.condition, file, only.name) or ""
end

-- What portable code uses of x86.
local SSE2 <const> = "#define VECTORS_SSE2\n#include <emmintrin.h>\n"

-- architectures.includes(found, file, freestanding) -> the headers of intrinsics, and for code that has to be left out
-- where it does not compile a macro for each architecture.
function architectures.includes(found, file, freestanding)
    if found.only then return format("#include <%s>\n", found.only.header) end
    if not found.guarded then return freestanding and "" or format("\n#ifdef __SSE2__\n%s#endif\n", SSE2) end
    local text, names = "\n", {}
    for i, row in ipairs(found.list) do
        names[i] = row.name
        text = text .. format("#%s %s\n#define %s\n%s#include <%s>\n", i == 1 and "if" or "elif", row.condition,
            row.macro, row == known.x86 and "#define VECTORS_SSE2\n" or "", row.header)
    end
    local last = found.everywhere and "#elif defined(__SSE2__)\n" .. SSE2
        or format("#else\n#error \"%s is for %s and gcc or clang: add portable to its targets\"\n", file,
            table.concat(names, " and "))
    return text .. last .. "#endif\n"
end

return architectures
