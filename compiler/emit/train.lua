-- train: NAME_train.h and NAME_train.c, with which a program trains a network: the programs of passes/program/train.lua
-- as C, and calls around them that check what they are given and divide the caller's memory among the buffers.
local affine = require "ir.affine"
local fail = require "base.fail"
local grammar = require "ir.grammar"
local host = require "host"
local program_text = require "emit.program"
local programs = require "passes.program.train"
local architectures = require "emit.architectures"
local targets = require "tables.targets"
local template = require "emit.template"
local vector_loops = require "emit.vector_loops"
local vector_products = require "emit.vector_products"

local train = {}

-- Buffers begin at multiples of so many floats, a line of the cache.
local ALIGNED <const> = 16

local states <const> = { "h", "c" }

-- The state that a buffer h0, hn_2, d_c0 ... holds, its end ("0" or "n") and the number of its stack; or nil.
local function state_of(name)
    local state, which, number = name:match("^d?_?([hc])([0n])_?(%d*)$")
    return state, which, tonumber(number) or 1
end

local function c_dim(dim)
    local text = affine.text(dim)
    return #dim > 1 and dim[1] ~= 0 and "(" .. text .. ")" or text
end

-- train.count_text(buffer) -> how many values it has, as C: "(T + 1) * B * 5".
function train.count_text(buffer)
    local number, words = 1, {}
    for _, dim in ipairs(buffer.dims) do
        if #dim == 1 then number = number * dim[1] else words[#words + 1] = c_dim(dim) end
    end
    if number > 1 or #words == 0 then words[#words + 1] = tostring(number) end
    return table.concat(words, " * ")
end

local count_text = train.count_text

-- At most so many times (T + 1) B values.
local function bound_of(buffer)
    local n = 1
    for _, dim in ipairs(buffer.dims) do
        if #dim == 1 then n = n * dim[1] end
    end
    return n
end

-- The parameters one after the other: { name, shown and literal (it in comments and as a string of C), c, offset, rows,
-- cols, bound (of its first values, as C), normal, start (all first values, as C, or nil) }, and how many floats they
-- are.
local function parameters_of(expected, prefix)
    local list, at = {}, 0
    for i, weight in ipairs(expected) do
        -- What ends a comment has no end there.
        local shown = weight.name:gsub("%*/", "* /")
        local count = weight.rows * math.max(weight.cols, 1)
        list[i] = { name = weight.name, shown = shown, literal = program_text.literal(prefix .. weight.name),
                    c = program_text.c_name(weight.name), offset = at, count = count,
                    rows = weight.rows, cols = weight.cols, bound = string.format("%.17g", weight.bound),
                    normal = weight.item.layer == "embedding", start = weight.start and host.float(weight.start) }
        at = at + count
    end
    return list, at
end

-- Where the buffers are, as lines "NAME_buffers b" can take: those of the caller by `given`, others one after the other
-- from `next` on (tape) and `space` on (all else).
local function places(program, tape, given)
    local lines = {}
    for _, b in ipairs(program.buffers) do
        local name = program_text.c_name(b.name)
        local from = given(b)
        if from then
            lines[#lines + 1] = string.format("b.%s = %s;", name, from)
        elseif not tape[b.name] then
            lines[#lines + 1] = string.format("b.%s = space;", name)
            lines[#lines + 1] = string.format("space += padded(%s);", count_text(b))
        end
    end
    return lines
end

-- Floats of the buffers for which holds(b), as C, and the bound of bound_of.
local function sizes(program, holds)
    local words, bound = {}, 0
    for _, b in ipairs(program.buffers) do
        if holds(b) then
            words[#words + 1] = string.format("padded(%s)", count_text(b))
            bound = bound + bound_of(b) + ALIGNED
        end
    end
    return #words > 0 and table.concat(words, " + ") or "0", bound
end

-- "x + offset" of what may be NULL.
local function part_of(name, offset)
    return offset == "0" and name or string.format("%s ? %s + %s : NULL", name, name, offset)
end

-- train.place_of(facts, buffer) -> the argument of a call that the buffer is in, or is the adjoint of ("parameters",
-- "x", "h0", "yn" ...), the offset in it as C, and whether it is the adjoint; nil: it is no argument.
function train.place_of(facts, b)
    -- A tensor may be called d_weight.
    local adjoint = b.role ~= "weight" and b.name:match("^d_(.+)$") or nil
    local name = adjoint or b.name
    if facts.parameter[name] then return "parameters", tostring(facts.parameter[name]), adjoint ~= nil end
    if b.role == "workspace" or b.role == "tape" or b.role == "mask" then return nil end
    local state, which, number = state_of(name)
    if state then return state .. which, facts.state_offset(state, number), adjoint ~= nil end
    return name, "0", adjoint ~= nil
end

-- What a buffer that the caller gives is in C, or nil.
local function given_by(facts)
    return function(b)
        local place, offset, adjoint = train.place_of(facts, b)
        if place == "lengths" then return "live_lengths" end
        if place == "tokens" and facts.lengths then return "live_tokens" end
        if place == "parameters" and not adjoint then return offset == "0" and place or place .. " + " .. offset end
        return place and part_of((adjoint and "d" or "") .. place, offset)
    end
end

-- The buffers that a caller may leave out.
local function optional_of(program)
    local set = {}
    for _, b in ipairs(program.buffers) do
        set[b.name] = (b.role == "result" or b.role == "seed" or state_of(b.name) ~= nil) and true or nil
    end
    return set
end

local function shape_text(buffer, seq_len, batch)
    local words = {}
    for i = 1, #buffer.dims do
        local text = affine.text(buffer.dims[buffer.order and buffer.order[i] or i])
        words[i] = text == "T" and seq_len or text == "B" and batch or text
    end
    return "(" .. table.concat(words, ", ") .. ")"
end

local function with_symbols(program)
    local words = {}
    for i, symbol in ipairs(program.symbols) do words[i] = ", " .. (symbol == "T" and "seq_len" or "batch") end
    return table.concat(words)
end

-- How the values of a mask are drawn: number, below, units, see train_dropout.c.t; drops: the part that is 0; words:
-- what draw_mask is given of these.
local function mask_of(buffer, number)
    local kept = 1 - buffer.drops
    local out = { number = number, below = string.format("%du", math.floor(buffer.drops * 2.0 ^ 32 + 0.5)),
                  units = buffer.dims[3][1], drops = string.format("%.17g", buffer.drops) }
    local scale = string.format("%.9g", kept > 0 and 1 / kept or 0)
    out.words = string.format("%d, %s, %s, %d", number, out.below, scale:find("[.e]") and scale .. "f"
        or scale .. ".0f", out.units)
    return out
end

-- train.facts(spec, expected, forward) -> what is said of the network: parameters (see parameters_of), count (their
-- floats), parameter (offsets by name), states { name, shape }, shapes by buffer, state_offset(state, stack), lengths,
-- tokens (are they the input?), masks by their buffers (see mask_of).
function train.facts(spec, expected, forward)
    local list, count = parameters_of(expected, spec.prefix or "")
    local facts = { parameters = list, count = count, parameter = {}, states = {}, shapes = {}, lengths = spec.lengths,
                    tokens = grammar.find(forward, "tokens") ~= nil, masks = {}, drops = false }
    for _, p in ipairs(list) do facts.parameter[p.name] = p.offset end
    local before, parts, masks = { h = {}, c = {} }, { h = {}, c = {} }, 0
    local batch = spec.batch == "any" and "batch" or tostring(spec.batch)
    local seq_len = spec.seq_len == "any" and "seq_len" or tostring(spec.seq_len)
    for _, b in ipairs(forward.buffers) do
        local state, which, number = state_of(b.name)
        if state and which == "0" then
            -- A stack without a c has no part in c0.
            before[state][number] = { at = #parts[state], count = b.dims[1][1] * b.dims[3][1] }
            table.insert(parts[state], shape_text(b, seq_len, batch))
        end
        facts.shapes[b.name] = shape_text(b, seq_len, batch)
        if b.role == "mask" then
            facts.masks[b.name] = mask_of(b, masks)
            masks, facts.drops = masks + 1, true
        end
    end
    function facts.state_offset(state, number)
        local floats = 0
        for other, entry in pairs(before[state]) do
            if other < number then floats = floats + entry.count end
        end
        return floats == 0 and "0" or "batch * " .. floats
    end
    for _, state in ipairs(states) do
        if #parts[state] > 0 then
            facts.states[#facts.states + 1] = { name = state, shape = table.concat(parts[state], " then ") }
        end
    end
    return facts
end

-- The parameters of a call in C, and the words of the same call: `more` stands behind the inputs.
local function declaration(spec, facts, more)
    local list = { "const float *parameters" }
    if spec.seq_len == "any" then list[#list + 1] = "size_t seq_len" end
    if spec.batch == "any" then list[#list + 1] = "size_t batch" end
    list[#list + 1] = facts.tokens and "const int32_t *tokens" or "const float *x"
    if facts.lengths then list[#list + 1] = "const size_t *lengths" end
    table.move(more, 1, #more, #list + 1, list)
    return table.concat(list, ", ")
end

local function per_state(facts, pattern)
    local list = {}
    for i, state in ipairs(facts.states) do list[i] = (pattern:gsub("@", state.name)) end
    return list
end

local function joined(...)
    local out = {}
    for _, list in ipairs { ... } do table.move(list, 1, #list, #out + 1, out) end
    return out
end

-- The programs for each target of the spec, from the least to the most demanding.
local function variants_of(spec, forward, backward)
    local wanted, list = {}, {}
    for _, name in ipairs(spec.target) do wanted[name] = true end
    for _, name in ipairs(targets.order) do
        if wanted[name] then
            local target, suffix = targets[name], "_" .. name
            local vectors, attribute = vector_loops.of(target, suffix), "KERNEL" .. suffix:upper()
            local texts = {}
            for i, program in ipairs { forward, backward } do
                local _, text = program_text.parts(program, "float", { optional = optional_of(program),
                    vectors = vectors, attribute = attribute })
                texts[i] = text
            end
            local functions, helpers, uses = vector_loops.needs(vectors.used)
            if target.lanes >= 8 then
                -- Those of the optimisers (train_vectors.c.t).
                for _, word in ipairs { "mul", "sub", "div" } do uses[word] = true end
            end
            list[#list + 1] = {
                target = name, arch = target.arch or false, isa = target.isa, lanes = target.lanes, vec = target.vector,
                prelude = target.prelude, intrinsic = target.intrinsic or "", suffix = suffix, fast = target.fast,
                inline = "INLINE" .. suffix:upper(), attribute = attribute, functions = functions, helpers = helpers,
                uses = uses, beside = 1, flush_below = "", flush_bits = "", forward = texts[1], backward = texts[2],
                multiplies = vectors.multiplies or false, blocks = vectors.blocks or false, widths = vectors.widths,
                most = vectors.most, heights = vectors.heights, depth = vector_products.DEPTH,
            }
        end
    end
    return list
end

-- train.programs(spec, make) -> forward, backward by make(spec): programs.run or programs.plain. Errors, the user's: a
-- spec for which there is no program.
function train.programs(spec, make)
    local made, forward, backward = pcall(make, spec)
    if made then
        local seen = {}
        for _, b in ipairs(backward.buffers) do
            local name = program_text.c_name(b.name)
            if seen[name] then
                fail.at(spec.path, string.format("train: %s and %s would have one name in C, %s; give a layer another "
                    .. "prefix", seen[name], b.name, name))
            end
            seen[name] = b.name
        end
        return forward, backward
    end
    -- A text without a place is about the spec; anything else is a bug.
    if tostring(forward):find("^%S+:%d+:") then error(forward, 0) end
    fail.at(spec.path, "train: " .. tostring(forward))
end

-- train.files(spec, expected, head) -> { { name, text }, ... }: NAME_train.h, NAME_train.c. expected: the tensors, as
-- weights.expected gives them; head(file) -> the comment on top. Errors: as train.programs.
function train.files(spec, expected, head)
    local forward, backward = train.programs(spec, programs.run)
    forward.name, backward.name = spec.name .. "_run_forward", spec.name .. "_run_backward"
    local facts, tape = train.facts(spec, expected, forward), programs.tape(forward, backward)
    forward, backward = vector_products.prepare(forward), vector_products.prepare(backward)
    local given, upper = given_by(facts), spec.name:upper()
    local function scratch(b) return b.role == "workspace" and not tape[b.name] end
    local tape_text, tape_bound = sizes(forward, function(b) return tape[b.name] end)
    local forward_text, forward_bound = sizes(forward, scratch)
    local backward_text, backward_bound = sizes(backward, function(b) return b.role == "workspace" end)
    local tape_lines = {}
    for _, b in ipairs(forward.buffers) do
        if tape[b.name] then
            tape_lines[#tape_lines + 1] = { c = program_text.c_name(b.name), count = count_text(b),
                                            mask = facts.masks[b.name] and facts.masks[b.name].words }
        end
    end
    local variants = variants_of(spec, forward, backward)
    local found = architectures.of(variants)
    local fields = {
        name = spec.name, upper = upper, facts = facts, spec = spec, tape = tape_lines,
        forward_places = places(forward, tape, given), backward_places = places(backward, tape, given),
        structs = (program_text.parts(forward, "float")) .. "\n" .. (program_text.parts(backward, "float")),
        variants = variants, architectures = architectures, found = found, lacking = architectures.lacking(found),
        forward_symbols = with_symbols(forward), backward_symbols = with_symbols(backward),
        tape_floats = tape_text, forward_floats = forward_text, backward_floats = backward_text,
        bound = math.max(tape_bound, forward_bound, backward_bound) + 4,
        fixed_seq_len = spec.seq_len ~= "any" and spec.seq_len, fixed_batch = spec.batch ~= "any" and spec.batch,
        vocabulary = facts.tokens and (spec.layers or { spec })[1].num_embeddings or 0,
        batch_first = spec.batch_first,
        forward_parameters = declaration(spec, facts, joined(per_state(facts, "const float *@0"),
            facts.drops and { "const " .. spec.name .. "_dropout *dropout" } or {}, { "float *y" },
            per_state(facts, "float *@n"), { "void *tape", "void *workspace" })),
        backward_parameters = declaration(spec, facts, joined({ "const float *dy" },
            per_state(facts, "const float *d@n"), { "float *dparameters" }, facts.tokens and {} or { "float *dx" },
            per_state(facts, "float *d@0"), { "const void *tape", "void *workspace" })),
    }
    local out = {}
    for _, ending in ipairs { ".h", ".c" } do
        local name = spec.name .. "_train" .. ending
        fields.head = head(name)
        out[#out + 1] = { name = name, text = template.render("train" .. ending, fields) }
    end
    return out
end

return train
