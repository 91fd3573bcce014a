@ -- What the last stage left goes out to y, for one step after the other or once.
@ -- v: the variant; p: the plan; from: C text of where a step's values begin; row: floats between two sequences;
@ -- column: C text of the first value of a row of y; width: values; rows, sequence: C text; by_turns: do the parts
@ -- take steps in turns? renewed: has a later chunk's x taken the place of this one's in `input`?
@ local units = v.kernel == "units"
@ local softmax = p.softmax == "softmax" or p.softmax == "log_softmax"
@ local finished = p.residual or softmax
@ local inner = once and "" or "    "
@ local at = once and "" or " + ((ptrdiff_t)t + s) * y_t"
@ -- Which values i of this part of a row one of x is added to, as C text; nil: to all.
@ local some = p.residual and p.residual < p.output and format("%si < %d", column ~= "" and column:sub(4) .. " + " or "", p.residual)
@ local added = format("i < %d%s", width, some and " && " .. some or "")
@ if not once then
for (ptrdiff_t s = @{by_turns and "(ptrdiff_t)part" or "0"}; s < (ptrdiff_t)steps; @{by_turns and "s += (ptrdiff_t)parts" or "++s"}) {
@ end
@ local from_x = format("x[((ptrdiff_t)t + s) * x_t + %s * x_b%s + i]", sequence, column)
@ -- x may be y, so it is read before y is written.
@ local early = p.residual and not units and not softmax
@ local place = v.beside > 1 and format("i / %d * %d + i %% %d + b * %d", v.beside, v.beside * v.block, v.beside, v.beside) or format("i * %d + b", v.block)
@ if early then
@{inner}for (ptrdiff_t b = 0; b < rows; ++b)
@{inner}    for (ptrdiff_t i = 0; @{added}; ++i) (@{from})[@{place}] += @{from_x};
@ elseif p.residual and not units then
@ -- A softmax is computed in y: of x there is what the first layer has read.
@ local kept = format("input + s * %d", v.input_row * v.block)
@ if renewed then
@{inner}transpose@{v.suffix}(x@{" + ((ptrdiff_t)t + s) * x_t + (ptrdiff_t)first * x_b"}, x_b, @{kept}, @{v.block}, rows, @{width});
@ end
@ from_x = format("(%s)[%s]", kept, place)
@ end
@ if not units then
@{inner}transpose@{v.beside > 1 and "_back" or ""}@{v.suffix}(@{from}, @{v.block}, y@{at} + (ptrdiff_t)first * y_b@{column}, y_b, @{width}, rows);
@ end
@ if units or finished and not early then
@{inner}for (ptrdiff_t b = 0; b < @{units and rows or "rows"}; ++b) {
@{inner}    float *const to = y@{at} + @{sequence} * y_b@{column};
@ if units and p.residual then
@{inner}    float *const value = @{from} + b * @{row};
@ if softmax then
@{inner}    @{p.softmax}@{v.suffix}(value, value);
@ end
@{inner}    for (ptrdiff_t i = 0; i < @{width}; ++i) to[i] = value[i] + @{some and format("(%s ? %s : 0.0f)", some, from_x) or from_x};
@ else
@ if softmax then
@{inner}    @{p.softmax}@{v.suffix}(@{units and format("%s + b * %s", from, row) or "to"}, to);
@ elseif units then
@{inner}    memcpy(to, @{from} + b * @{row}, @{width} * sizeof(float));
@ end
@ if p.residual then
@{inner}    for (ptrdiff_t i = 0; @{added}; ++i) to[i] += @{from_x};
@ end
@ end
@{inner}}
@ end
@ if not once then
}
@ end
