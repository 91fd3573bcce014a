@ -- A step of the batch kernel: register tiles of some units by some vectors of sequences.
@ -- p: the product; vec, lanes, inline, attribute: the target's; update_text(sum): C text of the new state.
@ assert(p.role == "step" and p.gates == 1)
@ local function sum(r, v) return format("c%d_%d", r, v) end
@ local bias = p.start == "bias"
@ for _, tile in ipairs(p.rows) do

/* @{tile.rows} unit(s) by @{p.vectors} vector(s) of sequences. */
@{inline} void @{p.fn}_@{tile.rows}x@{p.vectors}(const float *w_x, const float *x, const float *w_h, const float *h, @{bias and "const float *bias, " or ""}float *RESTRICT out)
{
@ for r = 0, tile.rows - 1 do
@ for v = 0, p.vectors - 1 do
    @{vec} @{sum(r, v)} = @{v > 0 and sum(r, 0) or format("%s_splat(%s)", vec, bias and format("bias[%d]", r) or "0.0f")};
@ end
@ end
@ for _, t in ipairs(p.terms) do
    for (ptrdiff_t k = 0; k < @{t.count}; ++k) {
@ for v = 0, p.vectors - 1 do
        const @{vec} a@{v} = @{vec}_load(@{t.name} + @{v * lanes});
@ end
@ for r = 0, tile.rows - 1 do
        const @{vec} w@{r} = @{vec}_splat(w_@{t.name}[@{r}]);
@ for v = 0, p.vectors - 1 do
        @{sum(r, v)} = @{vec}_fma(w@{r}, a@{v}, @{sum(r, v)});
@ end
@ end
        @{t.name} += @{p.block};
        w_@{t.name} += @{p.height};
    }
@ end
@ for r = 0, tile.rows - 1 do
@ for v = 0, p.vectors - 1 do
    @{vec}_store(out + @{r * p.block + v * lanes}, @{update_text(function() return sum(r, v) end)});
@ end
@ end
}
@ end

/* The new state (units, @{p.block}) from x (@{p.terms[1].count}, @{p.block}) and the old state. */
@{attribute} void @{p.fn}(const float *w_x, const float *x, const float *w_h, const float *h, @{bias and "const float *bias, " or ""}float *RESTRICT out)
{
@ local from = 0
@ local function call(indent, rows, u)
@{indent}@{p.fn}_@{rows}x@{p.vectors}(w_x + @{u} * @{p.terms[1].count}, x, w_h + @{u} * @{p.terms[2].count}, h, @{bias and format("bias + %s, ", u) or ""}out + @{u} * @{p.block});
@ end
@ for _, tile in ipairs(p.rows) do
@ if tile.count > 1 then
    for (ptrdiff_t u = @{from}; u < @{from + tile.rows * tile.count}; u += @{tile.rows})
@ call("        ", tile.rows, "u")
@ else
@ call("    ", tile.rows, tostring(from))
@ end
@ from = from + tile.rows * tile.count
@ end
}
