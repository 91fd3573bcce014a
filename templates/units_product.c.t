@ -- A product of the units kernel: its register tiles and the function that runs them.
@ -- p: the product; vec, lanes, inline, attribute: the target's; update(sums, names): C of the new states
@ assert(p.role == "step" or p.role == "input")
@ local stride = p.gates * p.width * lanes
@ local function sum(r, q, j, s) return format("%s%d_%d", p.sums[q + 1].name, r, j) .. (p.split > 1 and "_" .. s or "") end
@ -- A row stride is a parameter only where there is more than one row.
@ local function parameters(rows)
@     local list = {}
@     local function rowed(what, name) list[#list + 1] = what .. name .. (rows > 1 and format(", ptrdiff_t %s_row", name) or "") end
@     for _, t in ipairs(p.terms) do rowed(format("const float *w_%s, const float *", t.name), t.name) end
@     for _, name in ipairs(p.starts) do
@         if name == "gates" then rowed("const float *", name) else list[#list + 1] = "const float *" .. name end
@     end
@     for _, name in ipairs(p.own) do rowed("const float *", "own_" .. name) end
@     for _, name in ipairs(p.carried) do rowed("float *", name) end
@     rowed("float *RESTRICT ", "out")
@     return concat(list, ", ")
@ end
@ local function tile_name(rows, panel) return format("%s_%dx%d", p.fn, rows, panel.vectors) end
@ local function at(name, r, offset) return format("%s + %s%d", name, r > 0 and format("%d * %s_row + ", r, name) or "", offset) end
@ for _, panel in ipairs(p.panels) do
@ for _, tile in ipairs(p.rows) do

/* @{tile.rows} row(s) by @{panel.vectors} vector(s) of units@{p.split > 1 and format("; every sum is kept in %d parts, which shortens its chain of additions", p.split) or ""}. */
@{inline} void @{tile_name(tile.rows, panel)}(@{parameters(tile.rows)})
{
@ for r = 0, tile.rows - 1 do
@ for _, q in ipairs(p.sums) do
@ for j = 0, panel.vectors - 1 do
@ for s = 0, p.split - 1 do
@ if s > 0 or q.start == "zero" then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_splat(0.0f);
@ elseif q.start == "gates" then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_load(@{at("gates", r, q.offset + j * lanes)});
@ elseif r == 0 then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_load(@{q.start} + @{q.offset + j * lanes});
@ else
    @{vec} @{sum(r, q.index, j, s)} = @{sum(0, q.index, j, 0)};
@ end
@ end
@ end
@ end
@ end
@ for _, t in ipairs(p.terms) do
@ for index, piece in ipairs(t.pieces) do
@ local function columns(indent, k, count)
@ for c = 0, count - 1 do
@ local s = c % p.split
@{indent}{
@ if tile.rows > 1 then
@ for _, q in ipairs(p.sums) do
@ for j = 0, q.terms[t.name] and panel.vectors - 1 or -1 do
@{indent}    const @{vec} w@{q.index}_@{j} = @{vec}_load(w_@{t.name} + @{c * stride + (q.gate * p.width + j) * lanes});
@ end
@ end
@ end
@ for r = 0, tile.rows - 1 do
@{indent}    const @{vec} a@{r} = @{vec}_splat(@{t.name}[@{r > 0 and format("%d * %s_row + ", r, t.name) or ""}@{k}@{c + piece.offset}]);
@ for _, q in ipairs(p.sums) do
@ for j = 0, q.terms[t.name] and panel.vectors - 1 or -1 do
@ local w = tile.rows > 1 and format("w%d_%d", q.index, j) or format("%s_load(w_%s + %d)", vec, t.name, c * stride + (q.gate * p.width + j) * lanes)
@{indent}    @{sum(r, q.index, j, s)} = @{vec}_fma(a@{r}, @{w}, @{sum(r, q.index, j, s)});
@ end
@ end
@ end
@{indent}}
@ end
@ end
@ local rest, main = piece.count, piece.count // tile.unroll * tile.unroll
@ if main > tile.unroll then
    for (ptrdiff_t k = 0; k < @{main}; k += @{tile.unroll}) {
@ columns("        ", "k + ", tile.unroll)
        w_@{t.name} += @{tile.unroll * stride};
    }
@ rest = piece.count - main
@ columns("    ", format("%d + ", main), rest)
@ else
@ columns("    ", "", rest)
@ end
@ if rest > 0 and index < #t.pieces then
    w_@{t.name} += @{rest * stride};
@ end
@ end
@ end
@ local width = p.split
@ while width > 1 do
@ for r = 0, tile.rows - 1 do
@ for _, q in ipairs(p.sums) do
@ for j = 0, panel.vectors - 1 do
@ for s = 0, width // 2 - 1 do
    @{sum(r, q.index, j, s)} = @{vec}_add(@{sum(r, q.index, j, s)}, @{sum(r, q.index, j, s + width // 2)});
@ end
@ end
@ end
@ end
@ width = width // 2
@ end
@ for r = 0, tile.rows - 1 do
@ if p.role == "input" then
@ for _, q in ipairs(p.sums) do
@ for j = 0, panel.vectors - 1 do
    @{vec}_store(@{at("out", r, q.offset + j * lanes)}, @{sum(r, q.index, j, 0)});
@ end
@ end
@ else
@ for j = 0, panel.vectors - 1 do
@ local fetch = format("%s_load(%%s)", vec)
@ local lines = update {
@     suffix = format("%d_%d", r, j),
@     sum = function(index) return sum(r, index, j, 0) end,
@     gates = function(offset) return format(fetch, at("gates", r, offset + j * lanes)) end,
@     state = function(name) return format(fetch, name == "h" and at("own_h", r, j * lanes) or at(name, r, j * lanes)) end,
@     store = function(name) return name == "h" and at("out", r, j * lanes) or at(name, r, j * lanes) end,
@ }
@ for _, line in ipairs(lines) do
    @{line}
@ end
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
@ for _, name in ipairs(p.starts) do
@     if name == "gates" then rowed(name) else words[#words + 1] = name end
@ end
@ for _, name in ipairs(p.own) do rowed("own_" .. name) end
@ for _, name in ipairs(p.carried) do rowed(name) end
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
@ elseif p.rows[1].rows == 1 then
@{indent}for (ptrdiff_t r = 0; r < rows; ++r)
@ call(indent .. "    ", panel, 1, "r")
@ elseif #p.carried > 0 then
@ -- What is carried in place must not be computed twice.
@ local most = p.rows[1].rows
@{indent}ptrdiff_t r = 0;
@{indent}for (; r + @{most} <= rows; r += @{most})
@ call(indent .. "    ", panel, most, "r")
@{indent}for (; r < rows; ++r)
@ call(indent .. "    ", panel, 1, "r")
@ else
@ local most = p.rows[1].rows
@{indent}if (rows < @{most}) {
@{indent}    for (ptrdiff_t r = 0; r < rows; ++r)
@ call(indent .. "        ", panel, 1, "r")
@{indent}} else {
@{indent}    for (ptrdiff_t i = 0; i < rows; i += @{most}) {
@{indent}        const ptrdiff_t r = i + @{most} <= rows ? i : rows - @{most};
@ call(indent .. "        ", panel, most, "r")
@{indent}    }
@{indent}}
@ end
@ end

/* @{p.role == "input" and "gates = start + W x for `rows` rows of x." or #p.terms == 1 and p.terms[1].name == "x" and "A dense layer on `rows` rows of x." or "The new state of all rows from the old one."} */
@{attribute} void @{p.fn}(@{parameters(2)}@{p.exact and "" or ", ptrdiff_t rows"})
{
@ for i, panel in ipairs(p.panels) do
@ local last = i == #p.panels
@ local inner = panel.count > 1 and "        " or (p.exact or #p.panels == 1 or #p.carried == 0) and "    " or "        "
@ local function advance(indent)
@ for _, t in ipairs(p.terms) do
@ local count = 0
@ for _, piece in ipairs(t.pieces) do count = count + piece.count end
@{indent}w_@{t.name} += @{count * stride};
@ end
@ local moved = { "out" }
@ for _, name in ipairs(p.starts) do moved[#moved + 1] = name end
@ for _, name in ipairs(p.own) do moved[#moved + 1] = "own_" .. name end
@ for _, name in ipairs(p.carried) do moved[#moved + 1] = name end
@ for _, name in ipairs(moved) do
@{indent}@{name} += @{panel.vectors * lanes};
@ end
@ end
@ if panel.count > 1 then
    for (ptrdiff_t panel = 0; panel < @{panel.count}; ++panel) {
@ panel_rows(inner, panel)
@ advance(inner)
    }
@ else
@ if inner ~= "    " then
    {
@ end
@ panel_rows(inner, panel)
@ if not last then
@ advance(inner)
@ end
@ if inner ~= "    " then
    }
@ end
@ end
@ end
}
