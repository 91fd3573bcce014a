-- ir: the checker, the grammar, expressions and the table of functions by themselves.
local support = require "tests.compiler.support"

local affine = require "ir.affine"
local check = require "ir.check"
local dump = require "ir.dump"
local expressions = require "ir.expressions"
local functions = require "tables.functions"
local grammar = require "ir.grammar"
local interpret = require "ir.interpret"
local simplify = require "passes.simplify"
local targets = require "tables.targets"

local access, read, statement, buffer = grammar.access, grammar.read, grammar.statement, grammar.buffer

-- ---- affine forms ----

support.case("affine forms are read as they are printed", function()
    for _, text in ipairs { "0", "7", "-3", "t", "2*t + j - 1", "-t + 4", "B - 1" } do
        local form = affine.of(text)
        local again = affine.text(affine.of(affine.text(form)))
        assert(again == affine.text(form), again)
        assert(affine.value(form, { t = 5, j = 11, B = 3 }) == load("local t, j, B = 5, 11, 3 return " .. text)(), text)
    end
    assert(affine.text(affine.of("t + 1 - t")) == "1")
    for _, wrong in ipairs { "", "t *", "2t", "t + + 1", "1.5", 1.5, true } do
        support.fails(function() affine.of(wrong) end, "not an index")
    end
    local with = affine.substitute(affine.of("2*t + j"), "t", affine.of("4*a + b"))
    assert(affine.text(with) == "8*a + 2*b + j", affine.text(with))
end)

-- ---- the checker ----

-- A good program; change(parts) makes one mistake in it.
local function program(change)
    local parts = {
        over = { { "t", "T" }, { "j", 4 } }, target = access("y", "t", "j"),
        value = { "mul", 2, { "tanh", read("x", "t", "j") } }, name = "small",
        buffers = { buffer("x", "argument", { "T", 4 }), buffer("y", "result", { "T", 4 }),
                    buffer("n", "argument", { "T" }, { dtype = "i32" }), buffer("w", "weight", { 3, 4 }),
                    buffer("z", "workspace", { "T", 3 }) },
        product = { op = "product", from = "the row", over = { { "t", "T" }, { "i", 3 } }, sum = { { "k", 4 } },
                    out = access("z", "t", "i"), a = access("w", "i", "k"), b = access("y", "t", "k") },
    }
    if change then change(parts) end
    local map = { op = "map", from = "the row", over = parts.over, sets = { { parts.target, parts.value } },
                  accumulate = parts.accumulate }
    return { name = parts.name, symbols = { "T" }, buffers = parts.buffers,
             body = parts.body or { statement(map), statement(parts.product) } }
end

local mistakes = {
    { "no buffer", "no buffer xx", function(p) p.value = read("xx", "t", "j") end },
    { "rank of a read", "x has 2 dims, not 1", function(p) p.value = read("x", "t") end },
    { "rank of a target", "y has 2 dims, not 3", function(p) p.target = access("y", "t", "j", 0) end },
    { "no function", "no function tahn", function(p) p.value = { "tahn", read("x", "t", "j") } end },
    { "arity", "tanh takes 1, not 2", function(p) p.value = { "tanh", read("x", "t", "j"), 1 } end },
    { "no variable", "no variable q here", function(p) p.value = read("x", "q", "j") end },
    { "an index above the end", "index t %+ 1 of x", function(p) p.value = read("x", "t + 1", "j") end },
    { "an index below 0", "index t %- 1 of x", function(p) p.value = read("x", "t - 1", "j") end },
    { "an index of another extent", "index j of x is not within 0 .. 4 %- 1", function(p) p.over[2][2] = 5 end },
    { "a target out of range", "index j %+ 1 of y", function(p) p.target = access("y", "t", "j + 1") end },
    { "read before written", "z is read before it is written", function(p) p.value = read("z", "t", 0) end },
    { "added to before written", "y is added to before", function(p) p.accumulate = true end },
    { "given and written", "x is given %(argument%) and not to be written", function(p) p.target = access("x", "t",
        "j") end },
    { "a number that holds whole ones", "n holds i32, wanted is f32",
      function(p) p.product.a = access("n", "t") end },
    { "a lookup of numbers", "x holds f32, wanted is i32", function(p)
        p.value = { "read", { "x", grammar.looked_up(access("x", "t", 0)), affine.of("j") } } end },
    { "a variable twice", "there is a variable t already", function(p) p.over[2][1] = "t" end },
    { "an extent of 0", "extent 0", function(p) p.over[1][2] = 0 end },
    { "an extent by a variable", "no variable t here", function(p) p.over = { { "j", "t" }, { "t", 4 } } end },
    { "no local", "no local v", function(p) p.value = { "local", "v" } end },
    { "two buffers", "two buffers x", function(p) p.buffers[2].name = "x" end },
    { "no role", "no role output", function(p) p.buffers[2].role = "output" end },
    { "no type", "no type f64", function(p) p.buffers[2].dtype = "f64" end },
    { "no expression", "no expression", function(p) p.value = "x" end },
    { "a product's sum in its target", "no variable k here", function(p) p.product.out = access("z", "t", "k") end },
    { "no statement", "no statement loop", function(p) p.body = { { op = "loop" } } end },
    { "a field that is missing", "needs sets", function(p) p.body = { { op = "map", over = {} } } end },
    { "a step of 2", "step is 2", function(p)
        p.body = { statement { op = "for", var = "t", extent = "T", step = 2, body = {} } } end },
    { "no reduction", "no reduction mean", function(p)
        p.body = { statement { op = "reduce", kind = "mean", over = { { "t", "T" } }, sum = { { "i", 3 } },
                               out = access("z", "t", 0), value = 1 } } end },
}

support.case("a good program passes", function() check(program()) end)
for _, mistake in ipairs(mistakes) do
    support.case("the checker finds " .. mistake[1], function()
        local broken = program(mistake[3])
        support.fails(function() check(broken) end, mistake[2])
        support.fails(function() check(broken) end, "^small: ")
    end)
end

support.case("a message names the statement and the row that made it", function()
    support.fails(function() check(program(mistakes[4][3])) end, 'in "y%[t, j%] = tahn%(x%[t, j%]%).*" of the row')
end)

support.case("the grammar takes no other fields", function()
    support.fails(function() statement { op = "map", over = {}, sets = {}, into = 1 } end, "map has no field into")
    support.fails(function() statement { op = "map", over = {} } end, "map needs sets")
    support.fails(function() statement { op = "sort" } end, "no statement sort")
end)

-- ---- the interpreter ----

support.case("the interpreter is strict", function()
    local given = support.values(program(), { T = 2 }, support.rng(3), { n = { 0, 1 } })
    local values = interpret.run(program(), { T = 2 }, given)
    assert(#values.z == 6 and math.abs(values.y[3] - 2 * functions.of("tanh").value(given.x[3])) < 1e-15)
    local gather = program(function(p) p.value = { "read", { "x", grammar.looked_up(access("n", "t")),
        affine.of("j") } } end)
    given.n = { 1, 0 }
    assert(interpret.run(check(gather), { T = 2 }, given).y[1] == given.x[5])
    given.n = { 1, 2 }
    support.fails(function() interpret.run(gather, { T = 2 }, given) end, "x: index 1 is 2, outside of 0 .. 1")
    given.n = { 1 }
    support.fails(function() interpret.run(gather, { T = 2 }, given) end, "n has 1 values, not 2")
    -- Half of y is written; the checker does not see that, the interpreter does.
    local half = program(function(p) p.over[2][2] = 2 end)
    given.n = { 1, 0 }
    support.fails(function() interpret.run(check(half), { T = 2 }, given) end, "y is read where nothing was written")
end)

support.case("the dump", function()
    local text = dump.text(program())
    assert(text:find("y[t, j] = 2 * tanh(x[t, j])   for t in T, j in 4", 1, true), text)
    assert(text:find("z[t, i] = sum(k in 4) w[i, k] * y[t, k]   for t in T, i in 3", 1, true), text)
end)

-- ---- functions ----

local function value_of(tree, x)
    local values = interpret.run(check { name = "f", symbols = {}, buffers = { buffer("x", "argument", { #x }),
        buffer("y", "result", { 1 }) }, body = { statement { op = "map", over = {}, sets = { { access("y", 0),
            tree } } } } },
        {}, { x = x })
    return values.y[1]
end

local function file_text(path)
    local file <close> = assert(io.open(path))
    return file:read("a")
end

-- Templates with the functions of a network on whole vectors. A function of one operation is that of the preludes.
local templates = ""
for _, name in ipairs { "exact", "fast", "functions", "vector_portable", "vector_x86" } do
    templates = templates .. file_text("templates/" .. name .. ".c.t")
end

-- A row with a template: the template is there, with as many arguments, and it is said how exact it is.
local function check_vector(name, row)
    local listed = '{ "' .. name .. '", '
    local parameters = templates:match("@{inline} @{vec} @{vec}_" .. name .. "(%b())")
        or templates:match('define%("' .. name .. '", (%b{})')
        or templates:find(listed, 1, true) and "(a, b)"
    assert(parameters, "no template has it")
    assert(select(2, parameters:gsub(",", "")) == row.arity - 1, "its arguments")
    for _, operation in ipairs(row.vector.needs) do
        assert(templates:find("uses." .. operation, 1, true)
            or templates:find('{ "' .. operation .. '", ', 1, true), "no prelude has " .. operation)
    end
    for _, helper in ipairs(row.vector.helpers) do
        assert(templates:find("helpers." .. helper, 1, true) or helper == "fast", "no template has " .. helper)
    end
    assert((row.ulps ~= nil) ~= (row.bound ~= nil), "how exact it is")
    for _, target in ipairs(row.bound and targets.order or {}) do
        assert(tonumber(targets[target].fast[row.bound]) < 1e-5, "its bound for " .. target)
    end
end

for _, name in ipairs(functions.names()) do
    local row = functions.of(name)
    support.case("function " .. name, function()
        local rng, tree, leaves = support.rng(11), { name }, {}
        for i = 1, row.arity do
            leaves[i] = read("x", i - 1)
            tree[i + 1] = leaves[i]
        end
        assert((row.value ~= nil) ~= (row.means ~= nil), "a value or what it means")
        assert(#row.cost == 2 and (row.means or row.c and row.level), "its cost and C")
        assert(row.means or #row.derivative == row.arity, "a derivative by each argument")
        if row.vector then check_vector(name, row) end
        local least, most = expressions.range(tree)
        local simplified = expressions.simplified(tree)
        for _ = 1, 40 do
            local x = {}
            for i = 1, row.arity do x[i] = rng.number(3) end
            if name == "log" or name == "sqrt" then x[1] = math.abs(x[1]) + 0.1 end
            if name == "div" then x[2] = x[2] + (x[2] < 0 and -0.5 or 0.5) end
            local y = value_of(tree, x)
            assert(y >= least and y <= most, "its range")
            assert(value_of(expressions.expanded(tree), x) == y and value_of(simplified, x) == y)
            local found = {}
            expressions.adjoints(tree, 1, found)
            for i = 1, row.arity do
                local sum, h = 0, 1e-6
                for _, pair in ipairs(found) do
                    if expressions.access_key(pair[1]) == expressions.access_key(leaves[i][2]) then
                        sum = sum + value_of(pair[2], x)
                    end
                end
                local up, down = { table.unpack(x) }, { table.unpack(x) }
                up[i], down[i] = x[i] + h, x[i] - h
                local slope = (value_of(tree, up) - value_of(tree, down)) / (2 * h)
                assert(math.abs(sum - slope) <= 1e-7 * math.max(1, math.abs(slope)),
                    string.format("by argument %d: %g, not %g", i, sum, slope))
            end
        end
    end)
end

support.case("an unknown function is an error everywhere", function()
    local tree = { "hardtan", 1 }
    for _, ask in ipairs { expressions.cost, expressions.range, expressions.expanded } do
        support.fails(function() ask(tree) end, "no function hardtan")
    end
    support.fails(function() functions.of("hardtan") end, "no function hardtan")
    support.fails(function() expressions.adjoints(tree, 1, {}) end, "no function hardtan")
end)

-- ---- what generated code is made of ----

support.case("simplify leaves functions that have a template", function()
    local x, gate = { "state", "h" }, { "gate", "z" }
    local function is(tree, activation, want)
        local got = expressions.key(simplify.tree(tree, activation, "the row"))
        assert(got == want, got)
    end
    is({ "mul", { "sigmoid", gate }, x }, "exact", "(gated (gate z) (state h))")
    is({ "mul", { "sigmoid", gate }, x }, "fast", "(fast_gated (gate z) (state h))")
    is({ "mul", { "sigmoid", gate }, { "tanh", gate } }, "exact", "(gated_tanh (gate z) (gate z))")
    is({ "tanh", { "mul", { "sigmoid", gate }, x } }, "exact", "(tanh (gated (gate z) (state h)))")
    -- What a function means is computed where no template has it, and simplified in its turn.
    functions.rows.shut = { arity = 2, means = { "mul", { "sigmoid", { "arg", 2 } }, { "arg", 1 } }, cost = { 1, 17 } }
    is({ "tanh", { "shut", x, gate } }, "exact", "(tanh (gated (gate z) (state h)))")
    functions.rows.shut = nil
end)

support.case("a function that no template has is an error before any C", function()
    local function simplified(tree) return function() simplify.tree(tree, "exact", "the row") end end
    support.fails(simplified { "log", { "gate", "z" } }, "^the row: no template has a function log$")
    support.fails(simplified { "tanh", { "log", { "gate", "z" } } }, "no template has a function log")
    support.fails(simplified { "tahn", { "gate", "z" } }, "^the row: no function tahn$")
    support.fails(simplified { "add", { "gate", "z" } }, "^the row: add takes 2, not 1$")
end)

-- ---- expressions ----

support.case("rewrites", function()
    local x, y = read("x", 0), read("x", 1)
    for _, row in ipairs {
        { { "add", 0, x }, x }, { { "sub", x, 0 }, x }, { { "mul", 1, x }, x }, { { "mul", x, 0 }, 0 },
        { { "sub", 0, x }, { "neg", x } }, { { "add", x, { "neg", y } }, { "sub", x, y } }, { { "neg", { "neg", x } },
            x },
        { { "mul", { "add", 1, 2 }, { "sub", 3, 2 } }, 3 }, { { "add", { "mul", 0, y }, x }, x }, { { "div", x, 1 },
            x },
        { { "mul", -1, x }, { "neg", x } }, { { "mul", x, -1 }, { "neg", x } }, { { "tanh", 0 }, 0.0 },
    } do
        local got = expressions.key(expressions.simplified(row[1]))
        assert(got == expressions.key(row[2]), expressions.key(row[1]) .. " became " .. got)
    end
end)

support.case("sharing and let", function()
    local x = read("x", 0)
    local s = { "sigmoid", x }
    local locals, trees = expressions.shared({ { "mul", s, { "sub", 1, s } }, { "tanh", s } }, "v")
    assert(#locals == 1 and locals[1][1] == "v1" and expressions.key(locals[1][2]) == expressions.key(s))
    assert(expressions.key(trees[1]) == "(mul (local v1) (sub 1 (local v1)))", expressions.key(trees[1]))
    local let = { "let", "v", s, { "mul", { "local", "v" }, { "sub", 1, { "local", "v" } } } }
    local point = { 0.3 }
    assert(value_of(let, point) == value_of(expressions.expanded(let), point))
    local divisions, arithmetic = expressions.cost(let)
    assert(divisions == 1 and arithmetic == 19, divisions .. " " .. arithmetic)
    local found = {}
    expressions.adjoints(let, 1, found)
    assert(#found == 1, "a place that is read twice has one adjoint")
end)

support.finish()
