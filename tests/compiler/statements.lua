-- emit/statements.lua by itself: expressions that are folded, programs that are checked, and how they print.
local support = require "tests.compiler.support"
local page = require "emit.lines"
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
    local first, second = declare("const int", { "a", "n + x" }, { "b", "a + 1" }), declare("const int", { "c", "b" })
    is(text { first, second, set "y = a" }, "const int a = n + x;\ny = a;\n")
    is(text { first, set "y = b" }, "const int a = n + x, b = a + 1;\ny = b;\n")
    local function loop(body) return count("int", "i", "n", { declare("const int", { "s", "x + 1" }), set(body) }) end
    is(text { loop "y = i", loop "y = s" }, [[
for (int i = 0; i < n; ++i)
    y = i;
for (int i = 0; i < n; ++i) {
    const int s = x + 1;
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
    support.fails(function() text { declare("float *", { "space", "x" }) } end, "space is declared and not read")
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

-- ---- what is decided when the program is made ----

case("constants take the places of their names", function()
    local one = declare("const size_t", { "b", "1" })
    is(text { one, declare("const ptrdiff_t", { "x_t", "(ptrdiff_t)b * 8" }), set "y = x + (ptrdiff_t)n * x_t" },
        "y = x + (ptrdiff_t)n * 8;\n")
    for before, after in pairs {
        ["x[(n + b) * (b + 2)]"] = "x[(n + 1) * 3]", ["n - (x - b)"] = "n - (x - 1)",
        ["n + b + 2"] = "n + 3", ["(b - 1) * n + x"] = "x", ["n / b + n % b"] = "n", ["(size_t)(b + 1)"] = "2",
        ["b == 1 ? n : x"] = "n", ["b > 1 ? n : x ? n : 2"] = "x ? n : 2", ["n && b < 1"] = "0",
        ["n && b"] = "n", ["b < 1 || n"] = "n", ["!b"] = "0", ["f(n, b)->p[b]"] = "f(n, 1)->p[1]",
        ["(b - 1) * f(n)"] = "0 * f(n)", ["b - 2"] = "1 - 2", ["n || x && b == x"] = "n || (x && 1 == x)",
        ["{ x, x + b }"] = "{ x, x + 1 }", ["b * 0.5f"] = "0.5f", ["n - b + 1"] = "n - 1 + 1",
    } do
        is(text { one, set("y = " .. before) }, "y = " .. after .. ";\n")
    end
end)

case("what is written to, or read by other text, stays", function()
    is(text { declare("const int", { "a", "n" }), set "n = 2", set "y = a" }, "const int a = n;\nn = 2;\ny = a;\n")
    is(text { declare("const int", { "a", "n" }), set "y = a" }, "y = n;\n")
    is(text { declare("float *const", { "a", "x + 8" }), set "y = a[n]" }, "y = (x + 8)[n];\n")
    is(text { declare("float *const", { "a", "x + 8" }), set "x = 0", set "y = a" },
        "float *const a = x + 8;\nx = 0;\ny = a;\n")
    is(text { declare("const int", { "a", "n" }), count("int", "n", 3, { set "y = a + n" }) },
        "const int a = n;\nfor (int n = 0; n < 3; ++n)\n    y = a + n;\n")
    is(text { declare("const int", { "a", "1" }), statements.text("int order = a;\n", { "order" }), set "y = order" },
        "const int a = 1;\nint order = a;\ny = order;\n")
    is(text { declare("const size_t", { "part", "n" }), statements.barrier() },
        "const size_t part = n;\nbarrier(team, part, parts, &passed);\n")
    -- An inner name is another one.
    is(text { declare("const int", { "a", "1" }), set "x = a", count("int", "a", "n", { set "y = a" }) },
        "const int a = 1;\nx = a;\nfor (int a = 0; a < n; ++a)\n    y = a;\n")
end)

case("loops of one trip, and branches that are always taken, are their bodies", function()
    is(text { count("int", "i", 1, { set "y = x[i + n]" }) }, "y = x[n];\n")
    is(text { count("int", "i", 3, { set "y = i" }, "3"), set "y = 0" }, "y = 0;\n")
    is(text { count("int", "i", 2, { set "y = i" }) }, "for (int i = 0; i < 2; ++i)\n    y = i;\n")
    is(text { count("int", "i", 1, { set "y = i" }, nil, "n") }, "if (n)\n    y = 0;\n")
    is(text { statements.loop(declare("int", { "i", "0" }), "i < 8", "i += 8", { set "y = i" }) }, "y = 0;\n")
    is(text { count("int", "i", 1, { when("n", { set "continue" }), set "y = i" }) },
        "for (int i = 0; i < 1; ++i) {\n    if (n)\n        continue;\n    y = i;\n}\n")
    is(text { count("int", "i", 1, { set "i = n" }) }, "for (int i = 0; i < 1; ++i)\n    i = n;\n")
    is(text { declare("const int", { "a", "1" }), when("a == 1", { set "y = 1" }, { set "y = 2" }) }, "y = 1;\n")
    is(text { declare("const int", { "a", "1" }), when("a == 2", { set "y = 1" }, { set "y = 2" }) }, "y = 2;\n")
    local function once(name)
        return count("int", "i", 1, { declare("int", { name, "n" }), set("y = " .. name), set(name .. " = 2") })
    end
    is(text { once "a", once "b" }, "int a = n;\ny = a;\na = 2;\nint b = n;\ny = b;\nb = 2;\n")
    local block = "{\n    int a = n;\n    y = a;\n    a = 2;\n}\n"
    is(text { once "a", once "a" }, block .. block)
    is(text { once "a", when("n", { once "a" }) }, block .. "if (n) {\n    int a = n;\n    y = a;\n    a = 2;\n}\n")
end)

-- ---- lines on the page ----

local long = ("a, "):rep(50)

case("an inline function of one statement is one line, if it fits", function()
    is(page.laid_out("INLINE_X int f(int a)\n{\n    return a;\n}\n"), "INLINE_X int f(int a) { return a; }\n")
    for _, whole in ipairs { "INLINE_X int f(int a)\n{\n    g(a);\n    return a;\n}\n",
                            "static int f(int a)\n{\n    return a;\n}\n",
                            "INLINE_X int f(int a)\n{\n    return a; /* as it is */\n}\n",
                            "INLINE_X int f(" .. ("int a, "):rep(13) .. "int b)\n{\n    return a;\n}\n" } do
        is(page.laid_out(whole), whole)
    end
end)

case("inline functions of one line follow each other", function()
    local function f(name) return "INLINE_X int " .. name .. "(int a)\n{\n    return a;\n}\n\n" end
    is(page.laid_out(f "f" .. f "g" .. "/* h */\n" .. f "h" .. "int x;\n"),
        "INLINE_X int f(int a) { return a; }\nINLINE_X int g(int a) { return a; }\n\n"
        .. "/* h */\nINLINE_X int h(int a) { return a; }\n\nint x;\n")
end)

case("lines fit, but for comments, the preprocessor and strings", function()
    for line in page.laid_out("    f(" .. long .. "b);\n"):gmatch("[^\n]+") do assert(#line <= 120, line) end
    for _, whole in ipairs { "/* " .. long .. "*/\n", "#error " .. long .. "\n", 'f("' .. long .. '");\n' } do
        is(page.laid_out(whole), whole)
    end
end)

case("no two empty lines behind each other", function() is(page.laid_out("a\n\n\n\nb\n"), "a\n\nb\n") end)

support.finish()
