-- passes: each pass by itself: the interpreter computes the same before and after, on lowered networks, their backward
-- programs and small random programs; and each does what it is for.
local support = require "tests.compiler.support"

local assign = require "passes.program.assign"
local check = require "ir.check"
local count = require "passes.program.count"
local differentiate = require "passes.program.differentiate"
local dump = require "ir.dump"
local fuse = require "passes.program.fuse"
local grammar = require "ir.grammar"
local hoist = require "passes.program.hoist"
local interpret = require "ir.interpret"
local keep = require "passes.program.keep"
local lower = require "passes.program.lower"
local simplify = require "passes.program.simplify"
local sink = require "passes.program.sink"
local strip = require "passes.program.strip"
local vector_products = require "emit.vector_products"

local function spec(fields)
    local out = { cell = "lstm", input_size = 3, hidden_size = 4, num_layers = 1, bidirectional = false, bias = true,
                  batch_first = false, seq_len = 5, batch = 2 }
    for name, value in pairs(fields) do out[name] = value end
    return out
end

local networks = {
    lstm = spec {},
    gru_both = spec { cell = "gru", bidirectional = true, num_layers = 2, batch_first = true },
    rnn = spec { cell = "rnn", nonlinearity = "relu", bias = false, batch = 1, seq_len = "any" },
    projected = spec { proj_size = 2, bidirectional = true, seq_len = "any", batch = "any" },
    residual = spec { input_size = 4, residual = 4 },
    one_step = spec { seq_len = 1, batch = 1, cell = "gru" },
    lengths = spec { lengths = true, bidirectional = true, cell = "gru" },
}

local symbols <const> = { T = 5, B = 3 }

local passes = {
    simplify = { simplify.run, 1e-13 }, hoist = { hoist.run, 0 }, fuse = { fuse.run, 1e-13 },
    strip = { function(program) return strip.run(program, "t", 2) end, 0 },
    keep = { keep.run, 0 }, sink = { sink.run, 1e-12 },
    assign = { function(program) return fuse.run(assign.run(sink.run(program))) end, 1e-12 },
    all = { function(program) return fuse.run(simplify.run(hoist.run(strip.run(program, "t", 3)))) end, 1e-13 },
}

local names = {}
for name in pairs(networks) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
    local forward = lower.run(networks[name])
    local more = { lengths = { 5, 2 } }
    local programs = { forward }
    if not networks[name].lengths then programs[2] = differentiate.run(forward) end
    for _, program in ipairs(programs) do
        for _, pass in ipairs { "simplify", "hoist", "fuse", "strip", "keep", "sink", "assign", "all" } do
            support.case(string.format("%s of %s, %s", pass, name, program.name), function()
                local run, tolerance = table.unpack(passes[pass])
                support.same(program, run(program), symbols, 7, tolerance, more)
            end)
        end
    end
end

-- ---- random programs ----

-- A loop over t with maps and products between a few buffers (5 + 1, 4), at t, t + 1 and across; every buffer is
-- written before the loop. Writes and reads are drawn without regard to what a pass may do with them.
local function random_program(rng)
    local buffers = { grammar.buffer("x", "argument", { 6, 4 }), grammar.buffer("w", "weight", { 4, 4 }) }
    local body = {}
    local function at(name) return grammar.access(name, rng.integer(0, 2) == 0 and "t + 1" or "t", "j") end
    for i = 1, 4 do
        buffers[#buffers + 1] = grammar.buffer("r" .. i, "result", { 6, 4 })
        body[i] = grammar.statement { op = "map", over = { { "s", 6 }, { "j", 4 } },
            sets = { { grammar.access("r" .. i, "s", "j"), grammar.read("x", "s", "j") } } }
    end
    local function source() return rng.integer(0, 4) == 0 and "x" or "r" .. rng.integer(1, 4) end
    local inner = {}
    for i = 1, rng.integer(2, 5) do
        local out = at("r" .. rng.integer(1, 4))
        if rng.integer(0, 2) == 0 then
            inner[i] = grammar.statement { op = "product", over = { { "j", 4 } }, sum = { { "k", 4 } }, out = out,
                a = grammar.access("w", "j", "k"), b = grammar.access(source(), out[2][1] == 0 and "t + 1" or "t", "k"),
                accumulate = rng.integer(0, 1) == 0 or nil }
            -- A product does not read what it writes.
            if inner[i].b[1] == out[1] then inner[i].b[1] = "x" end
        else
            local value = { "add", { "mul", 0.5, { "read", at(source()) } }, { "tanh", { "read", at(source()) } } }
            inner[i] = grammar.statement { op = "map", over = { { "j", 4 } }, sets = { { out, value } },
                                           accumulate = rng.integer(0, 2) == 0 or nil }
        end
    end
    body[5] = grammar.statement { op = "for", var = "t", extent = 5, step = rng.integer(0, 1) * 2 - 1, body = inner }
    return check { name = "random", symbols = {}, buffers = buffers, body = body }
end

local moved, sunk = 0, 0
for i = 1, 300 do
    local program = random_program(support.rng(i))
    for _, pass in ipairs { "simplify", "hoist", "fuse", "strip", "sink", "assign", "all" } do
        support.case(string.format("%s of random program %d", pass, i), function()
            local run, tolerance = table.unpack(passes[pass])
            local after = run(program)
            local ok, message = pcall(support.same, program, after, {}, i, math.max(tolerance, 1e-13))
            if not ok then error(message .. "\n" .. dump.text(program) .. dump.text(after)) end
            if pass == "hoist" and #after.body > #program.body then moved = moved + 1 end
            if pass == "sink" and #after.body > #program.body then sunk = sunk + 1 end
        end)
    end
end
support.case("hoist moves something in some of them", function() assert(moved >= 20, moved .. " programs") end)
support.case("sink moves something in some of them", function() assert(sunk >= 10, sunk .. " programs") end)

-- What the training of a network runs: the forward program that keeps values, and the backward one that reads them.
for _, name in ipairs(names) do
    support.case("gradients of kept values of " .. name, function()
        local lowered = lower.run(networks[name])
        local kept = keep.run(lowered)
        local plain = differentiate.run(lowered)
        local short = assign.run(sink.run(keep.recall(plain, kept)))
        local given = support.values(kept, symbols, support.rng(3), { lengths = { 5, 2 } })
        local tape = interpret.run(kept, symbols, given)
        for key, values in pairs(given) do tape[key] = values end
        for key, values in pairs(support.values(plain, symbols, support.rng(4), tape)) do tape[key] = values end
        local want, got = interpret.run(plain, symbols, tape), interpret.run(short, symbols, tape)
        for _, buffer in ipairs(plain.buffers) do
            if buffer.role == "result" then support.near(got[buffer.name], want[buffer.name], 1e-12, buffer.name) end
        end
        -- Nothing is computed twice: no tanh or sigmoid in the backward program.
        assert(not dump.text(short):find("tanh%(") and not dump.text(short):find("sigmoid%("), dump.text(short))
    end)
end

-- ---- what each is for ----

local function loops(program)
    local list = {}
    for _, s in ipairs(program.body) do
        if s.op == "for" then list[#list + 1] = s end
    end
    return list
end

support.case("hoist takes the product with the input out of the loop", function()
    local before, after = lower.run(networks.lstm), hoist.run(lower.run(networks.lstm))
    local a, b = loops(before)[1], loops(after)[1]
    -- The biases and the product of the input.
    assert(#a.body == 6, #a.body)
    assert(#b.body == 4, #b.body .. " statements stay in the loop:\n" .. dump.text(after))
    assert(b.body[1].op == "product" and b.body[1].b[1] == "h_l0")
end)

support.case("simplify leaves no range or loop of one trip", function()
    local text = dump.text(simplify.run(lower.run(networks.one_step)))
    assert(not text:find(" in 1[^%d]") and not text:find("for t"), text)
end)

support.case("fuse makes one map of the update of a step", function()
    local loop = loops(fuse.run(hoist.run(lower.run(networks.lstm))))[1]
    assert(#loop.body == 2 and #loop.body[2].sets == 3, dump.text { name = "", symbols = {}, buffers = {},
        body = { loop } })
end)

-- Two maps over j; the second one reads what the first one writes at other points. And C keeps a - (b - c).
support.case("fuse keeps maps apart that meet at other points", function()
    local access, read = grammar.access, grammar.read
    local function map(target, value)
        return grammar.statement { op = "map", over = { { "j", 4 } }, sets = { { target, value } } }
    end
    local x = read("x", "j")
    local program = check { name = "mirror", symbols = {}, buffers = { grammar.buffer("x", "argument", { 4 }),
        grammar.buffer("y", "result", { 4 }), grammar.buffer("z", "result", { 4 }) }, body = {
        map(access("y", "j"), { "sub", x, { "sub", { "tanh", x }, { "exp", x } } }),
        map(access("z", "j"), read("y", "3 - j")) } }
    assert(#fuse.run(program).body == 2)
    support.same(program, fuse.run(program), {}, 3)
    local given = support.values(program, {}, support.rng(4))
    local want = require("ir.interpret").run(program, {}, given)
    support.near(support.run_c({ program }, {}, given, "double").z, want.z, 1e-14, "z")
end)

support.case("strip makes pieces of 2, 2 and 1", function()
    local list = loops(strip.run(lower.run(networks.lstm), "t", 2))
    assert(#list == 2 and list[1].extent[1] == 2 and list[1].body[1].extent[1] == 2 and list[2].extent[1] == 1)
end)

support.case("sink makes one product of a weight's gradient, and assign sets it", function()
    local lowered = lower.run(networks.lstm)
    local before = keep.recall(differentiate.run(lowered), keep.run(lowered))
    local after = assign.run(sink.run(before))
    for _, s in ipairs(loops(after)[1].body) do
        assert(s.op ~= "product" or s.out[1] == "d_h_l0", "in the loop is " .. dump.head(s))
    end
    local found = 0
    for _, s in ipairs(after.body) do
        if s.op == "product" and s.out[1]:find("^d_weight") then
            assert(#s.sum == 2 and not s.accumulate, dump.head(s))
            found = found + 1
        end
    end
    assert(found == 2, found)
end)

support.case("adjoints of states begin as what is added first, and a step back is one map and one product", function()
    local program = fuse.run(assign.run(sink.run(differentiate.run(lower.run(networks.lstm)))))
    local text = dump.text(program)
    assert(not text:find("d_[hc]_l0%[[^%]]+%] = 0%f[%D]"), text)
    for _, s in ipairs(program.body) do
        if s.op == "for" then
            assert(#s.body == 2 and s.body[1].op == "map" and s.body[2].op == "product" and not s.body[2].accumulate,
                text)
        end
    end
end)

support.case("what is added where something was added before stays an addition", function()
    -- A loop forwards adds at t first where one backwards adds at t + 1 first.
    for _, step in ipairs { 1, -1 } do
        local program = { name = "adds", symbols = { "T" }, buffers = {
            grammar.buffer("x", "argument", { "T", 2 }), grammar.buffer("d", "result", { "T + 1", 2 }) }, body = {
            grammar.statement { op = "map", over = { { "t", "T + 1" }, { "i", 2 } },
                sets = { { grammar.access("d", "t", "i"), 0 } } },
            grammar.statement { op = "map", over = { { "i", 2 } }, accumulate = true,
                sets = { { grammar.access("d", step == 1 and 0 or "T", "i"), 5 } } },
            grammar.statement { op = "for", var = "t", extent = "T", step = step, body = {
                grammar.statement { op = "map", over = { { "i", 2 } }, accumulate = true,
                    sets = { { grammar.access("d", "t", "i"), grammar.read("x", "t", "i") } } },
                grammar.statement { op = "map", over = { { "i", 2 } }, accumulate = true,
                    sets = { { grammar.access("d", "t + 1", "i"), grammar.read("x", "t", "i") } } } } } } }
        local after = assign.run(program)
        support.same(program, after, { T = 4 }, 7, 0, {})
        local loop = after.body[#after.body].body
        assert(#after.body == 2 and not loop[step == 1 and 2 or 1].accumulate
            and loop[step == 1 and 1 or 2].accumulate, dump.text(after))
    end
end)

support.case("fuse joins what touches disjoint places of a buffer, and nothing that meets", function()
    for offset, statements in pairs { [1] = 2, [2] = 2, [3] = 1 } do
        local over = { { "i", 3 } }
        local program = { name = "places", symbols = {}, buffers = {
            grammar.buffer("x", "argument", { 6 }), grammar.buffer("a", "result", { 6 }),
            grammar.buffer("y", "result", { 3 }) }, body = {
            grammar.statement { op = "map", over = { { "k", 6 } }, sets = { { grammar.access("a", "k"), 7 } } },
            grammar.statement { op = "map", over = over,
                sets = { { grammar.access("a", offset .. " + i"), grammar.read("x", "i") } } },
            grammar.statement { op = "map", over = over,
                sets = { { grammar.access("y", "i"), { "add", grammar.read("a", "i"), 1 } } } } } }
        local after = fuse.run(program)
        support.same(program, after, {}, 7, 0, {})
        assert(#after.body == 1 + statements, dump.text(after))
    end
end)

support.case("products have panels of weights, and biases once", function()
    local forward = vector_products.prepare(hoist.run(lower.run(networks.lstm)))
    assert(#forward.packs == 2 and dump.text(forward):find("row1%[i%] = "), dump.text(forward))
    for s, call in pairs(forward.calls) do
        assert(call.panels and (call.first == "row1") == (s.a[1] == "weight_ih_l0"), dump.head(s))
    end
    -- The gradients of the weights are sums of what no call knows before.
    local backward, blocks = vector_products.prepare(sink.run(differentiate.run(lower.run(networks.lstm)))), 0
    for _, call in pairs(backward.calls) do blocks = blocks + (call.panels and 0 or 1) end
    assert(#backward.packs == 2 and blocks == 2)
end)

support.case("count", function()
    -- 5 steps of 2 sequences: 16 rows of 3 + 4 columns.
    local c = count.run(lower.run(networks.lstm), symbols)
    assert(c.multiply_adds == 5 * 2 * 16 * 7, c.multiply_adds)
    assert(c.calls.sigmoid == 3 * 5 * 2 * 4 and c.calls.tanh == 2 * 5 * 2 * 4)
    assert(c.bytes.weight == 4 * (16 * 3 + 16 * 4 + 16 + 16), c.bytes.weight)
    -- The backward program does each product twice: once for each factor.
    local b = count.run(differentiate.run(lower.run(networks.lstm)), symbols)
    assert(b.multiply_adds == 2 * c.multiply_adds, b.multiply_adds)
    local moved_out = count.run(hoist.run(lower.run(networks.lstm)), symbols)
    assert(moved_out.multiply_adds == c.multiply_adds)
end)

support.finish()
