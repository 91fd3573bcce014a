-- layout: where everything lies. Packed weights: each chain (layer and direction) holds the panels of
-- its input product, its biases, the panels of its recurrent product, in the order in which a step
-- reads them. Workspace: states, gate inputs of a chunk, sequences between layers. Offsets count
-- floats; every part starts on a cache line.
local tiles = require "kernels.tiles"

local layout = {}

layout.doc = "packed weights and workspace"

local line = 16 -- floats

local function aligned(n) return tiles.ceil(n, line) * line end

-- The parts of one chain, for a kind of layer: { input, bias, state }, each { offset, width }.
local function chain_parts(ir, target, kind, columns)
    local s, choice = ir.sizes, ir.choice
    local input_width, state_width, bias_width
    if choice.kernel == "units" then
        state_width = choice.step.vectors * target.lanes
        input_width = ir.hoisted[kind] and choice.inputs[kind].vectors * target.lanes or state_width
        bias_width = choice.vectors * target.lanes
    else
        input_width, state_width, bias_width = choice.rows, choice.rows, choice.rows
    end
    local offset = 0
    local function part(width, count)
        local at = offset
        offset = aligned(offset + tiles.ceil(s.H, width) * width * s.G * count)
        return { offset = at, width = width }
    end
    local parts = {
        input = part(input_width, columns), bias = ir.bias and part(bias_width, 1),
        state = part(state_width, s.H),
    }
    parts.count = offset
    return parts
end

local function pack_steps(ir, chains, base)
    local s, steps = ir.sizes, {}
    local function step(tensor, plus, dst, columns, width)
        steps[#steps + 1] = { tensor = tensor - 1, plus = plus and plus - 1, dst = base + dst, units = s.H,
            cols = columns, first_gate = 0, gates = s.G, width = width, stride = width }
    end
    for _, scan in ipairs(ir.scans) do
        local parts = chains[scan.layer == 0 and "first" or "upper"]
        local at = layout.chain_offset(ir.sizes, chains, scan.layer, scan.direction)
        local body = scan.body[1]
        step(body.terms[1].weight, nil, at + parts.input.offset, body.terms[1].columns, parts.input.width)
        if parts.bias then
            step(body.bias[1], body.bias[2], at + parts.bias.offset, 1, parts.bias.width)
        end
        step(body.terms[2].weight, nil, at + parts.state.offset, s.H, parts.state.width)
    end
    return steps
end

-- Where a chain's weights start, from the start of this target's weights.
function layout.chain_offset(sizes, chains, layer, direction)
    if layer == 0 then return direction * chains.first.count end
    return sizes.D * chains.first.count + ((layer - 1) * sizes.D + direction) * chains.upper.count
end

-- The workspace: { name -> { offset, ... } }, its fixed length and its length for each time step.
local function workspace(ir, target)
    local s, choice = ir.sizes, ir.choice
    local space = { fixed = 0, per_step = 0 }
    local function part(count)
        local at = space.fixed
        space.fixed = aligned(space.fixed + count)
        return at
    end
    local padded = choice.kernel == "units" and choice.vectors * target.lanes or s.H
    space.unit_stride = padded
    space.state_count = padded * choice.block       -- of one chain
    space.step_count = s.D * padded * choice.block  -- of one step of a layer's output
    space.state = part(s.L * s.D * space.state_count)
    if choice.kernel == "batch" then
        space.input = part(ir.chunk * s.I * choice.block)
    elseif ir.hoisted.first or ir.hoisted.upper then
        space.gates = part(ir.chunk * choice.block * s.G * padded)
    end
    space.top = part(ir.chunk * space.step_count)
    space.between = {}
    for i = 1, ir.schedule.between do
        if ir.schedule.slots == "chunk" then
            space.between[i] = part(ir.chunk * space.step_count)
        elseif ir.steps ~= "any" then
            space.between[i] = part(ir.steps * space.step_count)
        else
            space.per_step = space.per_step + space.step_count
        end
    end
    return space
end

function layout.run(ir, target, base)
    local s, chains = ir.sizes, {}
    chains.first = chain_parts(ir, target, "first", s.I)
    if s.L > 1 then chains.upper = chain_parts(ir, target, "upper", s.D * s.H) end
    ir.layout = {
        base = base, chains = chains, workspace = workspace(ir, target),
        count = s.D * (chains.first.count + (s.L > 1 and (s.L - 1) * chains.upper.count or 0)),
    }
    ir.layout.pack = pack_steps(ir, chains, base)
    return ir
end

return layout
