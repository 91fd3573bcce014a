-- program.lower: from a validated spec to the program of a forward pass that keeps every step, so that a backward
-- program can follow. Nothing is decided here but what is computed: no order of loops inside a step, no layout.
--
-- Symbols: T steps, B sequences, where the spec says "any". Buffers: x (T, B, I) or tokens (T, B); h0, hn (chains, B,
-- P) and so on by state and recurrent layer (h0_2 of the second); weights by PyTorch's names; y. batch_first turns x,
-- tokens and y in memory. With lengths: the buffer lengths (B), each 1 .. T; x behind one is not used, y is 0 there.
local activations = require "passes.program.activations"
local cells = require "tables.cells"
local check = require "ir.check"
local dropout = require "passes.program.dropout"
local functions = require "tables.activations"
local grammar = require "ir.grammar"
local heads = require "passes.program.heads"
local merges = require "tables.merges"
local norms = require "passes.program.norms"
local update = require "passes.program.update"

local access, read, buffer, statement = grammar.access, grammar.read, grammar.buffer, grammar.statement

local lower = {}

local function put(program, name, role, dims, more)
    program.buffers[#program.buffers + 1] = buffer(name, role, dims, more)
    return name
end

local is_live = update.is_live

local function append(list, more) return table.move(more, 1, #more, #list + 1, list) end

-- W v (+ bias) of a step into `out`: `rows` rows of W from `first` (default: 0) on, which are rows `at` (default: the
-- same) of `out`. bias true: `out` has something already, and this is added.
local function product(out, weight, bias, of, columns, rows, B, from, first, at)
    local function row(number) return (number or 0) == 0 and "i" or number .. " + i" end
    local target, over = access(out, "t", "b", row(at or first)), { { "b", B }, { "i", rows } }
    local list = {}
    if bias and bias ~= true then
        list[1] = statement { op = "map", from = from, over = over, sets = { { target, read(bias, row(first)) } } }
    end
    list[#list + 1] = statement { op = "product", from = from, over = over, sum = { { "k", columns } }, out = target,
                                  a = access(weight, row(first), "k"), b = of, accumulate = bias and true or nil }
    return list
end

-- One layer and direction: states of all steps, h[t + 1] from h[t], or h[t] from h[t + 1] backwards. Where the output
-- is projected, h has P values and the cell's own output H.
local function scan(program, item, stack, layer, direction, input, width, output)
    local T, B, cell, H, P = program.T, program.B, stack.cell, stack.H, stack.P
    local suffix = "_l" .. layer .. (direction == 1 and "_reverse" or "")
    local id, backward = stack.number .. suffix, direction == 1 or stack.reverse
    local from = string.format("%s, layer %d%s", item.cell, layer, direction == 1 and ", reverse" or "")
    local chain = { cell = cell, H = H, B = B, id = id, lengths = program.lengths, projects = P ~= H,
                    program = program, put = put, eps = item.layer_norm and item.layer_norm_eps or nil,
                    carries = item.layer_norm_state, before = backward and "t + 1" or "t",
                    after = backward and "t" or "t + 1" }
    local rows, name = #cell.gates * H, function(base) return stack.prefix .. base .. suffix end
    chain.weight = name
    function chain.at(state, time, unit, is_new)
        -- With a projection the first state that the update makes is what is projected.
        if P ~= H and state == cell.states[1] and is_new then return read("full" .. id, "t", "b", unit) end
        return read(state .. id, time, "b", unit)
    end
    put(program, name "weight_ih", "weight", { rows, width })
    put(program, name "weight_hh", "weight", { rows, P })
    local bias_ih = item.bias and put(program, name "bias_ih", "weight", { rows })
    local bias_hh = item.bias and put(program, name "bias_hh", "weight", { rows })
    for _, vector in ipairs(cell.vectors or {}) do put(program, name(vector), "weight", { H }) end
    -- Gates have one sum of both products, but the separate ones, which come last, two.
    local separate = chain.eps and 0 or #cell.separate * H
    local shared = rows - separate
    if not chain.eps then put(program, "sums" .. id, "workspace", { T, B, rows }) end
    if separate > 0 then put(program, "from_h" .. id, "workspace", { T, B, separate }) end
    local row, last = layer * stack.D + direction, program.T
    local first_at, last_at = backward and last or 0, backward and 0 or last
    for i, state in ipairs(cell.states) do
        local units = i == 1 and P or H
        put(program, state .. id, "workspace", { T .. " + 1", B, units })
        append(program.body, { statement { op = "map", from = from, over = { { "b", B }, { "j", units } },
            sets = { { access(state .. id, first_at, "b", "j"), read(stack.initial[state], row, "b", "j") } } } })
    end
    local sums, body = "sums" .. id, {}
    if item.bias then
        -- The sums begin with what does not change.
        body[1] = statement { op = "map", from = from, over = { { "b", B }, { "i", shared } },
            sets = { { access(sums, "t", "b", "i"), { "add", read(bias_ih, "i"), read(bias_hh, "i") } } } }
        if separate > 0 then
            body[2] = statement { op = "map", from = from, over = { { "b", B }, { "i", separate } },
                sets = { { access(sums, "t", "b", shared .. " + i"), read(bias_ih, shared .. " + i") } } }
        end
    end
    local before = access(cell.states[1] .. id, chain.before, "b", "k")
    local after = cell.reset and #cell.reset.of * H or 0
    if chain.eps then
        append(body, norms.sums(chain, from, {
            x = function(out) return product(out, name "weight_ih", nil, input("k"), width, rows, B, from) end,
            h = function(out) return product(out, name "weight_hh", nil, before, P, rows, B, from) end,
        }))
    else
        append(body, product(sums, name "weight_ih", item.bias, input("k"), width, rows, B, from))
        append(body, product(sums, name "weight_hh", true, before, P, shared - after, B, from))
    end
    if separate > 0 then
        append(body, product("from_h" .. id, name "weight_hh", bias_hh, before, P, separate, B, from, shared, 0))
    end
    if cell.reset then
        put(program, "reset" .. id, "workspace", { T, B, H })
        append(body, { statement { op = "map", from = from, over = { { "b", B }, { "j", H } },
            sets = { { access("reset" .. id, "t", "b", "j"), update.filler(chain, from, {})(cell.reset.value) } } } })
        append(body, product(sums, name "weight_hh", true, access("reset" .. id, "t", "b", "k"), H, after, B, from,
            rows - after))
    end
    if P ~= H then put(program, "full" .. id, "workspace", { T, B, H }) end
    append(body, update.of(chain, from))
    local h = cell.states[1] .. id
    if P ~= H then
        put(program, name "weight_hr", "weight", { P, H })
        local into = program.lengths and put(program, "projected" .. id, "workspace", { T, B, P }) or h
        body[#body + 1] = statement { op = "product", from = from, over = { { "b", B }, { "i", P } },
            sum = { { "k", H } }, out = access(into, program.lengths and "t" or chain.after, "b", "i"),
            a = access(name "weight_hr", "i", "k"), b = access("full" .. id, "t", "b", "k") }
        if program.lengths then
            body[#body + 1] = statement { op = "map", from = from, over = { { "b", B }, { "j", P } },
                sets = { { access(h, chain.after, "b", "j"), { "select", is_live(), read(into, "t", "b", "j"),
                                                               read(h, chain.before, "b", "j") } } } }
        end
    end
    local value = read(h, chain.after, "b", "j")
    if program.lengths then value = { "select", is_live(), value, 0 } end
    body[#body + 1] = statement { op = "map", from = from, over = { { "b", B }, { "j", P } },
        sets = { { access(output, "t", "b", direction * P .. " + j"), value } } }
    append(program.body, { statement { op = "for", from = from, var = "t", extent = T,
        step = backward and -1 or 1, body = body } })
    for i, state in ipairs(cell.states) do
        append(program.body, { statement { op = "map", from = from, over = { { "b", B }, { "j", i == 1 and P or H } },
            sets = { { access(stack.final[state], row, "b", "j"), read(state .. id, last_at, "b", "j") } } } })
    end
end

local layers = {}

function layers.rnn(program, item, input, width)
    local cell = cells.of(item)
    program.stacks = program.stacks + 1
    local number = program.stacks == 1 and "" or "_" .. program.stacks
    local stack = { cell = cell, H = item.hidden_size, D = item.bidirectional and 2 or 1, number = number,
                    reverse = item.direction == "reverse", prefix = item.prefix or "", initial = {}, final = {} }
    stack.P = (item.proj_size or 0) > 0 and item.proj_size or stack.H
    if item.layer_norm_eps == 0 then error("layer_norm_eps = 0: a norm without it has gradients without bound", 0) end
    if item.initial_state then error("an initial state of the weights has no program yet", 0) end
    for i, state in ipairs(cell.states) do
        local dims = { item.num_layers * stack.D, program.B, i == 1 and stack.P or stack.H }
        stack.initial[state] = put(program, state .. "0" .. number, "argument", dims)
        stack.final[state] = put(program, state .. "n" .. number, "result", dims)
    end
    for layer = 0, item.num_layers - 1 do
        local output = put(program, "out" .. number .. "_l" .. layer, "workspace",
            { program.T, program.B, stack.D * stack.P })
        for direction = 0, stack.D - 1 do scan(program, item, stack, layer, direction, input, width, output) end
        local drops = layer < item.num_layers - 1 and item.dropout or 0
        output = dropout.apply(program, put, output, drops, item.cell .. ", layer " .. layer)
        input, width = function(index) return access(output, "t", "b", index) end, stack.D * stack.P
    end
    program.reverse = (stack.D == 2 or stack.reverse) and stack.P or 0
    return input, width
end

function layers.embedding(program, item, input)
    local table_name = put(program, (item.prefix or "") .. "weight", "weight", { item.num_embeddings, item.dim })
    program.table = table_name
    local out = put(program, "embedded", "workspace", { program.T, program.B, item.dim })
    append(program.body, { statement { op = "map", from = "embedding",
        over = { { "t", program.T }, { "b", program.B }, { "j", item.dim } },
        sets = { { access(out, "t", "b", "j"),
                   { "read", { table_name, grammar.looked_up(input()), { 0, { "j", 1 } } } } } } } })
    return function(index) return access(out, "t", "b", index) end, item.dim
end

-- What a layer before it gave at the last step of each sequence.
local function at_the_end(program, source)
    source[2] = program.lengths and grammar.looked_up(access("lengths", "b"), -1)
        or grammar.access("", program.T .. " - 1")[2]
    return source
end

-- The last states of all directions side by side: that of the forward one after the last step, that of the reverse
-- one, whose `program.reverse` values come second, after the first one.
local function last_states(program, input, width, id, from)
    local ends = put(program, "ends" .. id, "workspace", { program.B, width })
    local forward = width - program.reverse
    local function part(column, count, source)
        append(program.body, { statement { op = "map", from = from, over = { { "b", program.B }, { "j", count } },
            sets = { { access(ends, "b", column), { "read", source } } } } })
    end
    if forward > 0 then part("j", forward, at_the_end(program, input("j"))) end
    local column = forward > 0 and forward .. " + j" or "j"
    local first = input(column)
    first[2] = access("", "0")[2]
    part(column, program.reverse, first)
    return access(ends, "b", "k")
end

-- All steps of a sequence side by side, the first one first: one row for each sequence.
local function all_steps(program, input, width, steps, id, from)
    local flat = put(program, "flat" .. id, "workspace", { program.B, steps * width })
    append(program.body, { statement { op = "map", from = from,
        over = { { "t", steps }, { "b", program.B }, { "j", width } },
        sets = { { access(flat, "b", width .. "*t + j"), { "read", input("j") } } } } })
    return function(index) return access(flat, "b", index) end
end

-- A function of each value of the layer before.
function layers.activation(program, item, input, width)
    program.alone = (program.alone or 0) + 1
    local id, from = "_function" .. program.alone, "activation " .. program.alone
    local over, dims, index = { { "b", program.B }, { "i", width } }, { program.B, width }, { "b" }
    if program.steps then
        table.insert(over, 1, { "t", program.steps })
        table.insert(dims, 1, program.steps)
        table.insert(index, 1, "t")
    end
    local function at(name, i)
        local all = table.move(index, 1, #index, 1, {})
        all[#all + 1] = i
        return access(name, table.unpack(all))
    end
    local sums, weights = put(program, "sums" .. id, "workspace", dims), {}
    append(program.body, { statement { op = "map", from = from, over = over,
        sets = { { at(sums, "i"), { "read", input("i") } } } } })
    for _, name in ipairs(functions.of(item.activation).vectors or {}) do
        weights[name] = read(put(program, (item.prefix or "") .. name, "weight", { width }), "i")
    end
    local out = activations.apply { program = program, put = put, name = item.activation, alpha = item.alpha,
                                    beta = item.beta,
                                    sums = sums, at = at, over = over, dims = dims, units = width, id = id,
                                    from = from, weights = weights }
    return function(i) return at(out, i) end, width
end

-- One value of both halves of what the layer before gives; of its last states, one row for each sequence from here on.
function layers.merge(program, item, input, width)
    program.merges = (program.merges or 0) + 1
    local id, from, half = "_merge" .. program.merges, "merge " .. program.merges, item.units
    local value = input
    if item.last_state then
        local ends = last_states(program, input, width, id, from)[1]
        value = function(index) return access(ends, "b", index) end
        program.steps, program.time = nil, nil
    end
    local over, dims, steps = { { "b", program.B }, { "i", half } }, { program.B, half }, program.steps
    if steps then
        table.insert(over, 1, { "t", steps })
        table.insert(dims, 1, steps)
    end
    local function at(index)
        if steps then return access("merged" .. id, "t", "b", index) end
        return access("merged" .. id, "b", index)
    end
    put(program, "merged" .. id, "workspace", dims)
    append(program.body, { statement { op = "map", from = from, over = over, sets = { { at("i"),
        merges.of(item.merge).formula({ "read", value("i") }, { "read", value(half .. " + i") }) } } } })
    return at, half
end

function layers.dense(program, item, input, width)
    program.denses = program.denses + 1
    local id, from = "_dense" .. program.denses, "dense layer " .. program.denses
    local source, steps, time = input, program.steps, program.time
    if item.last_step or item.last_state then
        -- One row for each sequence, from here on. The last state of a single direction is its last step.
        local ends = item.last_state and program.reverse > 0 and last_states(program, input, width, id, from)
        source = function(index) return ends or at_the_end(program, input(index)) end
        steps, time = nil, nil
    elseif item.steps then
        source = all_steps(program, input, width, item.steps, id, from)
        width, steps, time = item.steps * width, nil, nil
    end
    local over, dims = { { "b", program.B }, { "i", item.units } }, { program.B, item.units }
    if steps then
        table.insert(over, 1, { "t", steps })
        table.insert(dims, 1, steps)
    end
    local function at(name, index)
        if time then return access(name, "t", "b", index) end
        return access(name, "b", index)
    end
    local layer = { program = program, put = put, name = item.activation, alpha = item.alpha, beta = item.beta,
                    sums = put(program, "sums" .. id, "workspace", dims), at = at, over = over, dims = dims,
                    units = item.units, id = id, from = from }
    heads.sums(layer, item, width, source)
    program.steps, program.time = steps, time
    local out = item.by_head and heads.functions(layer, item.by_head) or activations.apply(layer)
    return function(index) return at(out, index) end, item.units
end

-- y, with the first values of the input added, as many as the spec's residual says; 0 beyond a sequence's length.
local function finish(program, spec, input, source, width)
    local dims, order = { program.B, width }, nil
    if program.steps then
        table.insert(dims, 1, program.T)
        order = spec.batch_first and { 2, 1, 3 } or nil
    end
    put(program, "y", "result", dims, { order = order })
    -- The values from `column` on, `count` of them.
    local function part(column, count, added)
        if count == 0 then return end
        local over, at = { { "b", program.B }, { "j", count } }, column == 0 and "j" or column .. " + j"
        local index = { "b", at }
        if program.steps then
            table.insert(over, 1, { "t", program.T })
            table.insert(index, 1, "t")
        end
        local value = { "read", input(at) }
        if added then value = { "add", value, { "read", source(at) } } end
        if program.lengths and program.steps then value = { "select", is_live(), value, 0 } end
        append(program.body, { statement { op = "map", from = "the output", over = over,
            sets = { { access("y", table.unpack(index)), value } } } })
    end
    local added = spec.residual or 0
    part(0, added, true)
    part(added, width - added, false)
end

-- lower.run(spec) -> program, checked.
function lower.run(spec)
    local T = spec.seq_len == "any" and "T" or tostring(spec.seq_len)
    local B = spec.batch == "any" and "B" or tostring(spec.batch)
    local program = { name = "forward", symbols = {}, buffers = {}, body = {}, T = T, B = B, steps = T, time = true,
                      stacks = 0, denses = 0, lengths = spec.lengths }
    if T == "T" then program.symbols[1] = "T" end
    if B == "B" then table.insert(program.symbols, "B") end
    local list = spec.layers or { spec }
    local order = spec.batch_first
    local source, width
    if list[1].layer == "embedding" then
        put(program, "tokens", "argument", { T, B }, { dtype = "i32", order = order and { 2, 1 } or nil })
        source = function() return access("tokens", "t", "b") end
    else
        width = list[1].input_size
        put(program, "x", "argument", { T, B, width }, { order = order and { 2, 1, 3 } or nil })
        source = function(index) return access("x", "t", "b", index) end
    end
    if spec.lengths then put(program, "lengths", "argument", { B }, { dtype = "i32" }) end
    local input = source
    if spec.lengths and width then
        -- What stands beyond a length may be NaN, and 0 times that is the gradient's end.
        put(program, "live_x", "workspace", { T, B, width })
        append(program.body, { statement { op = "map", from = "lengths",
            over = { { "t", T }, { "b", B }, { "j", width } },
            sets = { { access("live_x", "t", "b", "j"), { "select", is_live(), { "read", source("j") }, 0 } } } } })
        input = function(index) return access("live_x", "t", "b", index) end
    end
    for _, item in ipairs(list) do
        local layer = layers[item.layer or "rnn"] or error("no layer " .. tostring(item.layer), 0)
        input, width = layer(program, item, input, width)
    end
    finish(program, spec, input, source, width)
    return check { name = program.name, symbols = program.symbols, buffers = program.buffers, body = program.body }
end

return lower
