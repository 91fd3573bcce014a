@ -- NAME_process: a block of a stream, in pieces for which its state has room.
@ -- p: the plan; input: "x" or "tokens"; words: what `run` takes from it on; weights_expression, times: see emit.lua
@ local weights = p.built_in and "" or "const float *weights, "
@ local row_in, row_out, piece = p.batch * p.input, p.batch * p.output, p.stream.steps
@ local team = p.threads > 1 and ", NULL" or ""
@ local function values(type) return type .. input end

rnnc_status @{p.name}_process(@{weights}@{p.name}_state *state, size_t steps,
                              @{values(p.tokens and "const int32_t *" or "const float *")}, float *y)
{
@ if p.built_in then
    const float *const weights = @{weights_expression};
    if (!state || (steps > 0 && (!@{input} || !y))) return RNNC_ERR_ARGUMENT;
@ else
    if (!weights || !state || (steps > 0 && (!@{input} || !y))) return RNNC_ERR_ARGUMENT;
@ end
    if (steps > PTRDIFF_MAX / sizeof(float) / @{math.max(row_in, row_out)}) return RNNC_ERR_OVERFLOW;
    const uintptr_t x_begin = (uintptr_t)@{input}, x_end = x_begin + @{times("steps", row_in)} * sizeof *@{input};
    const uintptr_t y_begin = (uintptr_t)y, y_end = y_begin + @{times("steps", row_out)} * sizeof *y;
    if (@{p.in_place and "x_begin != y_begin && " or ""}x_begin < y_end && y_begin < x_end) return RNNC_ERR_ARGUMENT;
@ if p.tokens then
    for (size_t i = 0; i < @{times("steps", p.batch)}; ++i)
        if (tokens[i] < 0 || tokens[i] >= @{p.vocabulary}) return RNNC_ERR_ARGUMENT;
@ end
@ if piece == 1 then
    for (size_t t = 0; t < steps; ++t) {
        const rnnc_status status = run(weights, 1, @{words}, state->workspace@{team});
@ else
    for (size_t t = 0, count; t < steps; t += count) {
        count = steps - t < @{piece} ? steps - t : @{piece};
        const rnnc_status status = run(weights, count, @{words}, state->workspace@{team});
@ end
        if (status != RNNC_OK) return status;
        @{input} += @{piece == 1 and row_in or times("count", row_in)};
        y += @{piece == 1 and row_out or times("count", row_out)};
    }
    return RNNC_OK;
}
