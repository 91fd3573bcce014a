-- plan: everything that is emitted, as flat data. Templates read this and nothing else; what they need
-- to know is stated here.
--
-- A plan has the network's facts and a list of variants, one per target. A variant has its products
-- (C functions made of register tiles), its stages and, for those that are recurrent, layers (C functions
-- that run one chain over a chunk).
local activations = require "tables.activations"
local bounds = require "kernels.bounds"
local cells = require "tables.cells"
local functions_of_values = require "kernels.maps"
local norms = require "kernels.norms"
local products = require "kernels.products"
local targets = require "tables.targets"
local used = require "passes.used"

local plan = {}

-- The stages as the templates want them: names of functions, and offsets from the start of the weights.
local function stages_of(ir, suffix)
    local list, outputs = {}, 0
    for i, stage in ipairs(ir.stages) do
        local out = { kind = stage.kind, base = stage.base, output = stage.output, first_output = outputs,
                      input = i > 1 and ir.stages[i - 1].output or false, last = i == #ir.stages, number = i }
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            out.sizes, out.states, out.stack = stack.sizes, stack.states, stage.stack
            out.layers, out.state_offset, out.state_count = stage.layers, stage.state_offset, stage.state_count
            out.unit_stride = stage.output.row // stack.sizes.D
            out.reverse = stack.reverse
            out.gates_stride, out.state_parts = stage.gates_stride, stage.state_parts
            out.chain_first = stage.chains.first.count
            out.chain_upper = stage.chains.upper and stage.chains.upper.count or 0
            for _, layer in ipairs(out.layers) do
                layer.fn = string.format("layer_%s%s%s", layer.kind,
                    #ir.stacks > 1 and "_of_" .. stage.stack or "", suffix)
            end
            outputs = outputs + stack.sizes.L
        elseif stage.kind == "dense" then
            out.product, out.parts, out.units, out.flat = stage.product, stage.parts, stage.units, stage.flat
            out.last_step, out.last_state, out.once = stage.last_step, stage.last_state, stage.once
            outputs = outputs + 1
        elseif stage.map then
            out.map, out.once, out.last_step, out.last_state = stage.map, stage.once, stage.last_step, stage.last_state
            outputs = outputs + 1
        else
            out.width, out.panel = stage.width, stage.panel
            outputs = outputs + 1
        end
        list[i] = out
    end
    return list
end

-- The bits of a positive float, given as C, as C.
local function bits_of(text)
    return string.format("0x%08x", (string.unpack("<I4", string.pack("<f", tonumber((text:gsub("f$", "")))))))
end

-- Layers of a variant that are the same functions as those of `main`, another one of its target, take their names; the
-- others are its own: layer.own.
local function share_layers(variant, main)
    local function text(v, stage, layer)
        local facts = { v.kernel, v.division.kind, v.in_lanes ~= "units" and v.block, stage.state_parts,
                        stage.gates_stride, layer.kind, layer.parts, layer.hoisted, layer.columns or false }
        for _, name in ipairs { "input", "reset", "step", "projection", "cell" } do
            facts[#facts + 1] = layer[name] and layer[name].fn or false
        end
        return products.key(facts)
    end
    for i, stage in ipairs(variant.stages) do
        for k, layer in ipairs(stage.layers or {}) do
            local other = main and main.stages[i].layers[k]
            layer.own = not (other and text(variant, stage, layer) == text(main, main.stages[i], other))
            if not layer.own then layer.fn = other.fn end
        end
    end
end

-- What a program is for, beside the first one of its target.
local function serves(ir, role)
    local words = {
        [""] = "all other calls", _lengths = "calls with lengths", _one = "one sequence",
        _blocks = string.format("blocks of %d sequences, the last one of at least %s", ir.block, ir.least),
        _rest = string.format("the last %s of the batch", ir.batch),
    }
    return words[role]
end

-- The first variant of a target has another one of it, and all that both of them use.
local function add_other(main, other)
    -- Behind those whose functions it may use.
    table.insert(main.others, other)
    main.group = math.max(main.group, other.group)
    for _, what in ipairs { "functions", "helpers", "uses" } do
        for name, there in pairs(other[what]) do main[what][name] = main[what][name] or there end
    end
end

-- The functions of heads, as a variant has them, and their words for people.
local function by_head_of(ir)
    local list = {}
    for i, part in ipairs(ir.by_head or {}) do
        list[i] = { name = part.name, of = part.of, activation = part.activation, first = part.first,
                    width = part.width, update = part.update or false,
                    text = activations.text(part.activation, part.alpha or 0.0, part.beta or 0.0) }
    end
    return ir.by_head and list or false
end

-- plan.variant(ir, name, role, shared) -> what is emitted for one program of a target, from the IR after all passes.
-- role: see serve.lua. shared: a table that all programs of a target are given, the first one first: of what they have
-- in common there is one.
function plan.variant(ir, name, role, shared)
    local target, suffix, main = targets[name], "_" .. name, shared.main
    shared.products, shared.maps = shared.products or products.list(), shared.maps or products.list()
    local list, maps = shared.products, shared.maps
    local had, had_maps = #list, #maps
    products.of(ir, target, list, suffix)
    functions_of_values.of(ir, target, maps, suffix)
    norms.of(ir, target, maps, suffix)
    if not main then bounds.of(ir, target) end
    local functions, helpers, uses = used(ir, target, list, maps)
    local same = main and main.transposes == ir.beside and ir.in_lanes == "sequences"
    local transpose = same and main.transpose or "transpose" .. suffix .. role
    local variant = {
        role = role, lengths = ir.lengths, batch = ir.batch, part = ir.part or false,
        least = ir.least or ir.block, serves = serves(ir, role), others = {},
        run = "run" .. suffix .. role, member = "member" .. suffix .. role, members = "members" .. suffix .. role,
        next_chunk = "next_chunk" .. suffix .. role,
        transpose = transpose, transpose_back = transpose .. (ir.beside > 1 and "_back" or ""),
        transposes = ir.in_lanes == "sequences" and ir.beside, own_transposes = ir.in_lanes == "sequences" and not same,
        target = name, lanes = target.lanes, vec = target.vector, arch = target.arch or false, isa = target.isa,
        prelude = target.prelude, intrinsic = target.intrinsic or "", suffix = suffix,
        inline = "INLINE" .. suffix:upper(), attribute = "KERNEL" .. suffix:upper(),
        fma_per_cycle = target.fma_per_cycle, kernel = ir.kernel, in_lanes = ir.in_lanes, label = ir.label,
        block = ir.block, beside = ir.beside, group = ir.beside, input_row = ir.input_row,
        chunk = ir.chunk, chunk_rows = ir.chunk_rows or false,
        considered = ir.considered, tuned = ir.wanted ~= nil, cycles = ir.cycles,
        products = table.move(list, had + 1, #list, 1, {}), maps = table.move(maps, had_maps + 1, #maps, 1, {}),
        stages = stages_of(ir, suffix .. role), by_head = by_head_of(ir), schedule = ir.schedule,
        division = ir.division,
        workspace = ir.layout.workspace, packed_count = ir.layout.count, shared = ir.layout.shared,
        slower = ir.slower or 1,
        functions = functions, helpers = helpers, uses = uses, fast = target.fast,
        flush_below = cells.flush_below, flush_bits = bits_of(cells.flush_below),
    }
    share_layers(variant, main)
    shared.main = main or variant
    if main then add_other(main, variant) end
    return variant
end

-- For a line that lists the layers.
local function plus_input(residual, input)
    if not residual then return "" end
    return residual == input and "; plus the input" or string.format("; plus the first %d of the input", residual)
end

-- The functions of a stack in the order of rnnc_config, each { role, name, constant, alpha, beta, there }; of a cell
-- without it: none.
local function functions_of(stack)
    local list = {}
    for i, wanted in ipairs { { "gate_activation" }, { "candidate_activation", "nonlinearity" },
                              { "output_activation" } } do
        local role = wanted[1]
        if not stack.functions[role] then role = wanted[2] end
        local found = stack.functions[role or ""] or { "none" }
        list[i] = { role = role or wanted[1], name = found[1], constant = activations.of(found[1]).constant,
                    alpha = found[2] or 0.0, beta = found[3] or 0.0,
                    there = stack.functions[role or ""] ~= nil }
    end
    return list
end

-- The functions and the clip that a layer has instead of PyTorch's, for people: ", gates hard_sigmoid of 0.2".
local function functions_text(layer)
    local words = {}
    for _, f in ipairs(layer.own_functions and layer.functions or {}) do
        if f.there then
            words[#words + 1] = string.format(", %s %s", f.role:match("^[^_]*"),
                activations.text(f.name, f.alpha, f.beta))
        end
    end
    if layer.norm then
        words[#words + 1] = ", layer norm" .. (layer.norm.state and ", of the cell state too that is carried" or "")
    end
    if layer.clip > 0 then words[#words + 1] = string.format(", clip %.6g", layer.clip) end
    return table.concat(words)
end

-- What stays the same on all targets, a row per stage, for the header and the reader of the plan.
local function layers_of(ir)
    local list, width = {}, nil
    local before = { h = 0, c = 0 }
    for i, stage in ipairs(ir.stages) do
        local layer = { kind = stage.kind }
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            layer.cell, layer.sizes, layer.bias, layer.states = stack.cell, stack.sizes, stack.bias, stack.states
            layer.dropout, layer.reverse = stack.dropout, stack.reverse
            layer.reset_before, layer.peepholes = stack.reset ~= nil, #stack.vectors > 0
            layer.formula, layer.functions = stack.formula, functions_of(stack)
            layer.clip, layer.own_functions = stack.clip or 0.0, stack.own_functions
            layer.norm = stack.norm or false
            layer.functions_text = functions_text(layer)
            layer.label = stack.functions.nonlinearity and stack.own_functions and "rnn"
                or stack.cell:gsub("RNNC_", ""):lower()
            -- Floats of one sequence's states of the stacks before this one, for each state.
            layer.before, layer.state_width = {}, {}
            local s = stack.sizes
            layer.proj_size = s.P ~= s.H and s.P or 0
            layer.initial_state = next(stack.first) ~= nil
            for k, state in ipairs(stack.states) do
                layer.before[state], layer.state_width[state] = before[state] or 0, k == 1 and s.P or s.H
                before[state] = (before[state] or 0) + s.L * s.D * layer.state_width[state]
            end
            width = s.D * s.P
        elseif stage.kind == "dense" then
            layer.inputs, layer.outputs, layer.activation = stage.inputs, stage.units, stage.activation
            layer.activation_constant = activations.of(stage.activation).constant
            layer.alpha, layer.beta = stage.alpha or 0.0, stage.beta or 0.0
            layer.bias, layer.once = stage.bias ~= nil, stage.once
            layer.last_state, layer.tied = stage.last_state, stage.tied
            layer.last_step = stage.last_step and not stage.last_state and not stage.steps
            layer.steps = stage.steps or 0
            width = stage.units
        elseif stage.kind == "activation" then
            layer.inputs, layer.outputs, layer.activation = stage.width, stage.width, stage.activation
            layer.activation_constant = activations.of(stage.activation).constant
            layer.alpha, layer.beta, layer.once = stage.alpha or 0.0, stage.beta or 0.0, stage.once
        elseif stage.kind == "merge" then
            layer.inputs, layer.outputs, layer.merge = 2 * stage.width, stage.width, stage.merge
            layer.once, layer.last_state = stage.once, stage.last_state
            width = stage.width
        else
            layer.inputs, layer.outputs = stage.rows, stage.width
            width = stage.width
        end
        list[i] = layer
    end
    for _, part in ipairs(ir.by_head or {}) do
        if part.of ~= "none" then
            list[#list + 1] = {
                kind = "activation", inputs = width, outputs = width, activation = part.activation,
                activation_constant = activations.of(part.activation).constant, alpha = part.alpha or 0.0,
                beta = part.beta or 0.0, once = ir.stages[#ir.stages].once, first = part.first, count = part.width,
            }
        end
    end
    return list, width, before
end

local function operations(ir)
    local macs = 0
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local s = ir.stacks[stage.stack].sizes
            for layer = 0, s.L - 1 do
                macs = macs + s.D * s.G * s.H * ((layer == 0 and s.I or s.D * s.P) + s.P)
                if s.P ~= s.H then macs = macs + s.D * s.P * s.H end
            end
        elseif stage.kind == "dense" and not stage.once then
            macs = macs + stage.inputs * stage.units
        end
    end
    return macs
end

-- The longest workspace over all targets, in floats; more: what slices that begin in a cache line of their own add. Of
-- an unknown batch all but `more` are for each of the sequences that it holds, at most those of a `block`; a program
-- for blocks is called for its `least` sequences or more. Their chunks have at most `chunk` steps or `rows`.
local function workspace_of(layouts, unknown)
    local space = { fixed = 0, per_chunk_step = 0, per_step = 0, chunk = 1, rows = 0, block = 1, more = 0 }
    for _, layout in ipairs(layouts) do
        local own, held = layout.workspace, unknown and layout.batch ~= "any" and layout.least or 1
        for _, name in ipairs { "fixed", "per_chunk_step", "per_step" } do
            space[name] = math.max(space[name], (own[name] * own.copies[name] + held - 1) // held)
        end
        local alone = unknown and layout.batch == 1
        space.rows = math.max(space.rows, layout.chunk_rows, alone and layout.chunk or 0)
        space.chunk = math.max(space.chunk, alone and 1 or layout.chunk)
        if unknown then
            space.block = math.max(space.block, layout.block)
            space.more = math.max(space.more, own.copies.fixed > 1 and 16 * own.copies.fixed or 0)
        end
    end
    space.most_rows = math.max(space.block * space.chunk, space.rows)
    return space
end

-- The steps that a stream takes at once, and the floats of its own workspace, one thread's: as many steps as cost no
-- more than an eighth of the weights, which a state of many streams would feel, or than STREAM_FLOATS.
local STREAM_FLOATS <const>, STREAM_STEPS <const> = 512, 16

local function stream_of(layouts, packed_count, limit)
    local function floats(steps)
        local most = 0
        for _, layout in ipairs(layouts) do
            local own, chunk = layout.workspace, math.min(steps, layout.chunk)
            most = math.max(most, own.fixed + chunk * own.per_chunk_step + steps * own.per_step)
        end
        return most
    end
    local steps, bound = 1, math.max(STREAM_FLOATS, packed_count // 8)
    while 2 * steps <= math.min(limit, STREAM_STEPS) and floats(2 * steps) <= bound do steps = 2 * steps end
    return { steps = steps, floats = floats(steps) }
end

-- What a NAME_state has: the states of the batch, the workspace and room to align it.
local function stream_bytes(result)
    local floats = result.stream.floats + 16
    for _, state in ipairs(result.states) do floats = floats + result.state_counts[state] * result.batch end
    return floats * 4
end

-- May y be x, and is x copied then? Each row of y is written after that row of x has been read for the last time, but
-- for one layer in both directions, of which one would read what the other has written.
local function in_place(result, ir)
    if result.tokens or result.last_step or result.input ~= result.output then return false, false end
    local lone = #ir.stages == 1 and result.layers[1].sizes
    return true, lone and lone.D == 2 and lone.L == 1
end

-- Bytes of workspace that are enough for every call; false if they grow with its length.
local function most_workspace(result)
    local space, copy = result.workspace, 0
    if space.per_step > 0 then return false end
    if result.copied then
        if result.steps == "any" or result.batch == "any" then return false end
        copy = (result.steps * result.batch * result.input + 15) // 16 * 16
    end
    return (space.block * space.fixed + space.most_rows * space.per_chunk_step + space.more + copy) * 4 + 64
end

-- plan.assemble(ir, variants, layouts, first, options) -> plan. `ir` is the one that all targets share, `first` what
-- layout.first gives.
function plan.assemble(ir, variants, layouts, first, options)
    local pack, packed_count = table.move(first.pack, 1, #first.pack, 1, {}), first.count
    for _, layout in ipairs(layouts) do
        if not layout.shared then
            for _, step in ipairs(layout.pack) do pack[#pack + 1] = step end
            packed_count = packed_count + layout.count
        end
    end
    local layers, output, state_counts = layers_of(ir)
    local states, tokens, last_step = {}, ir.stages[1].kind == "embedding", false
    for _, name in ipairs { "h", "c" } do
        if state_counts[name] > 0 then states[#states + 1] = name end
    end
    for _, stage in ipairs(ir.stages) do last_step = last_step or stage.once end
    local space = workspace_of(layouts, ir.batch == "any")
    local fingerprint = products.hash(products.key(pack) .. packed_count)
    local result = {
        name = ir.name, upper = ir.name:upper(), layers = layers, states = states, state_counts = state_counts,
        tokens = tokens, vocabulary = tokens and ir.stages[1].rows or 0,
        input = tokens and 1 or layouts[1].input_width, output = output,
        batch_first = ir.batch_first, residual = ir.residual,
        plus_input = plus_input(ir.residual, layouts[1].input_width), last_step = last_step, lengths = ir.lengths,
        streaming = ir.streaming, no_streaming = ir.no_streaming,
        softmax = not ir.by_head and layers[#layers].activation or "none", heads = ir.heads,
        steps = ir.steps, batch = ir.batch, threads = ir.threads, weights = ir.weights,
        activation = ir.activation,
        form = options.form or {}, wrappers = options.wrappers or {},
        spec_hash = options.spec_hash or 0, weights_hash = options.weights_hash or false,
        weights_as = options.weights_as, command = options.command, only = options.only or false,
        built_in = options.weights_as == "c" or options.weights_as == "floats",
        -- NAME.c and NAME_weights.c of two runs do not link, unless layout and values are the same.
        weights_symbol = string.format("%s_weights_of_the_same_run_%016x", ir.name,
            products.hash(string.format("%016x %016x", fingerprint, options.weights_hash or 0))),
        variants = variants, pack = pack, packed_count = packed_count, first = first.places,
        -- A blob of packed weights belongs to the code with this layout.
        fingerprint = fingerprint,
        workspace = space, macs_per_step = operations(ir),
    }
    for _, layer in ipairs(layers) do
        result.logarithm = result.logarithm or activations.is(layer.activation, "logarithm", true)
    end
    result.in_place, result.copied = in_place(result, ir)
    -- Steps of several sequences that lie batch first do not lie behind each other.
    result.stream = stream_of(layouts, packed_count, result.batch_first and result.batch ~= 1 and 1
        or math.tointeger(result.steps) or math.huge)
    result.stream.bytes = result.streaming and stream_bytes(result)
    result.workspace_bytes = most_workspace(result)
    return result
end

return plan
