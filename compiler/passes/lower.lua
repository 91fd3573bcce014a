-- lower: from the validated spec to the IR.
--
-- The IR says what is computed and nothing of how:
--
--   steps, batch   an integer, or "any"
--   heads          of several outputs: { name, first, width }, their places in y
--   by_head        of heads with functions of their own, behind the last stage: { name, activation, alpha, beta, of,
--                  update (of a function of each value), first, width }; nil: there are none
--   residual       the first so many values of x are added to y; false: none
--   threads        of a team that runs a call together, 1: none
--   chunk          time steps that a stage runs before the next one does; nil: for passes/hoist.lua to choose
--   weights    the tensors in the order of the file: { name, rows, cols } (cols 0: a vector)
--   stages     what a time step goes through, in order:
--                { kind = "embedding", rows, width, weight }
--                { kind = "stack", stack = index into `stacks` }
--                { kind = "dense", inputs, units, activation, alpha, beta, weight, bias, last_step, last_state, once,
--                  update, tied, steps }
--                { kind = "activation", width, activation, alpha, beta, update, once, tensors }
--              tensors: of an activation of units, { name, weight } each;
--                { kind = "merge", width (of its output), merge, update, last_step, last_state, once }
--              once: it runs on the last step only, as the stage with last_step before it says;
--              tied: its weight is the first stage's;
--              steps: it reads all steps side by side, of which there are so many;
--              last_state: its last step is that of each direction of the stack before it
--   time       "forward" or "backward": all of them can take the steps in that order, one after the other; "whole":
--              some need what the one before them made of all steps
--   stacks     recurrent layers of one size: gates, separate, states, reset, vectors (see cells.lua), formula (the
--              update of the cell, which no pass changes), functions (by role) and own_functions (are they not
--              PyTorch's?), clip, reverse (they go backwards), norm ({ eps, state: is the normalised cell state
--              carried?, tensors },
--              nil: none), sizes
--                { I, H, P, L, D, G } (inputs, units, outputs of a direction, layers, directions, gates)
--                and scans; P differs from H where the output is projected; first: state -> the weight that
--                calls without it start from
--   scans      of a stack, one per layer and direction, in the order in which they depend on each other:
--                { layer, direction, backward, row = of the chain in h0 and hn (c0 and cn), body }
--
-- The ops of a body, for one time step t:
--   { op = "product", of = "input" | "state", weight, columns }    gates += W v
--   { op = "bias", of = "input" | "state", tensor }                gates += b
--   { op = "vectors", tensor, count }                              so many of a value for each unit, stack.vectors
--   { op = "norms", tensor, count }                                weights and biases of norms: of the sums with the
--                                                                  input, of those with the state, of the cell state
--   { op = "reset", trees, tiny }                                  what the product with the state takes instead of
--                                                                  it for the gates `reset.of` of the stack
--   { op = "update", trees, tiny }                                 new states from the gates, 0 where tiny
--   { op = "project", weight }                                     output = W output, P values from H
-- A separate gate has two sums, one for each `of`; the others add both up.
-- Weights are indices (from 1) into `weights`.
local activations = require "tables.activations"
local cells = require "tables.cells"
local functions = require "tables.functions"
local merges = require "tables.merges"

local lower = {}

local function scan_of(cell, layer, direction, sizes, bias, reverse, add)
    local suffix = "_l" .. layer .. (direction == 1 and "_reverse" or "")
    local gates, columns = sizes.G * sizes.H, layer == 0 and sizes.I or sizes.D * sizes.P
    local body = {
        { op = "product", of = "input", columns = columns, weight = add("weight_ih" .. suffix, gates, columns) },
        { op = "product", of = "state", columns = sizes.P, weight = add("weight_hh" .. suffix, gates, sizes.P) },
    }
    if bias then
        body[3] = { op = "bias", of = "input", tensor = add("bias_ih" .. suffix, gates, 0) }
        body[4] = { op = "bias", of = "state", tensor = add("bias_hh" .. suffix, gates, 0) }
    end
    for i, vector in ipairs(cell.vectors or {}) do
        local tensor = add(vector .. suffix, sizes.H, 0)
        if i == 1 then body[#body + 1] = { op = "vectors", tensor = tensor, count = #cell.vectors } end
    end
    for i, name in ipairs(cell.norms or {}) do
        local tensor = add(name .. suffix, name:find("_c$") and sizes.H or gates, 0)
        if i == 1 then body[#body + 1] = { op = "norms", tensor = tensor, count = #cell.norms } end
    end
    if cell.reset then
        body[#body + 1] = { op = "reset", trees = { { "h", cell.reset.value } }, tiny = { h = { "new", "h" } } }
    end
    body[#body + 1] = { op = "update", trees = cell.update, tiny = cell.tiny }
    if sizes.P ~= sizes.H then
        body[#body + 1] = { op = "project", weight = add("weight_hr" .. suffix, sizes.P, sizes.H) }
    end
    return { layer = layer, direction = direction, backward = direction == 1 or reverse,
             row = layer * sizes.D + direction, body = body }
end

local function stack_of(item, spec, add)
    local cell = cells.of(item)
    local sizes = { I = item.input_size, H = item.hidden_size, L = item.num_layers,
                    P = item.proj_size > 0 and item.proj_size or item.hidden_size,
                    D = item.bidirectional and 2 or 1, G = #cell.gates }
    local stack = {
        cell = cell.constant, gates = cell.gates, separate = cell.separate, states = cell.states,
        reset = cell.reset, vectors = cell.vectors or {}, sizes = sizes,
        formula = cell.update, functions = cells.functions(item), own_functions = cells.has_own_functions(item),
        clip = item.clip, norm = cell.norms and { eps = item.layer_norm_eps, state = item.layer_norm_state,
                                                  tensors = #cell.norms } or nil,
        reverse = item.direction == "reverse", bias = item.bias, dropout = item.dropout,
        steps = spec.seq_len, batch = spec.batch, scans = {}, first = {},
    }
    for layer = 0, sizes.L - 1 do
        for direction = 0, sizes.D - 1 do
            stack.scans[#stack.scans + 1] = scan_of(cell, layer, direction, sizes, item.bias, stack.reverse, add)
        end
    end
    for i, state in ipairs(item.initial_state and cell.states or {}) do
        stack.first[state] = add(state .. "0", sizes.L * sizes.D, i == 1 and sizes.P or sizes.H)
    end
    return stack
end

-- The update of a dense layer from its sum. Activations of whole rows follow later. Errors: an activation or a
-- function that is in no table.
local function dense_update(name, alpha, beta)
    local sum = { "gate", "h" }
    local of = activations.of(name).of
    if of == "none" or of == "row" then return { { "h", sum } } end
    local tree = activations.tree(name, sum, alpha, beta)
    if of == "value" and functions.of(name).arity ~= #tree - 1 then
        error(string.format("activation %s is of %d values, not %d", name, functions.of(name).arity, #tree - 1), 0)
    end
    return { { "h", tree } }
end

-- What becomes of one layer of the spec: { stage }, and for recurrent ones an entry of ir.stacks.
local lowering = {
    rnn = function(ir, item, spec, add)
        ir.stacks[#ir.stacks + 1] = stack_of(item, spec, add)
        return { kind = "stack", stack = #ir.stacks }
    end,
    embedding = function(_, item, _, add)
        return { kind = "embedding", rows = item.num_embeddings, width = item.dim,
                 weight = add("weight", item.num_embeddings, item.dim) }
    end,
    activation = function(_, item, _, add)
        local tensors = {}
        for i, name in ipairs(activations.of(item.activation).vectors or {}) do
            tensors[i] = { name = name, weight = add(name, item.input_size, 0) }
        end
        return { kind = "activation", width = item.input_size, activation = item.activation, alpha = item.alpha,
                 beta = item.beta, update = dense_update(item.activation, item.alpha, item.beta), tensors = tensors }
    end,
    merge = function(_, item)
        local row = merges.of(item.merge)
        return { kind = "merge", width = item.units, merge = item.merge,
                 update = { { "h", row.formula({ "gate", "h" }, { "gate", "other" }) } },
                 last_step = item.last_state, last_state = item.last_state }
    end,
    dense = function(ir, item, _, add)
        return { kind = "dense", inputs = item.input_size, units = item.units, activation = item.activation,
                 alpha = item.alpha, beta = item.beta, update = dense_update(item.activation, item.alpha, item.beta),
                 last_step = item.last_step or item.last_state or item.steps ~= nil, last_state = item.last_state,
                 tied = item.tied, steps = item.steps,
                 weight = item.tied and ir.stages[1].weight or add("weight", item.units, item.input_size),
                 bias = item.bias and add("bias", item.units, 0) or nil }
    end,
}

-- How time runs through all stages.
local function time_of(stacks)
    local time
    for _, stack in ipairs(stacks) do
        local own = stack.sizes.D == 2 and "whole" or stack.reverse and "backward" or "forward"
        if time and time ~= own then return "whole" end
        time = own
    end
    return time or "forward"
end

-- lower.run(spec) -> ir. A spec without `layers` is one recurrent layer.
function lower.run(spec)
    local ir = {
        name = spec.name, batch_first = spec.batch_first, residual = spec.residual,
        deterministic = spec.deterministic, lengths = spec.lengths, streaming = spec.streaming,
        no_streaming = spec.no_streaming, activation = spec.activation,
        steps = spec.seq_len, batch = spec.batch, threads = spec.threads, chunk = spec.chunk, heads = spec.heads or {},
        weights = {}, stages = {}, stacks = {},
    }
    for i, item in ipairs(spec.layers or { spec }) do
        local function add(name, rows, cols)
            local full = (spec.layers and item.prefix or "") .. name
            ir.weights[#ir.weights + 1] = { name = full, rows = rows, cols = cols }
            return #ir.weights
        end
        local stage = lowering[item.layer or "rnn"](ir, item, spec, add)
        local before = ir.stages[i - 1]
        stage.once = stage.last_step or (before and before.once) or false
        ir.stages[i] = stage
    end
    ir.time = time_of(ir.stacks)
    local top = spec.layers and spec.layers[#spec.layers]
    if top and top.by_head then
        ir.by_head = {}
        for i, part in ipairs(top.by_head) do
            local of = activations.of(part.activation).of
            ir.by_head[i] = {
                name = part.name, activation = part.activation, alpha = part.alpha, beta = part.beta, of = of,
                first = part.first, width = part.width,
                update = of == "value" and dense_update(part.activation, part.alpha, part.beta) or nil,
            }
        end
    end
    return ir
end

return lower
