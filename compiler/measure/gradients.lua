-- gradients: the generated training code of a network, compiled with a program that compares it (gradients.c.t).
local build = require "measure.build"
local fail = require "base.fail"
local generate = require "emit.generate"
local host = require "host"
local overwrite = require "emit.overwrite"
local program_text = require "emit.program"
local programs = require "passes.program.train"
local template = require "emit.template"
local train = require "emit.train"
local weights = require "weights.weights"

local gradients = {}

-- What a call differentiates by besides the parameters, and what it gives, in the order of a call.
local function lists_of(facts)
    local inputs, outputs = facts.tokens and {} or { "x" }, { "y" }
    for _, state in ipairs(facts.states) do
        inputs[#inputs + 1], outputs[#outputs + 1] = state.name .. "0", state.name .. "n"
    end
    return inputs, outputs
end

-- The buffers of both programs: where they are among inputs and results, or how many values of their own they need.
local function buffers_of(facts, forward, backward)
    local list, by_name = {}, {}
    for _, program in ipairs { forward, backward } do
        for _, b in ipairs(program.buffers) do
            local entry = by_name[b.name]
            if not entry then
                entry = { c = program_text.c_name(b.name), count = train.count_text(b), mask = facts.masks[b.name] }
                by_name[b.name], list[#list + 1] = entry, entry
                local place, offset, adjoint = train.place_of(facts, b)
                if place == "tokens" or place == "lengths" then
                    entry.place = place
                elseif place then
                    -- Seeds are inputs in the places of what they are the adjoints of.
                    local is_output = place == "y" or place:find("^[hc]n$")
                    local from = (is_output and true or false) == adjoint and "in" or "out"
                    local segment = place == "parameters" and "0" or "at[" .. place:upper() .. "]"
                    entry.place = string.format("%s + %s + %s", from, segment, (offset:gsub("batch", "B")))
                end
            end
            entry[program == forward and "forward" or "backward"] = true
        end
    end
    return list
end

local function symbols_of(program)
    return #program.symbols > 0 and ", " .. table.concat(program.symbols, ", ") or ""
end

-- The words of the calls: what `without` of the program leaves out is NULL.
local function arguments_of(spec, facts, inputs, outputs)
    local head, pointers = { "parameters" }, {}
    if spec.seq_len == "any" then head[#head + 1] = "T" end
    if spec.batch == "any" then head[#head + 1] = "B" end
    local function pointer(name, what, bits, type)
        pointers[#pointers + 1] = string.format("%sfloat *const %s = without & %d ? NULL : %s;", type, name, bits, what)
        return name
    end
    -- Tensors of the parameters are segments of their own; the call has them in one piece.
    local P = #facts.parameters
    pointers[#pointers + 1] = string.format("float *const parameters = (float *)guarded(at[%d] * sizeof(float), 8);", P)
    pointers[#pointers + 1] = string.format("memcpy(parameters, in, at[%d] * sizeof(float));", P)
    pointers[#pointers + 1] = string.format("float *const gradient = (float *)guarded(at[%d] * sizeof(float), 4);", P)
    head[#head + 1] = facts.tokens and (facts.lengths and "given_tokens" or "tokens") or "given[X]"
    if facts.lengths then head[#head + 1] = "long_lengths" end
    local forward, backward = table.move(head, 1, #head, 1, {}), table.move(head, 1, #head, 1, {})
    for _, name in ipairs(inputs) do
        if name ~= "x" then forward[#forward + 1] = pointer(name, "given[" .. name:upper() .. "]", 8, "const ") end
    end
    if facts.drops then forward[#forward + 1] = "dropping" end
    for _, name in ipairs(outputs) do
        forward[#forward + 1] = pointer(name, "result[" .. name:upper() .. "]", 4, "")
        backward[#backward + 1] = pointer("d" .. name, "given[" .. name:upper() .. "]", name == "y" and 32 or 16,
            "const ")
    end
    backward[#backward + 1] = pointer("dparameters", "gradient", 1, "")
    for _, name in ipairs(inputs) do
        backward[#backward + 1] = pointer("d" .. name, "result[" .. name:upper() .. "]", 2, "")
    end
    for _, list in ipairs { forward, backward } do
        list[#list + 1] = "tape"
        list[#list + 1] = "workspace"
    end
    return table.concat(forward, ", "), table.concat(backward, ", "), pointers
end

-- The text of gradients.c, and what gradients.build returns of it.
local function program_of(spec, expected)
    local forward, backward = train.programs(spec, programs.plain)
    local facts = train.facts(spec, expected, forward)
    local inputs, outputs = lists_of(facts)
    local segments, labels, literals, counts, listed = {}, {}, {}, {}, {}
    local function add(id, label, count, name)
        segments[#segments + 1], counts[#counts + 1] = id, count
        labels[#labels + 1], literals[#literals + 1] = label, program_text.literal(label)
        listed[#listed + 1] = name
    end
    for i, p in ipairs(facts.parameters) do add("P" .. i, "grad." .. p.name, tostring(p.count), p.name) end
    local function size_of(name)
        local words = {}
        for _, b in ipairs(forward.buffers) do
            local place = train.place_of(facts, b)
            if place == name and not b.name:find("^d_") then words[#words + 1] = train.count_text(b) end
        end
        return table.concat(words, " + ")
    end
    local zeroes = {}
    for _, name in ipairs(inputs) do add(name:upper(), "grad." .. name, size_of(name), name) end
    for _, name in ipairs(outputs) do add(name:upper(), name, size_of(name), name) end
    local bits = { h0 = 8, c0 = 8, hn = 16, cn = 16, y = 32 }
    for _, list in ipairs { inputs, outputs } do
        for _, name in ipairs(list) do
            if bits[name] then
                zeroes[#zeroes + 1] = string.format("if (bit == %d) memset(zeroed + at[%s], 0, count_of(%s) * "
                    .. "sizeof(float));", bits[name], name:upper(), name:upper())
            end
        end
    end
    local references = {}
    for i, real in ipairs { "double", "float" } do
        local texts = { real = real }
        for _, program in ipairs { forward, backward } do
            local kind = program == forward and "forward" or "backward"
            program.name = spec.name .. "_" .. real .. "_" .. kind
            texts[kind] = program_text.text(program, real)
        end
        references[i] = texts
    end
    local forward_arguments, backward_arguments, pointers = arguments_of(spec, facts, inputs, outputs)
    local text = template.render("gradients.c", {
        name = spec.name, facts = facts, references = references, buffers = buffers_of(facts, forward, backward),
        segments = segments, labels = literals, counts = counts, parameters = #facts.parameters,
        forward_symbols = symbols_of(forward), backward_symbols = symbols_of(backward),
        forward_arguments = forward_arguments, backward_arguments = backward_arguments, call_pointers = pointers,
        zeroes = zeroes, batch_first = spec.batch_first,
    })
    return text, { facts = facts, outputs = outputs, names = listed, labels = labels, counts = counts,
                   parameters = #facts.parameters }
end

-- gradients.build(spec, options, directory, command) -> the path of the program, and what it reads and compares:
-- { facts, outputs, names, labels and counts (of values, as C) of the segments, parameters (how many of these are
-- such) }.
-- What is wrong is the user's mistake.
function gradients.build(spec, options, directory, command)
    options.train = true
    local files = generate(spec, options)
    local text, net = program_of(spec, weights.tensors(weights.expected(spec)))
    files[#files + 1] = { name = "rnnc.h", text = host.resource("runtime/rnnc.h") }
    files[#files + 1] = { name = spec.name .. "_gradients.c", text = text }
    overwrite.check(directory, files, command, "keep the files in another directory")
    local written, message = host.write(directory, files)
    if not written then fail.with { command .. ": error: " .. message } end
    local program = directory .. "/" .. spec.name .. "_gradients"
    local base = directory .. "/" .. spec.name
    local made, reason, output = build.call(build.compiler(options.cc, command), "-std=c11 -O1",
        { base .. "_gradients.c", base .. "_train.c", "-I" .. directory, "-o", program, "-lm" })
    if not made then fail.with { command .. ": error: " .. reason, output } end
    return program:find("/", 1, true) and program or "./" .. program, net
end

return gradients
