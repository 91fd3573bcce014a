@ -- The rows whose sequence ends within the chunk, for a dense layer that runs once.
@ -- v: the variant; p: the plan; stage: the dense one; before: the one before it; from, from_t, from_b: C text of where
@ -- that left its output, and strides over steps and rows; first_part: in front of a condition, for one part alone
@ local units = v.kernel == "units"
@ if stage.last_state and before.reverse then
@ -- That direction ends at the first step. All sequences reach it together.
@ if units then
for (ptrdiff_t b = 0; @{first_part}t == 0 && b < rows; ++b)
    memcpy(ends + b * @{stage.input.row}, @{from} + b * @{from_b}, @{stage.input.row} * sizeof(float));
@ else
if (@{first_part}t == 0)
    memcpy(ends, @{from}, @{from_t} * sizeof(float));
@ end
@ elseif stage.last_state and before.sizes.D == 2 then
@ -- The forward half after the last step, the reverse half after the first one, where that direction ends.
@ local half = before.unit_stride * (units and 1 or v.block)
@ local row, next_row = units and format("b * %d", stage.input.row) or "0", units and format("b * %s", from_b) or "0"
for (ptrdiff_t b = 0; @{first_part}b < @{units and "rows" or "1"}; ++b) {
    if (@{p.lengths and "length[b]" or "seq_len"} == t + steps)
        memcpy(ends + @{row}, @{from} + (ptrdiff_t)(steps - 1) * @{from_t} + @{next_row}, @{half} * sizeof(float));
    if (t == 0)
        memcpy(ends + @{row} + @{half}, @{from} + @{next_row} + @{half}, @{half} * sizeof(float));
}
@ elseif p.lengths then
for (ptrdiff_t b = 0; @{first_part}b < rows; ++b)
    if (length[b] == t + steps)
        memcpy(ends + b * @{stage.input.row}, @{from} + (ptrdiff_t)(steps - 1) * @{from_t} + b * @{from_b}, @{stage.input.row} * sizeof(float));
@ else
if (@{first_part}t + steps == seq_len)
    memcpy(ends, @{from} + (ptrdiff_t)(steps - 1) * @{from_t}, @{(from_t:gsub("^%(ptrdiff_t%)", ""))} * sizeof(float));
@ end
