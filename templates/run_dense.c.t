@ -- A dense layer on all steps of a chunk, whose weights are read once for all of them, or once on the ends of the
@ -- sequences.
@ -- v: the variant; p: the plan; stage: the dense one; from, from_t, from_b: C text of where its input lies, and strides
@ -- over steps and rows; to, to_t, to_b: the same of its output; once; rows: C text of their number; parted: has each
@ -- part some of the panels?
@ local product, block = stage.product, v.block
@ local weights = format("weights + %d", stage.base)
@ local bias = stage.parts.bias and format(", weights + %d", stage.base + stage.parts.bias.offset) or ""
@ if v.kernel == "batch" then
@{product.fn}(@{weights}, @{from}, @{once and "0" or from_t}@{bias}, @{to}, @{once and "0" or to_t}, @{once and "1" or "(ptrdiff_t)steps"});
@ else
@ local panels = 0
@ for _, panel in ipairs(product.panels) do panels = panels + panel.count end
@ local function bound(at) return once and tostring(at) or format("(ptrdiff_t)(%d * %s / parts)", panels, at == 0 and "part" or "(part + 1)") end
@ local range = parted and format(", %s, %s", bound(0), once and panels or bound(1)) or ""
@ local function call(x, x_row, out, out_row, count)
@     return format("%s(%s, %s, %s%s, %s, %s, %s%s)", product.fn, weights, x, x_row, bias, out, out_row, count, range)
@ end
@ -- Rows of one step after the other lie as those of one step do where a block is full.
@ local full = not p.lengths and p.batch ~= "any" and p.batch % block == 0 or block == 1
@ local conditions = {}
@ if not full then conditions[1] = p.batch == "any" and "rows == (ptrdiff_t)held" or "rows == " .. block end
@ if v.schedule.direct and stage.last then conditions[#conditions + 1] = "y_t == rows * y_b" end
@ if not stage.input and from ~= "input" then conditions[#conditions + 1] = "x_t == rows * x_b" end
@ if once then
@{call(from, from_b, to, to_b, rows)};
@ elseif #conditions == 0 then
@{call(from, from_b, to, to_b, "(ptrdiff_t)steps * rows")};
@ else
if (@{concat(conditions, " && ")}) {
    @{call(from, from_b, to, to_b, "(ptrdiff_t)steps * rows")};
} else if ((ptrdiff_t)steps >= rows) {
    for (ptrdiff_t b = 0; b < rows; ++b)
        @{call(format("%s + b * %s", from, from_b), from_t, format("%s + b * %s", to, to_b), to_t, "(ptrdiff_t)steps")};
} else {
    for (ptrdiff_t s = 0; s < (ptrdiff_t)steps; ++s)
        @{call(format("%s + s * %s", from, from_t), from_b, format("%s + s * %s", to, to_t), to_b, "rows")};
}
@ end
@ end
