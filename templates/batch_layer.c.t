@ -- One chain of the batch kernel over one chunk of time.
@ -- l: the layer; attribute: the target's; H, block: units and sequences

/* Layer @{l.kind == "first" and "0" or "1 and above"}, one direction, `steps` steps for a block of @{block} sequences.
 *   x      (steps, @{l.columns}, @{block})
 *   state  (@{H}, @{block}): the state before, replaced by the state after
 *   seq    the state after step t is written to seq[t*seq_t ...] as (@{H}, @{block}) */
@{attribute} void @{l.fn}(const float *w, const float *x, float *state, float *seq, ptrdiff_t seq_t, ptrdiff_t steps, int backward)
{
    const float *h = state;
    for (ptrdiff_t s = 0; s < steps; ++s) {
        const ptrdiff_t t = backward ? steps - 1 - s : s;
        @{l.step.fn}(w + @{l.parts.input.offset}, x + t * @{l.columns * block}, w + @{l.parts.state.offset}, h, @{l.step.start == "bias" and format("w + %d, ", l.parts.bias.offset) or ""}seq + t * seq_t);
        h = seq + t * seq_t;
    }
    memcpy(state, h, @{H * block} * sizeof(float));
}
