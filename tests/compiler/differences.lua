-- compiler/host/difference.c by itself: what is an error, and of what size, by rows of a value, its reference and what
-- is told.
local support = require "tests.compiler.support"

-- value, reference, the error.
local errors <const> = {
    { "1", "1", "0" }, { "1", "1.5", "0.5" }, { "-1", "1", "2" }, { "0", "-0.0", "0" },
    { "NAN", "NAN", "0" }, { "NAN", "1", "INFINITY" }, { "1", "NAN", "INFINITY" }, { "NAN", "INFINITY", "INFINITY" },
    { "INFINITY", "INFINITY", "0" }, { "-INFINITY", "-INFINITY", "0" },
    { "INFINITY", "-INFINITY", "INFINITY" }, { "-INFINITY", "INFINITY", "INFINITY" },
    { "INFINITY", "1e39", "0" }, { "-INFINITY", "-1e39", "0" },
    { "INFINITY", "-1e39", "INFINITY" }, { "-INFINITY", "1e39", "INFINITY" },
    { "INFINITY", "3e38", "INFINITY" }, { "-INFINITY", "-3e38", "INFINITY" },
    { "1", "INFINITY", "INFINITY" }, { "FLT_MAX", "1e39", "1e39 - (double)FLT_MAX" },
}

-- Values, references; absolute, relative, ulp, largest.
local many <const> = {
    { "{0}", "{0}", "0, 0, 0, 0" },
    { "{1, 2}", "{1, 2}", "0, 0, 0, 2" },
    { "{1, -2.5F}", "{1, -2}", "0.5, 0.25, 0.5 / 0x1p-22, 2" },
    { "{0.5F, 2}", "{0.5 + 0x1p-24, 2}", "0x1p-24, 0x1p-24 / (0.5 + 0x1p-24), 1, 2" },
    -- What is near zero has no digits of its own, but is no infinity either.
    { "{0.0005F, 1}", "{0, 1}", "(double)0.0005F, 0, 0, 1" },
    { "{INFINITY, 1}", "{0, 1}", "INFINITY, INFINITY, INFINITY, 1" },
    { "{NAN, 1}", "{0, 1}", "INFINITY, INFINITY, INFINITY, 1" },
    { "{NAN, 1}", "{NAN, 1}", "0, 0, 0, 1" },
    { "{INFINITY, 1}", "{INFINITY, 1}", "0, 0, 0, 1" },
    { "{-INFINITY, 1}", "{INFINITY, 1}", "INFINITY, NAN, NAN, 1" },
}

local base = os.tmpname()
local source, program = base .. ".c", base .. ".out"

-- Exit code: the number of the first row that is wrong.
local out = { [[
#include "difference.h"
#include <float.h>
#include <math.h>
#include <string.h>
static int same(double a, double b) { return isnan(b) || a == b; }
int main(int count, char **words) {
    (void)words;
]] }
for i, row in ipairs(errors) do
    out[#out + 1] = string.format("    if (count == %d) return !(difference_error(%s, %s) == %s);\n", i, row[1], row[2],
        row[3])
end
for i, row in ipairs(many) do
    out[#out + 1] = string.format([[
    if (count == %d) {
        const float got[] = %s;
        const double reference[] = %s, wanted[] = {%s};
        const difference d = difference_of(sizeof got / sizeof *got, got, reference);
        return !(same(d.absolute, wanted[0]) && same(d.relative, wanted[1]) && same(d.ulp, wanted[2])
                 && same(d.largest, wanted[3]));
    }
]], #errors + i, row[1], row[2], row[3])
end
out[#out + 1] = "    return 1;\n}\n"
do
    local file <close> = assert(io.open(source, "w"))
    assert(file:write(table.concat(out)))
end
assert(os.execute(string.format("%s -std=c11 -Icompiler/host -o %s %s compiler/host/difference.c -lm",
    os.getenv("CC") or "cc", program, source)))
for i = 1, #errors + #many do
    local row = errors[i] or many[i - #errors]
    support.case(table.concat(row, " "), function()
        assert(os.execute(program .. (" x"):rep(i - 1)))
    end)
end
for _, path in ipairs { base, source, program } do os.remove(path) end
support.finish()
