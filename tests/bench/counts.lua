-- counts.lua instrument IN.s OUT.s BLOCKS: adds to x86-64 assembler text a counter for each run of instructions that
-- has one way in and one way out, and writes which classes of instructions each holds.
-- counts.lua head: prints the head of the table.
-- counts.lua report TITLE STEPS BLOCKS COUNTS: prints what a step executes, from the counters of one call (COUNTS: a
-- line "cycles N", then a number for each block), beside the fewest cycles that the busiest resource needs.
local classes <const> = { "fma", "vector", "shuffle", "divide", "load", "store", "spill", "scalar" }

-- What runs on one port only, that which moves values between lanes.
local shuffles <const> = {
    "^vperm", "^vshuf", "^vunpck", "^vinsert", "^vextract", "^valign", "^vbroadcast", "^vpbroadcast", "^vmovhlps",
    "^vmovlhps", "^vpack", "^vcompress", "^vexpand",
}

-- The operands of an instruction, in the order of the text: sources first.
local function operands_of(text)
    local list, depth, from = {}, 0, 1
    for i = 1, #text + 1 do
        local c = text:sub(i, i)
        if c == "(" then depth = depth + 1 elseif c == ")" then depth = depth - 1 end
        if (c == "," and depth == 0) or i > #text then
            list[#list + 1] = text:sub(from, i - 1)
            from = i + 1
        end
    end
    return list
end

-- What an instruction does with memory: loads, stores, and whether it is the stack's.
local function memory_of(name, operands)
    if name:find("^lea") or name:find("^nop") or name:find("^prefetch") then return false, false, false end
    if name:find("^push") then return false, true, true end
    if name:find("^pop") then return true, false, true end
    for i, operand in ipairs(operands) do
        if operand:find("(", 1, true) then
            local last = i == #operands and #operands > 1
            local reads = not last or not name:find("^v?mov") and not name:find("^vextract")
            local writes = last and not name:find("^cmp") and not name:find("^test")
            return reads, writes, operand:find("%%[re]?sp") ~= nil
        end
    end
    return false, false, false
end

local function is_shuffle(name)
    for _, pattern in ipairs(shuffles) do
        if name:find(pattern) then return true end
    end
    return false
end

-- The classes of an instruction; one that loads or stores counts there too, unless that is all it does.
local function classify(line)
    local name, rest = line:match("^%s+(%S+)%s*(.*)$")
    rest = rest:gsub("%s*#.*$", "")
    local operands = operands_of(rest)
    local reads, writes, stack = memory_of(name, operands)
    local found = {}
    if reads then found[#found + 1] = "load" end
    if writes then found[#found + 1] = "store" end
    if stack then found[#found + 1] = "spill" end
    local moves = name:find("^v?mov") or (reads and (name:find("^vbroadcast") or name:find("^vpbroadcast")))
    local is_vector = rest:find("%%[xyz]mm") or rest:find("%%k%d")
    if not is_vector then
        found[#found + 1] = "scalar"
    elseif name:find("^vfn?m") then
        found[#found + 1] = "fma"
    elseif name:find("^vdiv") or name:find("^vsqrt") then
        found[#found + 1] = "divide"
    elseif is_shuffle(name) and not moves then
        found[#found + 1] = "shuffle"
    elseif not (moves and not rest:find("{%%k")) and name ~= "vzeroupper" then
        found[#found + 1] = "vector"
    end
    return found
end

-- Keeps flags, registers and the red zone as they are.
local counter <const> = [[
	leaq	-128(%%rsp), %%rsp
	pushfq
	incq	rnnc_counts+%d(%%rip)
	popfq
	leaq	128(%%rsp), %%rsp
]]

local function instrument(from, to, blocks_path)
    local out, blocks = assert(io.open(to, "w")), {}
    local block, in_text = nil, false
    for line in io.lines(from) do
        local directive, section = line:match("^%s+(%.%a+)%s*(%S*)")
        if directive == ".text" or (directive == ".section" and section:find("^%.text")) then
            in_text, block = true, nil
        elseif directive == ".data" or directive == ".bss" or directive == ".section" then
            in_text, block = false, nil
        elseif line:find("^[%w_.]+:") then
            block = nil
        elseif in_text and not directive and line:find("^%s+%a") then
            local name = line:match("^%s+(%S+)")
            if not block then
                out:write(string.format(counter, 8 * #blocks))
                block = { instructions = 0 }
                blocks[#blocks + 1] = block
            end
            block.instructions = block.instructions + 1
            for _, class in ipairs(classify(line)) do block[class] = (block[class] or 0) + 1 end
            if name:find("^j") or name:find("^call") or name:find("^ret") then
                out:write(line, "\n")
                line, block = nil, nil
            end
        end
        if line then out:write(line, "\n") end
    end
    out:write(string.format("\t.bss\n\t.align\t8\n"
        .. "rnnc_counts:\n\t.zero\t%d\n", 8 * #blocks))
    out:write(string.format("\t.globl\trnnc_counters\n\t.section\t.data.rel.ro,\"aw\"\n\t.align\t8\n"
        .. "rnnc_counters:\n\t.quad\trnnc_counts\n\t.quad\t%d\n\t.text\n", #blocks))
    assert(out:close())
    local file = assert(io.open(blocks_path, "w"))
    for _, b in ipairs(blocks) do
        local numbers = { b.instructions }
        for _, class in ipairs(classes) do numbers[#numbers + 1] = b[class] or 0 end
        file:write(table.concat(numbers, " "), "\n")
    end
    assert(file:close())
end

-- How many of each the processor starts in a cycle: vectors of 16 floats have two ports, one of them alone moves
-- values between lanes; two loads, two stores; six instructions of any kind.
local function busiest(sum)
    local vectors = sum.fma + sum.vector + sum.shuffle + sum.divide
    local needs = { { "vector ports", vectors / 2 }, { "shuffle port", sum.shuffle }, { "loads", sum.load / 2 },
                    { "stores", sum.store / 2 }, { "front end", sum.instructions / 6 } }
    table.sort(needs, function(a, b) return a[2] > b[2] end)
    return needs[1][1], needs[1][2]
end

local function head()
    local cells = { string.format("%-27s %10s %10s", "cell I H L D B T", "cycles", "all") }
    for _, class in ipairs(classes) do cells[#cells + 1] = string.format("%8s", class) end
    print(table.concat(cells, " ") .. "    fma/cycle  busiest")
end

local function report(title, steps, blocks_path, counts_path)
    local sum = { instructions = 0 }
    for _, class in ipairs(classes) do sum[class] = 0 end
    local counts = io.lines(counts_path)
    local cycles = tonumber(counts():match("^cycles (%S+)$")) / steps
    for line in io.lines(blocks_path) do
        local times, numbers = tonumber(counts()) / steps, {}
        for word in line:gmatch("%d+") do numbers[#numbers + 1] = tonumber(word) end
        sum.instructions = sum.instructions + times * numbers[1]
        for i, class in ipairs(classes) do sum[class] = sum[class] + times * numbers[i + 1] end
    end
    local cells = { string.format("%-27s %10.0f %10.0f", title, cycles, sum.instructions) }
    for _, class in ipairs(classes) do cells[#cells + 1] = string.format("%8.0f", sum[class]) end
    local name, least = busiest(sum)
    cells[#cells + 1] = string.format("%12.2f  %s %.0f %%", sum.fma / cycles, name, 100 * least / cycles)
    print(table.concat(cells, " "))
end

local what = arg[1]
if what == "instrument" then
    instrument(arg[2], arg[3], arg[4])
elseif what == "head" then
    head()
else
    report(arg[2], tonumber(arg[3]), arg[4], arg[5])
end
