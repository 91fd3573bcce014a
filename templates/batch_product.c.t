@ -- A step of the batch kernel: register tiles of some units by some vectors of sequences.
@ -- p: the product; vec, lanes, inline, attribute: the target's; update(names): C of the new states
@ -- With p.beside units in a row, lane b * beside + u of a vector has unit u of sequence b; the lines of the state and
@ -- of x are as long as that many units of the block.
@ assert(p.role == "step")
@ local function sum(r, q, v) return format("%s%d_%d", p.sums[q + 1].name, r, v) end
@ local list = {}
@ for i, t in ipairs(p.terms) do list[i] = format("const float *w_%s, const float *%s", t.name, t.name) end
@ for _, name in ipairs(p.starts) do list[#list + 1] = "const float *" .. name end
@ if p.per_unit then list[#list + 1] = "const float *per_unit" end
@ for _, name in ipairs(p.own) do list[#list + 1] = "const float *own_" .. name end
@ for _, name in ipairs(p.carried) do list[#list + 1] = "float *" .. name end
@ list[#list + 1] = "float *RESTRICT out"
@ local parameters = concat(list, ", ")
@ local beside, line = p.beside, p.block * p.beside
@ local splat = vec .. (beside > 1 and "_splat_group(%s + %d)" or "_splat(%s[%d])")
@ -- Multiply-adds of the next `columns` columns, at most `beside`.
@ local function fused(t, rows, columns)
@ local stride = t.gates * p.height
@ for v = 0, p.vectors - 1 do
        const @{vec} @{beside > 1 and "g" or "a"}@{v} = @{vec}_load(@{t.name} + @{v * lanes});
@ end
@ for i = 0, columns - 1 do
@ local tail = columns > 1 and "_" .. i or ""
@ if beside > 1 then
@ for v = 0, p.vectors - 1 do
        const @{vec} a@{v}@{tail} = @{vec}_spread_@{i}(g@{v});
@ end
@ end
@ for r = 0, rows - 1 do
@ for _, q in ipairs(p.sums) do
@ if q.terms[t.name] then
@ local weight = format(splat, "w_" .. t.name, i * stride + (q.gate - t.first) * p.height + r * beside)
@ if p.vectors > 1 then
        const @{vec} w@{r}@{q.name}@{tail} = @{weight};
@ weight = format("w%d%s%s", r, q.name, tail)
@ end
@ for v = 0, p.vectors - 1 do
        @{sum(r, q.index, v)} = @{vec}_fma(@{weight}, a@{v}@{tail}, @{sum(r, q.index, v)});
@ end
@ end
@ end
@ end
@ end
@ if p.prefetch > 0 then
@ for bytes = 0, 4 * columns * stride - 1, 64 do
        @{vec}_prefetch(w_@{t.name}, @{p.prefetch + bytes});
@ end
@ end
        @{t.name} += @{line};
        w_@{t.name} += @{columns * stride};
@ end
@ for _, tile in ipairs(p.rows) do

/* @{tile.rows} @{beside > 1 and format("groups of %d", beside) or "unit(s)"} by @{p.vectors} vector(s) of sequences. */
@{inline} void @{p.fn}_@{tile.rows}x@{p.vectors}(@{parameters})
{
@ for r = 0, tile.rows - 1 do
@ for _, q in ipairs(p.sums) do
@ for v = 0, p.vectors - 1 do
    @{vec} @{sum(r, q.index, v)} = @{v > 0 and sum(r, q.index, 0) or q.start == "zero" and vec .. "_splat(0.0f)" or format(splat, q.start, q.offset + r * beside)};
@ end
@ end
@ end
@ for _, t in ipairs(p.terms) do
@ for _, piece in ipairs(t.pieces) do
@ if piece.count >= beside then
    for (ptrdiff_t k = 0; k < @{piece.count // beside}; ++k) {
@ fused(t, tile.rows, beside)
    }
@ end
@ if piece.count % beside > 0 then
    {
@ fused(t, tile.rows, piece.count % beside)
    }
@ end
@ end
@ end
@ for r = 0, tile.rows - 1 do
@ for v = 0, p.vectors - 1 do
@ local fetch = format("%s_load(%%s + %d)", vec, r * line + v * lanes)
@ local lines = update {
@     suffix = format("%d_%d", r, v),
@     sum = function(index) return sum(r, index, v) end,
@     gates = function() assert(false, "the batch kernel has no gates buffer") end,
@     weight = function(offset) return format(splat, "per_unit", offset + r * beside) end,
@     state = function(name) return format(fetch, name == "h" and "own_h" or name) end,
@     store = function(name) return format("%s + %d", name == "h" and "out" or name, r * line + v * lanes) end,
@ }
@ for _, line in ipairs(lines) do
    @{line}
@ end
@ end
@ end
}
@ end

@ local what = format("%s (units, %d) from x (%d, %d)", #p.terms == 1 and "A dense layer" or p.reset and "The reset state" or "The new state", p.block, p.terms[1].columns, p.block)
@ if p.stepped then
/* @{what}, for steps that lie x_t and out_t apart. A tile's weights serve all of them. */
@{attribute} void @{p.fn}(const float *w_x, const float *x, ptrdiff_t x_t, @{#p.starts > 0 and "const float *bias, " or ""}float *RESTRICT out, ptrdiff_t out_t, ptrdiff_t steps)
@ else
/* @{what}@{#p.terms == 1 and "" or " and the old state"}. */
@{attribute} void @{p.fn}(@{parameters})
@ end
{
@ local from = 0
@ local step_of = p.stepped and { x = " + s * x_t", out = " + s * out_t" } or { x = "", out = "" }
@ local function call(indent, rows, u)
@ local words = {}
@ for i, t in ipairs(p.terms) do words[i] = format("w_%s + %s * %d, %s%s", t.name, u, t.gates * t.columns, t.name, step_of[t.name] or "") end
@ for _, name in ipairs(p.starts) do words[#words + 1] = name .. " + " .. u end
@ if p.per_unit then words[#words + 1] = "per_unit + " .. u end
@ for _, name in ipairs(p.own) do words[#words + 1] = format("own_%s + %s * %d", name, u, p.block) end
@ for _, name in ipairs(p.carried) do words[#words + 1] = format("%s + %s * %d", name, u, p.block) end
@ words[#words + 1] = format("out + %s * %d%s", u, p.block, step_of.out)
@ if p.stepped then
@{indent}for (ptrdiff_t s = 0; s < steps; ++s)
@ indent = indent .. "    "
@ end
@{indent}@{p.fn}_@{rows}x@{p.vectors}(@{concat(words, ", ")});
@ end
@ for _, tile in ipairs(p.rows) do
@ local high = tile.rows * beside
@ if tile.count > 1 then
    for (ptrdiff_t u = @{from}; u < @{from + high * tile.count}; u += @{high})
@ call("        ", tile.rows, "u")
@ else
@ call("    ", tile.rows, tostring(from))
@ end
@ from = from + high * tile.count
@ end
}
