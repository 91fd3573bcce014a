-- emit/statements.lua by itself: expressions that are folded, programs that are checked, and how they print.
local support = require "tests.compiler.support"
local statements = require "emit.statements"

local sum, times, declare, count = statements.sum, statements.times, statements.declare, statements.count
local set, when, call = statements.set, statements.when, statements.call
local case = support.case

local function is(got, want)
    if got ~= want then error(string.format("got\n%s\nwanted\n%s", got, want), 2) end
end

-- The C of a program with the parameters x, y, n, part, parts and team.
local function text(list)
    return statements.print(statements.program(list, { "x", "y", "n", "part", "parts", "team", "passed" }), "")
end

case("sums without what adds nothing", function()
    is(sum("a", 0, false, "b", nil, 3, "0"), "a + b + 3")
    is(sum(0, "0", false), "0")
    is(sum("a + 0"), "a + 0")
end)

case("products without what multiplies by 1", function()
    is(times("a", 1, "(b + 1)", "1"), "a * (b + 1)")
    is(times(1, "1"), "1")
    is(times("a", 0), "0")
    is(times("10", "a"), "10 * a")
end)

case("loops of one statement have no braces", function()
    is(text { count("int", "i", "n", { count("int", "j", 3, { set "y[i] = x[j]" }) }) }, [[
for (int i = 0; i < n; ++i)
    for (int j = 0; j < 3; ++j)
        y[i] = x[j];
]])
    is(text { count("int", "i", 4, { set "y[i] = 0", when("n", { set "x[i] = 1" }) }, "1", "part == 0") }, [[
for (int i = 1; part == 0 && i < 4; ++i) {
    y[i] = 0;
    if (n)
        x[i] = 1;
}
]])
end)

case("an else belongs to its if", function()
    is(text { count("int", "i", "n", { when("x", { set "y[i] = 1" }, { set "y[i] = 2" }) }) }, [[
for (int i = 0; i < n; ++i) {
    if (x)
        y[i] = 1;
    else
        y[i] = 2;
}
]])
    local third = count("int", "i", "n", { call("f", "i") })
    is(text { when("x", { set "y = 1" }, { when("n", { set "y = 2" }, { third }) }) }, [[
if (x) {
    y = 1;
} else if (n) {
    y = 2;
} else {
    for (int i = 0; i < n; ++i)
        f(i);
}
]])
end)

case("constants that nothing reads are left out, and what only they read", function()
    local first, second = declare("const int", { "a", "n" }, { "b", "a + 1" }), declare("const int", { "c", "b" })
    is(text { first, second, set "y = a" }, "const int a = n;\ny = a;\n")
    is(text { first, set "y = b" }, "const int a = n, b = a + 1;\ny = b;\n")
    local function loop(body) return count("int", "i", "n", { declare("const int", { "s", "x" }), set(body) }) end
    is(text { loop "y = i", loop "y = s" }, [[
for (int i = 0; i < n; ++i)
    y = i;
for (int i = 0; i < n; ++i) {
    const int s = x;
    y = s;
}
]])
    is(text { { {}, false, { set "y = 0" } }, when("x", {}), count("int", "i", "n", { false }) }, "y = 0;\n")
end)

case("pointers, arrays, copies and comments", function()
    is(text { declare("float *const", { "between", "{ x, y }", "[]" }), declare("float *", { "space", "x" }),
              statements.comment "One.\nTwo.", statements.copy("space", "between[0]", 3),
              statements.zero("y", "n") }, [[
float *const between[] = { x, y };
float *space = x;
/* One.
 * Two. */
memcpy(space, between[0], 3 * sizeof(float));
memset(y, 0, n * sizeof(float));
]])
end)

case("lines of at most 120 columns", function()
    local words = {}
    for i = 1, 40 do words[i] = "x[" .. i * 1000 .. "]" end
    for line in text({ when("n", { call("f", table.unpack(words)) }) }):gmatch("[^\n]+") do
        assert(#line <= 120, line)
    end
    local lines = text { set("y = " .. string.rep("x[1000] * n + ", 20) .. "1") }
    for line in lines:gmatch("[^\n]+") do assert(#line <= 120, line) end
    is(lines:gsub("%s+", ""), (("y = " .. string.rep("x[1000] * n + ", 20) .. "1;"):gsub("%s+", "")))
end)

case("names are declared before they are read, once, and read", function()
    support.fails(function() text { set "y = z" } end, "z is read and not declared")
    support.fails(function() text { when("n", { declare("int", { "i", "0" }), set "y = i" }), set "y = i" } end,
        "i is read and not declared")
    support.fails(function() text { declare("int", { "i" }), declare("int", { "i" }), set "y = i" } end,
        "i is declared twice")
    support.fails(function() text { declare("float *const", { "space", "x" }) } end, "space is declared and not read")
    support.fails(function() text { set "y = n", set "before->post(x)" } end, "before is read and not declared")
    is(text { set "y = team->count + f(0x10u, 1.0f, sizeof(float))" },
        "y = team->count + f(0x10u, 1.0f, sizeof(float));\n")
    -- Inner names may be those of outer ones.
    is(text { declare("int", { "i", "n" }), count("int", "i", "n", { set "y = i" }), set "y = i" },
        "int i = n;\nfor (int i = 0; i < n; ++i)\n    y = i;\ny = i;\n")
end)

case("text of a template declares names for those behind it", function()
    is(text { statements.text("int order = n;\n", { "order" }), set "y = order" }, "int order = n;\ny = order;\n")
    support.fails(function() text { statements.text("int order;\n", { "order" }) } end,
        "order is declared and not read")
end)

case("all parts come to a barrier", function()
    is(text { when("parts > 1", { statements.barrier() }), statements.post() },
        "if (parts > 1)\n    barrier(team, part, parts, &passed);\n"
        .. "if (parts > 1) team->post(team->context, part);\n")
    local words = "a barrier that some parts do not come to"
    support.fails(function() text { when("part == 0", { when("n", { statements.barrier() }) }) } end, words)
    support.fails(function() text { when("part == 0", { set "y = 0" }, { statements.barrier() }) } end, words)
    support.fails(function()
        text { statements.loop(declare("int", { "d", "part" }), "d < 2", "d += parts", { statements.barrier() }) }
    end, words)
end)

support.finish()
