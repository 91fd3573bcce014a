@ -- A function of what a stage left for the steps of a chunk, or once for each sequence.
@ -- v: the variant; stage: the function's; from, from_t, to, to_t: C text of where its input and its output lie, rows
@ -- without gaps, and strides over steps; once; rows: C text of their number; first_part: in front of a condition, for
@ -- one part alone
@ local count = v.kernel == "units" and format("%s * %d", rows, stage.output.row) or tostring(v.block * stage.output.row)
@ if once then
@{stage.map.fn}(@{from}, @{to}, @{count});
@ else
for (ptrdiff_t s = 0; @{first_part}s < (ptrdiff_t)steps; ++s)
    @{stage.map.fn}(@{from} + s * @{from_t}, @{to} + s * @{to_t}, @{count});
@ end
