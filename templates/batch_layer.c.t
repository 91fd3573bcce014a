@ -- One chain of the batch kernel over one chunk of time.
@ -- l: the layer; attribute: the target's; block: sequences; state: the states of a chain;
@ -- in_turns: do members of a team take chunks of time in turns?
@ local step = l.step
@ local P, wide, reset = state[1].width, l.projection and state[#state], l.reset and format("state + %d", state[#state].offset)
@ -- The arguments of a product of the step but for the last one.
@ local function words(product)
@     local list = {}
@     for _, t in ipairs(product.terms) do
@         local part = t.name == "x" and l.parts.input or t.name == "reset" and l.parts.reset or product == l.reset and l.parts.before or l.parts.state
@         list[#list + 1] = format("w + %d, ", part.offset) .. (t.name == "x" and format("x + t * %d", l.input_row * block) or t.name == "reset" and reset or "h")
@     end
@     for _, name in ipairs(product.starts) do list[#list + 1] = format("w + %d", l.parts[name].offset) end
@     if product.per_unit then list[#list + 1] = format("w + %d", l.parts.vectors.offset) end
@     for _ in ipairs(product.own) do list[#list + 1] = "h" end
@     for i in ipairs(product.carried) do list[#list + 1] = format("state + %d", state[i + 1].offset) end
@     return concat(list, ", ")
@ end

/* Layer @{l.kind == "first" and "0" or "1 and above"}, one direction, `steps` steps for a block of @{block} sequences.
 *   x      (steps, @{l.input_row}, @{block})
 *   state  (@{P}, @{block}): the state before, replaced by the state after@{#step.carried > 0 and format("; then the same of %s", concat(step.carried, ", ")) or ""}
 *   seq    the output after step t is written to seq[t*seq_t ...] as (@{P}, @{block})@{in_turns and "" or " */"}
@ if in_turns then
 * The state is there when member `other` has posted `count` times; before NULL: it is there. */
@ end
@{attribute} void @{l.fn}(const float *w, const float *x, float *state, float *seq, ptrdiff_t seq_t, ptrdiff_t steps, int backward@{in_turns and ", const rnnc_team *before, size_t other, size_t count" or ""})
{
@ if in_turns then
    if (before) before->wait(before->context, other, count);
@ end
    const float *h = state;
    for (ptrdiff_t s = 0; s < steps; ++s) {
        const ptrdiff_t t = backward ? steps - 1 - s : s;
@ if reset then
        @{l.reset.fn}(@{words(l.reset)}, @{reset});
@ end
        @{step.fn}(@{words(step)}, @{wide and format("state + %d", wide.offset) or "seq + t * seq_t"});
@ if wide then
        @{l.projection.fn}(w + @{l.parts.projection.offset}, state + @{wide.offset}, seq + t * seq_t);
@ end
        h = seq + t * seq_t;
    }
    memcpy(state, h, @{state[1].stride * block} * sizeof(float));
}
