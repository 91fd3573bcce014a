@ -- One chain of the units kernel over one chunk of time.
@ -- l: the layer; attribute: the target's; state: the states of a chain; gates_stride: floats between rows of
@ -- gates; in_turns: do members of a team take chunks of time in turns? shared: or have they panels of each product?
@ local P, stride, wide = state[1].width, state[1].stride, l.projection and state[#state]
@ local weight = { x = "w + " .. l.parts.input.offset }
@ local reset = l.reset and state[#state]
@ local step = l.step
@ local bias = { bias = l.parts.bias and "w + " .. l.parts.bias.offset, apart = l.parts.apart and "w + " .. l.parts.apart.offset }

/* Layer @{l.kind == "first" and "0" or "1 and above"}, one direction, `steps` steps for `rows` sequences.
 *   x      value k of sequence b at step t is x[t*x_t + b*x_b + k]
@ if l.hoisted then
 *   gates  (steps, rows, @{gates_stride}), filled here
@ end
 *   state  (rows, @{stride}): the state before, replaced by the state after@{#step.carried > 0 and format("; %s from %d on", step.carried[1], state[2].offset) or ""}
 *   seq    the output of sequence b after step t is written to seq[t*seq_t + b*seq_b ...]@{(in_turns or shared) and "" or " */"}
@ if in_turns then
 * The state is there when member `other` has posted `count` times; before NULL: it is there. */
@ elseif shared then
 * Part `part` of `parts` computes its own units; all have met when it returns, and part 0 has the state. */
@ end
@{attribute} void @{l.fn}(const float *w, const float *x, ptrdiff_t x_t, ptrdiff_t x_b, @{l.hoisted and "float *gates, " or ""}float *state, float *seq, ptrdiff_t seq_t, ptrdiff_t seq_b, ptrdiff_t steps, ptrdiff_t rows, int backward@{in_turns and ", const rnnc_team *before, size_t other, size_t count" or shared and ", const rnnc_team *team, size_t part, size_t parts, size_t *met" or ""})
{
@ if shared then
@ include("units_share.c", { l = l })
@ end
@ local function range(name) return shared and format(", %s_begin, %s_end", name, name) or "" end
@ if l.hoisted then
@ local start = bias[l.input.starts[1] or ""] and bias[l.input.starts[1]] .. ", " or ""
@ local function input(from, x_row, to, to_row, count)
@     return format("%s(%s, %s, %s, %s%s, %s, %s%s)", l.input.fn, weight.x, from, x_row, start, to, to_row, count, range("input"))
@ end
    if (x_t == rows * x_b) {
        @{input("x", "x_b", "gates", gates_stride, "steps * rows")};
    } else if (steps >= rows) {
        for (ptrdiff_t b = 0; b < rows; ++b)
            @{input("x + b * x_b", "x_t", format("gates + b * %d", gates_stride), format("rows * %d", gates_stride), "steps")};
    } else {
        for (ptrdiff_t t = 0; t < steps; ++t)
            @{input("x + t * x_t", "x_b", format("gates + t * rows * %d", gates_stride), gates_stride, "rows")};
    }
@ end
@ if in_turns then
    if (before) before->wait(before->context, other, count);
@ end
    const float *h = state;
    ptrdiff_t h_b = @{stride};
    for (ptrdiff_t s = 0; s < steps; ++s) {
        const ptrdiff_t t = backward ? steps - 1 - s : s;
@ local function place(part) return format("state + %d, %d", part.offset, part.stride) end
@ -- Calls a product of the step; to: C text of where its values go, with the floats from row to row.
@ local function call(product, to)
@ local words = {}
@ for _, t in ipairs(product.terms) do
@     local part = t.name == "reset" and l.parts.reset or product == l.reset and l.parts.before or l.parts.state
@     words[#words + 1] = t.name == "x" and format("%s, x + t * x_t, x_b", weight.x) or format("w + %d, %s", part.offset, t.name == "reset" and place(reset) or "h, h_b")
@ end
@ for _, name in ipairs(product.starts) do
@     words[#words + 1] = name == "gates" and format("gates + t * rows * %d, %d", gates_stride, gates_stride) or bias[name]
@ end
@ if product.per_unit then words[#words + 1] = format("w + %d", l.parts.vectors.offset) end
@ for _, name in ipairs(product.own) do words[#words + 1] = "h, h_b" end
@ for i, name in ipairs(product.carried) do words[#words + 1] = place(state[i + 1]) end
        @{product.fn}(@{concat(words, ", ")}, @{to}@{product.exact and "" or ", rows"}@{product.turns and ", s % 2 != 0" or ""}@{range("step")});
@ end
@ if reset then
@ call(l.reset, place(reset))
@ if shared then
        meet(team, part, parts, met);
@ end
@ end
@ call(step, wide and place(wide) or "seq + t * seq_t, seq_b")
@ if wide then
@ if shared then
        meet(team, part, parts, met);
@ end
        @{l.projection.fn}(w + @{l.parts.projection.offset}, state + @{wide.offset}, @{wide.stride}, seq + t * seq_t, seq_b, rows@{range("projection")});
@ end
@ if shared then
        meet(team, part, parts, met);
@ end
        h = seq + t * seq_t;
        h_b = seq_b;
    }
    for (ptrdiff_t b = 0; @{shared and "part == 0 && " or ""}b < rows; ++b)
        memcpy(state + b * @{stride}, h + b * h_b, @{P} * sizeof(float));
}
