@ -- A product of the units kernel: its register tiles and the function that runs them.
@ -- p: the product; vec, lanes, inline, attribute: the target's; finish_row(r, j): C text of the new state.
@ assert(p.role == "step" or p.role == "input")
@ local stride = p.gates * p.width * lanes
@ local function sum(r, v, s) return format("c%d_%d_%d", r, v, s) end
@ -- A row stride is a parameter only where there is more than one row.
@ local function parameters(rows)
@     local list = {}
@     local function rowed(what, name) list[#list + 1] = what .. name .. (rows > 1 and format(", ptrdiff_t %s_row", name) or "") end
@     for _, t in ipairs(p.terms) do rowed(format("const float *w_%s, const float *", t.name), t.name) end
@     if p.start == "bias" then list[#list + 1] = "const float *bias" end
@     if p.start == "gates" then rowed("const float *", "gates") end
@     rowed("float *RESTRICT ", "out")
@     return concat(list, ", ")
@ end
@ local function tile_name(rows, panel) return format("%s_%dx%d", p.fn, rows, panel.vectors) end
@ for _, panel in ipairs(p.panels) do
@ for _, tile in ipairs(p.rows) do
@ local vectors = panel.vectors * p.gates
@ local function at(v) return (v // panel.vectors) * p.width * lanes + (v % panel.vectors) * lanes end
@ local function unit(v) return (v // panel.vectors) * p.unit_stride + (v % panel.vectors) * lanes end

/* @{tile.rows} row(s) by @{panel.vectors} vector(s) of units@{p.split > 1 and format("; every sum is kept in %d parts, which shortens its chain of additions", p.split) or ""}. */
@{inline} void @{tile_name(tile.rows, panel)}(@{parameters(tile.rows)})
{
@ for r = 0, tile.rows - 1 do
@ for v = 0, vectors - 1 do
@ for s = 0, p.split - 1 do
@ if s > 0 or p.start == "zero" then
    @{vec} @{sum(r, v, s)} = @{vec}_splat(0.0f);
@ elseif p.start == "bias" then
    @{vec} @{sum(r, v, s)} = @{r == 0 and format("%s_load(bias + %d)", vec, unit(v)) or sum(0, v, 0)};
@ else
    @{vec} @{sum(r, v, s)} = @{vec}_load(gates + @{r == 0 and "" or format("%d * gates_row + ", r)}@{unit(v)});
@ end
@ end
@ end
@ end
@ for _, t in ipairs(p.terms) do
@ for index, piece in ipairs(t.pieces) do
@ local function columns(indent, k, count)
@ for j = 0, count - 1 do
@ local s = j % p.split
@{indent}{
@ if tile.rows > 1 then
@ for v = 0, vectors - 1 do
@{indent}    const @{vec} w@{v} = @{vec}_load(w_@{t.name} + @{j * stride + at(v)});
@ end
@ end
@ for r = 0, tile.rows - 1 do
@{indent}    const @{vec} a@{r} = @{vec}_splat(@{t.name}[@{r > 0 and format("%d * %s_row + ", r, t.name) or ""}@{k}@{j + piece.offset}]);
@ for v = 0, vectors - 1 do
@ local w = tile.rows > 1 and "w" .. v or format("%s_load(w_%s + %d)", vec, t.name, j * stride + at(v))
@{indent}    @{sum(r, v, s)} = @{vec}_fma(a@{r}, @{w}, @{sum(r, v, s)});
@ end
@ end
@{indent}}
@ end
@ end
@ if piece.main > piece.unroll then
    for (ptrdiff_t k = 0; k < @{piece.main}; k += @{piece.unroll}) {
@ columns("        ", "k + ", piece.unroll)
        w_@{t.name} += @{piece.unroll * stride};
    }
@ columns("    ", format("%d + ", piece.main), piece.count - piece.main)
@ else
@ columns("    ", "", piece.count)
@ end
@ local rest = piece.main > piece.unroll and piece.count - piece.main or piece.count
@ if rest > 0 and index < #t.pieces then
    w_@{t.name} += @{rest * stride};
@ end
@ end
@ end
@ local width = p.split
@ while width > 1 do
@ for r = 0, tile.rows - 1 do
@ for v = 0, vectors - 1 do
@ for s = 0, width // 2 - 1 do
    @{sum(r, v, s)} = @{vec}_add(@{sum(r, v, s)}, @{sum(r, v, s + width // 2)});
@ end
@ end
@ end
@ width = width // 2
@ end
@ for r = 0, tile.rows - 1 do
@ if p.finish == "store" then
@ for v = 0, vectors - 1 do
    @{vec}_store(out + @{r > 0 and format("%d * out_row + ", r) or ""}@{unit(v)}, @{sum(r, v, 0)});
@ end
@ else
@ for j = 0, panel.vectors - 1 do
    @{vec}_store(out + @{r > 0 and format("%d * out_row + ", r) or ""}@{j * lanes}, @{update_text(function(g) return sum(r, g * panel.vectors + j, 0) end)});
@ end
@ end
@ end
}
@ end
@ end
@ local function call(indent, panel, rows, r)
@ local words = {}
@ local function rowed(name) words[#words + 1] = format("%s + %s * %s_row", name, r, name) .. (rows > 1 and format(", %s_row", name) or "") end
@ for _, t in ipairs(p.terms) do
@     words[#words + 1] = "w_" .. t.name
@     rowed(t.name)
@ end
@ if p.start == "bias" then words[#words + 1] = "bias" end
@ if p.start == "gates" then rowed("gates") end
@ rowed("out")
@{indent}@{tile_name(rows, panel)}(@{concat(words, ", ")});
@ end
@ local function panel_rows(indent, panel)
@ if p.exact then
@ local from = 0
@ for _, tile in ipairs(p.rows) do
@ if tile.count > 1 then
@{indent}for (ptrdiff_t r = @{from}; r < @{from + tile.rows * tile.count}; r += @{tile.rows})
@ call(indent .. "    ", panel, tile.rows, "r")
@ else
@ call(indent, panel, tile.rows, tostring(from))
@ end
@ from = from + tile.rows * tile.count
@ end
@ else
@ local most = p.rows[1].rows
@ if most > 1 then
@{indent}if (rows < @{most}) {
@{indent}    for (ptrdiff_t r = 0; r < rows; ++r)
@ call(indent .. "        ", panel, 1, "r")
@{indent}} else {
@{indent}    for (ptrdiff_t i = 0; i < rows; i += @{most}) {
@{indent}        const ptrdiff_t r = i + @{most} <= rows ? i : rows - @{most};
@ call(indent .. "        ", panel, most, "r")
@{indent}    }
@{indent}}
@ else
@{indent}for (ptrdiff_t r = 0; r < rows; ++r)
@ call(indent .. "    ", panel, 1, "r")
@ end
@ end
@ end

/* @{p.role == "input" and "gates = start + W x for `rows` rows of x." or "The new state of all rows from the old one."} */
@{attribute} void @{p.fn}(@{parameters(2)}@{p.exact and "" or ", ptrdiff_t rows"})
{
@ for i, panel in ipairs(p.panels) do
@ local last = i == #p.panels
@ local function advance(indent)
@ for _, t in ipairs(p.terms) do
@ local count = 0
@ for _, piece in ipairs(t.pieces) do count = count + piece.count end
@{indent}w_@{t.name} += @{count * stride};
@ end
@ if p.start == "bias" then
@{indent}bias += @{panel.vectors * lanes};
@ elseif p.start == "gates" then
@{indent}gates += @{panel.vectors * lanes};
@ end
@{indent}out += @{panel.vectors * lanes};
@ end
@ if panel.count > 1 then
    for (ptrdiff_t panel = 0; panel < @{panel.count}; ++panel) {
@ panel_rows("        ", panel)
@ advance("        ")
    }
@ else
@ panel_rows("    ", panel)
@ if not last then
@ advance("    ")
@ end
@ end
@ end
}
