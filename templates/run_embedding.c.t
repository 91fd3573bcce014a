@ -- The rows of the table that the tokens of a chunk name.
@ -- v: the variant; stage: the embedding; to, to_s: C text of where they go and of the stride over steps; sequence:
@ -- C text of the number of a row's sequence; first_part: in front of a condition, for one part alone
@ local units = v.kernel == "units"
for (ptrdiff_t s = 0; @{first_part}s < (ptrdiff_t)steps; ++s) {
@ if not units then
    if (rows < @{v.block}) memset(@{to} + s * @{to_s}, 0, @{to_s} * sizeof(float));
@ end
    for (ptrdiff_t b = 0; b < rows; ++b) {
@ local token = format("tokens[((ptrdiff_t)t + s) * x_t + %s * x_b]", sequence)
@ if stage.panel == 1 then
        const float *const entry = weights + @{stage.base} + (ptrdiff_t)@{token} * @{stage.width};
@ else
        /* A row of the panels of the dense layer that shares the table. */
        const ptrdiff_t token = @{token};
        const float *const entry = weights + @{stage.base} + token / @{stage.panel} * @{stage.panel * stage.width} + token % @{stage.panel};
@ end
@ local entry_i = stage.panel == 1 and "entry[i]" or format("entry[i * %d]", stage.panel)
@ if units and stage.panel > 1 then
        float *const to = @{to} + s * @{to_s} + b * @{stage.output.row};
        for (ptrdiff_t i = 0; i < @{stage.width}; ++i) to[i] = @{entry_i};
@ elseif units then
        memcpy(@{to} + s * @{to_s} + b * @{stage.output.row}, entry, @{stage.width} * sizeof(float));
@ else
        float *const column = @{to} + s * @{to_s} + b@{v.beside > 1 and format(" * %d", v.beside) or ""};
@ local place = v.beside > 1 and format("i / %d * %d + i %% %d", v.beside, v.beside * v.block, v.beside) or format("i * %d", v.block)
        for (ptrdiff_t i = 0; i < @{stage.width}; ++i) column[@{place}] = @{entry_i};
@ end
    }
}
