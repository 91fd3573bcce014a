-- forward: what emit makes of a network, run as statements: the function of the network, those of its layers and the
-- tiles of its products. Results are those of the lowered program by the interpreter, and nothing is read before it is
-- written or lies outside of its buffer. No C compiler.
local support = require "tests.compiler.support"
local run_statements = require "tests.compiler.run_statements"

-- Of the C side only how floats are written is asked for.
package.preload.host = function() return { float = function(x) return string.format("%.17g", x) end } end
local plan
local statements = require "emit.statements"
local emit = require "emit.emit"
function emit.files(its_plan)
    plan = its_plan
    return {}
end
local pipeline = require "emit.pipeline"
local forward = require "emit.forward.forward"
local layers = require "emit.forward.layers"
local functions = require "tables.functions"
local counts = require "passes.program.count"
local interpret = require "ir.interpret"
local lower = require "passes.program.lower"

-- Functions by name: { names of parameters, program }.
local function caught(run)
    local define, found = statements.define, {}
    function statements.define(_, name, parameters, list)
        local names = {}
        for one in (parameters .. ","):gmatch("([%w_]+),") do names[#names + 1] = one end
        found[name:match("[%w_]+$")] = { names = names, program = statements.program(list, names) }
        return ""
    end
    local ok, message = pcall(run)
    statements.define = define
    if not ok then error(message, 0) end
    return found
end

-- ---- what templates define ----

local get, put = run_statements.get, run_statements.put

local function each(of)
    return function(...)
        local out = {}
        for i = 1, #(...) do
            local words = {}
            for k = 1, select("#", ...) do words[k] = select(k, ...)[i] end
            out[i] = of(table.unpack(words))
        end
        return out
    end
end

-- The value of an expression of the table of functions.
local function value_of(tree, arguments)
    if type(tree) == "number" then return tree end
    if tree[1] == "arg" then return arguments[tree[2]] end
    local row, values = functions.of(tree[1]), {}
    for i = 2, #tree do values[i - 1] = value_of(tree[i], arguments) end
    return row.value and row.value(table.unpack(values)) or value_of(row.means, values)
end

-- Functions of vectors of v's target, without their prefix.
local function vectors(v)
    local lanes = v.lanes
    local function from(p, first, of)
        local out = {}
        for i = 0, lanes - 1 do out[i + 1] = get(p, of and of(i) or first + i) end
        return out
    end
    local list = {
        load = function(p) return from(p, 0) end,
        store = function(p, a) for i = 0, lanes - 1 do put(p, i, a[i + 1]) end end,
        splat = function(x)
            local out = {}
            for i = 1, lanes do out[i] = x end
            return out
        end,
        splat_group = function(p) return from(p, 0, function(i) return i % v.beside end) end,
        fma = each(function(a, b, c) return a * b + c end),
        unless_tiny = each(function(x, by) return math.abs(by) < 0x1p-112 and 0 or x end),
        or_nan = each(function(a) return a end), either = each(function(a, b)
            return math.max(math.abs(a), math.abs(b))
        end),
        prefetch = function() end,
    }
    list.load_next = list.load
    list.fma_next = function(a, p, c) return list.fma(a, list.load(p), c) end
    for u = 0, v.beside - 1 do
        list["spread_" .. u] = function(a)
            local out = {}
            for i = 0, lanes - 1 do out[i + 1] = a[i // v.beside * v.beside + u + 1] end
            return out
        end
    end
    return setmetatable(list, { __index = function(_, name)
        local row, tree = functions.of(name), { name }
        for i = 1, row.arity do tree[i + 1] = { "arg", i } end
        return each(function(...) return value_of(tree, { ... }) end)
    end })
end

-- Unit i of sequence b lies there, of a block of the kernel whose lanes are sequences.
local function transposes(v)
    local g = v.beside
    local function place(i, b, block) return i // g * g * block + i % g + b * g end
    local function there(from, from_row, to, block, rows, width)
        for b = 0, rows - 1 do
            for i = 0, width - 1 do put(to, place(i, b, block), get(from, b * from_row + i)) end
        end
    end
    local function back(from, block, to, to_row, width, rows)
        for b = 0, rows - 1 do
            for i = 0, width - 1 do put(to, b * to_row + i, get(from, place(i, b, block))) end
        end
    end
    return there, back
end

-- What functions of the network call, of the variant v: each other, vectors, memory.
local function calls(v, made)
    local of_vectors, there, back = vectors(v), transposes(v)
    local own = {
        memcpy = function(to, from, count) for i = 0, count - 1 do put(to, i, get(from, i)) end end,
        memset = function(to, value, count) for i = 0, count - 1 do put(to, i, value) end end,
    }
    local function call(name, values)
        if made[name] then
            local f = made[name]
            return run_statements.run(f.program, f.names, values, call)
        end
        if name == v.transpose or name == v.transpose_back then
            -- Without groups one function is both: it swaps rows and columns.
            local is_back = name == v.transpose_back and (v.beside > 1 or values[2] == v.block and values[4] ~= v.block)
            return (is_back and back or there)(table.unpack(values))
        end
        local vector = name:match("^" .. v.vec .. "_([%w_]+)$")
        local of = own[name] or vector and of_vectors[vector] or error("what is " .. name .. "?", 0)
        return of(table.unpack(values))
    end
    return call
end

-- ---- a network ----

-- Packed weights, as rnnc.h says of rnnc_pack_step.
local function packed(weights)
    local to = {}
    for i = 1, plan.packed_count do to[i] = 0 end
    for _, step in ipairs(plan.pack) do
        for n = 0, math.max(step["repeat"], 1) - 1 do
            local first, second = weights[step.tensor + n * step.tensor_step + 1],
                step.plus and weights[step.plus + n * step.tensor_step + 1]
            local at = step.dst + n * step.dst_step
            for p = 0, (step.units - 1) // step.width do
                for k = 0, step.cols - 1 do
                    for g = 0, step.gates - 1 do
                        for j = 0, math.min(step.width, step.units - p * step.width) - 1 do
                            local from = ((step.first_gate + g) * step.units + p * step.width + j) * step.cols + k + 1
                            to[at + ((p * step.cols + k) * step.gates + g) * step.stride + j + 1] =
                                first[from] + (second and second[from] or 0)
                        end
                    end
                end
            end
        end
    end
    return to
end

-- Multiply-adds of the layers that run once a sequence.
local function done_once(list, B)
    local work = 0
    for _, one in ipairs(list or {}) do
        if one.last_step or one.last_state then work = work + B * one.input_size * one.units end
    end
    return work
end

local function check(fields, T, B)
    local spec = { cell = "rnn", nonlinearity = "tanh", input_size = 3, hidden_size = 5, num_layers = 1, bias = true,
                   bidirectional = false, batch_first = false, seq_len = "any", batch = "any", target = { "portable" },
                   name = "net", threads = 1, proj_size = 0, activation = "exact", clip = false }
    for name, value in pairs(fields) do spec[name] = value end
    local program, symbols = lower.run(spec), { T = T, B = B }
    local given = support.values(program, symbols, support.rng(9))
    local want = interpret.run(program, symbols, given)

    pipeline.run(spec, { weights_as = "none", command = "" })
    local work = plan.macs_per_step * T * B + done_once(spec.layers, B)
    assert(counts.run(program, symbols).multiply_adds == work, work)
    local states = plan.states
    local weights = {}
    for i, weight in ipairs(plan.weights) do weights[i] = given[weight.name] end
    local results
    local function fresh()
        results = { y = run_statements.buffer(#want.y) }
        for _, state in ipairs(states) do results[state .. "n"] = run_statements.buffer(#want[state .. "n"]) end
    end
    local programs = { plan.variants[1], table.unpack(plan.variants[1].others) }
    -- Programs of one target share functions.
    local made = caught(function()
        for _, v in ipairs(programs) do
            for _, product in ipairs(v.products) do emit.product(v, product) end
            for _, stage in ipairs(v.stages) do
                for _, layer in ipairs(stage.layers or {}) do layers(v, stage, layer) end
            end
            local names = { "weights", "seq_len", "batch", "x" }
            for _, state in ipairs(states) do names[#names + 1] = state .. "0" end
            names[#names + 1] = "y"
            for _, state in ipairs(states) do names[#names + 1] = state .. "n" end
            forward(v, plan, table.concat(names, ", ") .. ", float *workspace", false)
        end
    end)
    -- Sequences first .. last - 1 by the program of v, or all of them where it runs on no part.
    local function run(v, first, last)
        local arguments = { run_statements.buffer(plan.packed_count, packed(weights)), T, B,
                            run_statements.buffer(#given.x, given.x) }
        local function add(value) arguments[#arguments + 1] = value end
        for _, state in ipairs(states) do add(run_statements.buffer(#given[state .. "0"], given[state .. "0"])) end
        add(results.y)
        for _, state in ipairs(states) do add(results[state .. "n"]) end
        local w, held = v.workspace, spec.batch == "any" and math.min(B, v.block) or 1
        local rows = math.min(held * T, math.max(held * v.chunk, v.chunk_rows or 0))
        add(run_statements.buffer(held * (w.fixed + T * w.per_step) + rows * w.per_chunk_step))
        if v.part then
            add(first)
            add(last)
        end
        calls(v, made)(v.run, arguments)
    end
    local function compare()
        for name, buffer in pairs(results) do
            local got = {}
            for i = 1, #want[name] do got[i] = buffer.of[i - 1] or 0 / 0 end
            support.near(got, want[name], 1e-12, name)
        end
    end
    if spec.batch == "any" then
        -- Each program by itself, but that of blocks where there are too few for one.
        for _, v in ipairs(programs) do
            local taken = v.batch == "any" and B or v.batch
            if B % taken == 0 then
                fresh()
                for first = 0, B - 1, taken do run(v, first, first + taken) end
                compare()
            end
        end
    else
        -- The first program takes the first sequences, that of the rest the others.
        fresh()
        local done = 0
        for _, v in ipairs(programs) do
            run(v, done, done + v.batch)
            done = done + v.batch
        end
        assert(done == B, "not each sequence is run")
        compare()
    end
end

local function layer(fields, more)
    for name, value in pairs(more) do fields[name] = value end
    return fields
end

local function stack(more)
    return layer({ layer = "rnn", cell = "rnn", nonlinearity = "tanh", input_size = 3, hidden_size = 5, num_layers = 1,
                   bias = true, bidirectional = false, proj_size = 0, prefix = (more.cell or "rnn") .. "." }, more)
end

local function dense(more)
    return layer({ layer = "dense", activation = "none", bias = true, prefix = "head." }, more)
end

local networks = {
    { "rnn", {}, 6, 3 },
    { "one sequence", { batch = 1 }, 7, 1 },
    { "one step", { batch = 1, seq_len = 1, cell = "gru", hidden_size = 9 }, 1, 1 },
    { "gru of both directions", { cell = "gru", num_layers = 2, bidirectional = true, batch_first = true }, 4, 3 },
    { "lstm in chunks", { cell = "lstm", hidden_size = 8, chunk = 3, num_layers = 3 }, 8, 2 },
    { "reverse", { cell = "gru", direction = "reverse", chunk = 2, bias = false }, 5, 2 },
    { "lanes of sequences", { cell = "lstm", hidden_size = 6, batch = 9, num_layers = 2 }, 10, 9 },
    { "lanes of pairs", { hidden_size = 6, input_size = 4, batch = 2, batch_first = true }, 3, 2 },
    { "scalar", { cell = "gru", hidden_size = 3, target = { "scalar" } }, 3, 2 },
    { "projection", { cell = "lstm", hidden_size = 8, proj_size = 2, bidirectional = true }, 4, 3 },
    { "peepholes", { cell = "lstm", hidden_size = 8, peepholes = true, num_layers = 2 }, 4, 2 },
    { "a head", { layers = { stack { num_layers = 2 }, dense { input_size = 5, units = 3 } }, batch_first = true },
        5, 2 },
    { "a head of last steps", { layers = { stack { bidirectional = true },
        dense { input_size = 10, units = 6, last_step = true, activation = "relu" } }, batch = 6 }, 5, 6 },
    { "a residual", { layers = { stack { cell = "gru" }, dense { input_size = 5, units = 3 } }, residual = 3 }, 5, 2 },
    { "blocks", { hidden_size = 4, batch = 37, target = { "avx2" } }, 2, 37 },
}

local kernels = {}
for _, network in ipairs(networks) do
    local name, fields, T, B = table.unpack(network)
    support.case("forward of " .. name, function()
        check(fields, T, B)
        kernels[plan.variants[1].in_lanes] = true
    end)
end

support.case("both ways to fill lanes are among them", function() assert(kernels.units and kernels.sequences) end)

support.case("a tile that misses a column is found", function()
    local loop = statements.loop
    function statements.loop(first, condition, ...)
        return loop(first, (condition:gsub("^(k < )(%d+)$", function(k, n) return k .. n - 1 end)), ...)
    end
    support.fails(function() check({ input_size = 12 }, 3, 2) end, "wanted")
    statements.loop = loop
end)

support.finish()
