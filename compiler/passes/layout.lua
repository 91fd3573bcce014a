-- layout: where everything lies. Packed weights: first states, if there are any; then stage after stage; a chain (layer
-- and direction of a stack) holds the panels of its input product, its biases, the panels of its recurrent product, in
-- the order in which a step reads them. Workspace: states, then what is as long as a chunk (gate inputs, the transposed
-- input, sequences between stages), then what is as long as the sequence. Offsets count floats; every part starts on a
-- cache line.
local tiles = require "kernels.tiles"

local layout = {}

layout.doc = "packed weights and workspace"

local line = 16 -- floats

local function aligned(n) return tiles.ceil(n, line) * line end

-- Hands out parts of `width`-unit panels: part(gates, units, columns, width) -> { offset, width }.
local function allocator()
    local space = { count = 0 }
    function space.part(gates, units, columns, width)
        local at = space.count
        space.count = aligned(at + tiles.ceil(units, width) * width * gates * columns)
        return { offset = at, width = width }
    end
    -- Rows of W as they are, each from a cache line on.
    function space.rows(units, columns)
        local at = space.count
        space.count = at + units * aligned(columns)
        return { offset = at, width = tiles.rows_of_w }
    end
    return space
end

-- The widths of a stage's panels, in units, and of a row of biases: those that its choice reads one after the other,
-- or those of another target, of which a panel is read in several. Without a recurrent layer `state` is the product's.
-- Embeddings have none.
local function widths_of(ir, stage, target, index)
    if ir.like then return ir.like[index] end
    if not stage.choice.tile and stage.kind ~= "stack" and stage.kind ~= "dense" then return {} end
    local choice = stage.choice
    if stage.kind == "dense" then
        local width = ir.in_lanes == "units" and choice.tile.vectors * target.lanes or tiles.panel(choice)
        return { state = width, row = ir.in_lanes == "units" and choice.vectors * target.lanes
                                      or tiles.ceil(stage.units, width) * width }
    end
    local stack = ir.stacks[stage.stack]
    local s = stack.sizes
    local widths
    if ir.in_lanes ~= "units" then
        local width = tiles.panel(choice)
        widths = { first = width, upper = width, state = width, row = tiles.ceil(s.H, width) * width }
    elseif choice.grouped then
        -- Panels of one group: all gates of a few units fill a vector.
        local width = target.lanes // s.G
        widths = { first = width, upper = width, state = width, row = width }
    else
        local width = choice.step.vectors * target.lanes
        local function input(kind)
            if not stack.hoisted[kind] then return width end
            return choice.inputs[kind].stored or choice.inputs[kind].vectors * target.lanes
        end
        widths = { first = input "first", upper = s.L > 1 and input "upper" or width, state = width,
                   row = choice.vectors * target.lanes }
    end
    -- Units in their own order, whatever the panels.
    widths.vectors = ir.in_lanes == "units" and choice.vectors * target.lanes or widths.row
    if s.P ~= s.H then
        local product = choice.projection
        widths.projection = ir.in_lanes == "units" and product.tile.vectors * target.lanes or tiles.panel(product)
    end
    return widths
end

-- The parts of one chain, for a kind of layer.
local function chain_parts(stack, widths, kind, columns)
    local s, space = stack.sizes, allocator()
    local rows = widths[kind] == tiles.rows_of_w
    local parts = { input = rows and space.rows(s.G * s.H, columns) or space.part(s.G, s.H, columns, widths[kind]) }
    -- Biases lie gate by gate, each as long as a row of units.
    parts.bias = stack.bias and space.part(s.G, s.H, 1, widths.row)
    local before, last = 0, 0
    if stack.reset then before, last = #stack.reset.gates, #stack.reset.of end
    -- Those that the reset takes, those of the state, those of the reset.
    parts.before = before > 0 and space.part(before, s.H, s.P, widths.state)
    parts.state = space.part(s.G - before - last, s.H, s.P, widths.state)
    parts.reset = last > 0 and space.part(last, s.H, s.H, widths.state)
    parts.vectors = #stack.vectors > 0 and space.part(#stack.vectors, s.H, 1, widths.vectors)
    -- Weight and bias of the sums with the input, of those with the state, gate by gate; of the cell state.
    local norms = stack.norm and stack.norm.tensors or 0
    parts.norms = norms > 0 and space.part(4 * s.G + norms - 4, s.H, 1, widths.row)
    parts.separate = stack.bias and #stack.separate > 0 and space.part(#stack.separate, s.H, 1, widths.row)
    if s.P ~= s.H then parts.projection = space.part(1, s.P, s.H, widths.projection) end
    parts.count = space.count
    return parts
end

local function pack_step(tensor, plus, dst, units, columns, width, first_gate, gates)
    return { tensor = tensor - 1, plus = plus and plus - 1, dst = dst, units = units, cols = columns,
             first_gate = first_gate, gates = gates, width = width, stride = width,
             ["repeat"] = 1, tensor_step = 0, dst_step = 0 }
end

-- Both biases of a gate are added up, but for those of a separate gate.
local function pack_biases(add, stack, bias, parts, at)
    local s, separate, gate = stack.sizes, {}, 0
    for i, name in ipairs(stack.separate) do separate[name] = i - 1 end
    while gate < s.G do
        local alone, first = separate[stack.gates[gate + 1]], gate
        repeat gate = gate + 1 until gate == s.G or (separate[stack.gates[gate + 1]] == nil) ~= (alone == nil)
        add(pack_step(bias.input, not alone and bias.state or nil, at + parts.bias.offset + first * parts.bias.width,
            s.H, 1, parts.bias.width, first, gate - first))
        for g = alone and first or gate, gate - 1 do
            local width = parts.separate.width
            add(pack_step(bias.state, nil, at + parts.separate.offset + separate[stack.gates[g + 1]] * width,
                s.H, 1, width, g, 1))
        end
    end
end

local function place_stack(stack, stage, at, add)
    local s = stack.sizes
    local chains = { first = chain_parts(stack, stage.widths, "first", s.I) }
    if s.L > 1 then chains.upper = chain_parts(stack, stage.widths, "upper", s.D * s.P) end
    local upper_count = s.L > 1 and chains.upper.count or 0
    -- Chains of a kind differ by their tensors and their place only: the first one stands for all.
    local function pack_chain(scan, parts, chain, times)
        local body = scan.body[1]
        local input, state = body.terms[1], body.terms[2]
        local function add_repeated(step)
            local tensors = (stack.bias and 4 or 2) + #stack.vectors + (stack.norm and stack.norm.tensors or 0)
                + (body.projection and 1 or 0)
            step["repeat"], step.tensor_step = times, times > 1 and tensors or 0
            step.dst_step = times > 1 and parts.count or 0
            add(step)
        end
        if parts.input.width == tiles.rows_of_w then
            for row = 0, s.G * s.H - 1 do
                add_repeated(pack_step(input.weight, nil, chain + parts.input.offset + row * aligned(input.columns), 1,
                    input.columns, 1, row, 1))
            end
        else
            add_repeated(pack_step(input.weight, nil, chain + parts.input.offset, s.H, input.columns,
                parts.input.width, 0, s.G))
        end
        if parts.bias then pack_biases(add_repeated, stack, body.bias, parts, chain) end
        for i = 1, #stack.vectors do
            add_repeated(pack_step(body.vectors + i - 1, nil,
                chain + parts.vectors.offset + (i - 1) * parts.vectors.width, s.H, 1, parts.vectors.width, 0, 1))
        end
        for i = 0, stack.norm and stack.norm.tensors - 1 or -1 do
            local first = i < 4 and i * s.G or 4 * s.G + i - 4
            add_repeated(pack_step(body.norms + i, nil, chain + parts.norms.offset + first * parts.norms.width, s.H, 1,
                parts.norms.width, 0, i < 4 and s.G or 1))
        end
        local gate = 0
        local function add_state(part, gates)
            if gates == 0 then return end
            add_repeated(pack_step(state.weight, nil, chain + part.offset, s.H, s.P, part.width, gate, gates))
            gate = gate + gates
        end
        local before, last = stack.reset and #stack.reset.gates or 0, stack.reset and #stack.reset.of or 0
        add_state(parts.before, before)
        add_state(parts.state, s.G - before - last)
        add_state(parts.reset, last)
        if body.projection then
            add_repeated(pack_step(body.projection, nil, chain + parts.projection.offset, s.P, s.H,
                parts.projection.width, 0, 1))
        end
    end
    pack_chain(stack.scans[1], chains.first, at, s.D)
    if s.L > 1 then pack_chain(stack.scans[s.D + 1], chains.upper, at + s.D * chains.first.count, (s.L - 1) * s.D) end
    stage.chains = chains
    stage.count = s.D * (chains.first.count + (s.L - 1) * upper_count)
end

local function place_dense(stage, at, add)
    local space, width, row = allocator(), stage.widths.state, stage.widths.row
    stage.parts = { input = space.part(1, stage.units, stage.inputs, width),
                    bias = stage.bias and space.part(1, stage.units, 1, row) }
    add(pack_step(stage.weight, nil, at, stage.units, stage.inputs, width, 0, 1))
    if stage.bias then add(pack_step(stage.bias, nil, at + stage.parts.bias.offset, stage.units, 1, row, 0, 1)) end
    stage.count = space.count
end

-- The table stays row-major, unless a dense layer shares it: then there is only the one of that layer, in panels.
local function place_embedding(stage, at, add, ir)
    local values = stage.rows * stage.width
    stage.count, stage.panel = 0, 1
    for _, other in ipairs(ir.stages) do
        if other.tied then return end
    end
    add(pack_step(stage.weight, nil, at, values, 1, values, 0, 1))
    stage.count = aligned(values)
end

-- Floats that n units of one sequence take; in the batch kernel, where a row is a whole block, n in full groups of
-- the units that are beside each other.
local function padded(ir, target, n)
    local group = ir.in_lanes == "units" and target.lanes or ir.beside
    return tiles.ceil(n, group) * group
end

-- Floats of a buffer with `row` floats, whole vectors, for each sequence of a block. Of an unknown batch there are
-- as many as the call has, up to a block: floats of one of them.
local function held(ir, row) return ir.batch == "any" and row or aligned(ir.block * row) end

-- The states of a chain, what a projection or the product behind a reset reads, and sums to be normalised: { name,
-- offset, width, padded (whole vectors or groups of it), stride (floats between two sequences, or for the batch kernel
-- between two units) }, and the floats of all. In the units kernel all of a sequence's lie side by side.
local function state_parts(ir, stack, target, widths)
    local s, list, count = stack.sizes, {}, 0
    local function add(name, width)
        local part = { name = name, offset = count, width = width, padded = padded(ir, target, width) }
        list[#list + 1] = part
        count = count + (ir.in_lanes == "units" and part.padded or aligned(part.padded * ir.block))
    end
    for i, name in ipairs(stack.states) do add(name, i == 1 and s.P or s.H) end
    if s.P ~= s.H then add("unprojected", s.H) end
    if stack.reset then add("reset", s.H) end
    if stack.norm then add("sums", s.G * widths.row) end
    for _, part in ipairs(list) do part.stride = ir.in_lanes == "units" and count or part.padded end
    return list, ir.in_lanes == "units" and held(ir, count) or count
end

-- What a stage hands on for one step: `row` floats for each row of the batch, in which the values are
-- the pieces { offset, count }.
local function output_of(ir, stage, target, before)
    if stage.kind == "stack" then
        local s, pieces = ir.stacks[stage.stack].sizes, {}
        local row = padded(ir, target, s.P)
        for d = 0, s.D - 1 do pieces[d + 1] = { offset = d * row, count = s.P } end
        return { width = s.D * s.P, row = s.D * row, pieces = pieces }
    end
    -- Each value stays where it is in its row.
    if stage.kind == "activation" and before then return before end
    local width = stage.kind == "dense" and stage.units or stage.width
    return { width = width, row = padded(ir, target, width), pieces = { { offset = 0, count = width } } }
end

-- What a dense layer reads that has all steps of a sequence side by side, without gaps.
local function flat_of(ir, stage, target)
    if not stage.steps then return nil end
    return { width = stage.inputs, row = padded(ir, target, stage.inputs),
             pieces = { { offset = 0, count = stage.inputs } } }
end

-- How often each part of the workspace is there: members with sequences of their own share nothing, and
-- those that run chains of the same sequences share the states and what lies between layers for all time.
local function copies(division)
    local parts = { one = 1, slices = 1, directions = 2, chunks = division.members, panels = 1 }
    local all = division.slices_from > 0 and division.members or 1
    return { fixed = all, per_chunk_step = math.max(all, parts[division.kind]), per_step = all }
end

-- The workspace in floats: `fixed`, more for each step of a chunk, more for each step of the sequence; and
-- the `copies` of these. Of an unknown batch all are for each sequence of a block.
local function workspace(ir, target)
    local space = { states = 0, gates = 0, input = 0, last = 0, top = 0, between = 0 }
    local stages = ir.stages
    for i, stage in ipairs(stages) do
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            local s = stack.sizes
            stage.state_offset = space.states
            space.states = space.states + s.L * s.D * stage.state_count
            if stack.hoisted.first or stack.hoisted.upper then
                space.gates = math.max(space.gates, held(ir, stage.gates_stride))
            end
            if s.L > 1 then space.between = math.max(space.between, held(ir, stage.output.row)) end
        end
        local count = held(ir, stage.output.row)
        if stage.last_step then space.last = held(ir, (stage.flat or stages[i - 1].output).row) end
        if i < #stages then
            space.between = math.max(space.between, count)
        elseif not ir.schedule.direct then
            space.top = count
        end
    end
    if ir.in_lanes == "sequences" then
        space.input = aligned(ir.block * ir.input_row)
    elseif ir.lengths or stages[1].kind == "activation" then
        space.input = held(ir, padded(ir, target, ir.input_row))
    end
    local long = ir.schedule.between * space.between
    space.fixed = space.states + space.last
    space.per_chunk_step = space.gates + space.input + space.top + (ir.schedule.slots == "chunk" and long or 0)
    space.per_step = ir.schedule.slots == "steps" and long or 0
    space.copies = copies(ir.division)
    return space
end

-- layout.first(ir) -> { count, pack, places }: the states that the weights have for calls without any, those of one
-- sequence as they lie in h0 and c0, once for all targets; places: state -> offset. Stacks that have none start from
-- zero, and so do networks without such weights, of which count is 0 and places false.
function layout.first(ir)
    local first = { count = 0, pack = {}, places = {} }
    for _, state in ipairs { "h", "c" } do
        local at = first.count
        first.places[state] = at
        for _, stack in ipairs(ir.stacks) do
            for i, name in ipairs(stack.states) do
                local s = stack.sizes
                local values = name == state and s.L * s.D * (i == 1 and s.P or s.H) or 0
                if values > 0 and stack.first[state] then
                    first.pack[#first.pack + 1] = pack_step(stack.first[state], nil, at, values, 1, values, 0, 1)
                end
                at = at + values
            end
        end
        first.count = aligned(at)
    end
    if #first.pack == 0 then first.count, first.places = 0, false end
    return first
end

-- Weights of units lie in their order, so that all kernels and targets can read them: those of each piece of what the
-- stage before gives from a cache line on.
local function place_units(stage, at, add)
    stage.count, stage.unit_weights = 0, {}
    for _, tensor in ipairs(stage.tensors) do
        stage.unit_weights[tensor.name] = stage.count
        for i, piece in ipairs(stage.output.pieces) do
            add(pack_step(tensor.weight, nil, at + stage.count, piece.count, 1, aligned(piece.count), i - 1, 1))
            stage.count = stage.count + aligned(piece.count)
        end
    end
end

local place = { dense = place_dense, embedding = place_embedding, activation = place_units,
                merge = function(stage) stage.count = 0 end }

function layout.run(ir, target, base)
    local at, pack = base, {}
    local function add(step) pack[#pack + 1] = step end
    local first = ir.stages[1]
    ir.input_width = first.kind == "embedding" and 0 or first.kind == "dense" and first.inputs
        or first.kind == "activation" and first.width or ir.stacks[first.stack].sizes.I
    -- Functions are of whole vectors.
    local whole = ir.in_lanes == "sequences" or first.kind == "activation"
    ir.input_row = whole and padded(ir, target, ir.input_width) or ir.input_width
    for i, stage in ipairs(ir.stages) do
        stage.output = output_of(ir, stage, target, i > 1 and ir.stages[i - 1].output)
        stage.flat = flat_of(ir, stage, target)
        stage.base = at
        stage.widths = widths_of(ir, stage, target, i)
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            stage.state_parts, stage.state_count = state_parts(ir, stack, target, stage.widths)
            stage.gates_stride = ir.in_lanes == "units"
                and (stage.choice.grouped
                    and tiles.sums(stack.sizes.H, target.lanes, stack.sizes.G, true) * target.lanes
                    or stack.sizes.G * stage.widths.row)
                or stack.sizes.G * stack.sizes.H
            place_stack(stack, stage, at, add)
        else
            place[stage.kind](stage, at, add, ir)
        end
        at = at + stage.count
    end
    for _, stage in ipairs(ir.stages) do
        if stage.tied then first.base, first.panel = stage.base + stage.parts.input.offset, stage.parts.input.width end
    end
    ir.layout = { base = base, count = at - base, pack = pack, workspace = workspace(ir, target), chunk = ir.chunk,
                  chunk_rows = ir.chunk_rows or 0, block = ir.block, input_width = ir.input_width, batch = ir.batch,
                  least = ir.least or ir.block }
    return ir
end

return layout
