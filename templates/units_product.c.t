@ -- A product of the units kernel: its register tiles and the function that runs them.
@ -- p: the product; vec, lanes, inline, attribute: the target's; update(sums, names): C of the new states
@ assert(p.role == "step" or p.role == "input")
@ -- Floats of weights of a panel's column. Grouped gates lie group by group, each with all its columns.
@ -- A panel that lies in memory may be `stored` vectors wide and be read as several of `width`.
@ local function stride(t) return p.grouped and lanes or t.gates * p.stored * lanes end
@ local parts = p.stored // p.width
@ local function sum(r, q, j, s)
@     local name = p.grouped and format("group%d_%d", r, j * p.gates + q) or format("%s%d_%d", p.sums[q + 1].name, r, j)
@     return name .. (p.split > 1 and "_" .. s or "")
@ end
@ -- The sums of vector j of a panel that are there.
@ local function sums_of(panel, j)
@     local list = {}
@     for _, q in ipairs(p.sums) do
@         if not p.grouped or j * p.gates + q.index < panel.sums then list[#list + 1] = q end
@     end
@     return list
@ end
@ -- Where sum q of vector j lies in a row of gates and biases, and where its weights of the c-th column of a term are.
@ local function place(q, j) return p.grouped and (j * p.gates + q.index) * lanes or q.offset + j * lanes end
@ local function weight(t, q, j, c)
@     local first = p.grouped and (j * p.gates + q.index) * t.columns or (q.gate - t.first) * p.stored + j
@     return format("w_%s + %d", t.name, c * stride(t) + first * lanes)
@ end
@ -- The sums of a panel that a term adds to, as their weights of a column lie in memory: { sum, vector }.
@ local function weights_of(panel, t)
@     local list = {}
@     local function add(q, j)
@         if q.terms[t.name] then list[#list + 1] = { sum = q, vector = j } end
@     end
@     for j = 0, p.grouped and panel.vectors - 1 or -1 do
@         for _, q in ipairs(sums_of(panel, j)) do add(q, j) end
@     end
@     for _, q in ipairs(p.grouped and {} or p.sums) do
@         for j = 0, panel.vectors - 1 do add(q, j) end
@     end
@     return list
@ end
@ -- A row stride is a parameter only where there is more than one row.
@ local function parameters(rows)
@     local list = {}
@     local function rowed(what, name) list[#list + 1] = what .. name .. (rows > 1 and format(", ptrdiff_t %s_row", name) or "") end
@     for _, t in ipairs(p.terms) do rowed(format("const float *w_%s, const float *", t.name), t.name) end
@     for _, name in ipairs(p.starts) do
@         if name == "gates" then rowed("const float *", name) else list[#list + 1] = "const float *" .. name end
@     end
@     if p.per_unit then list[#list + 1] = "const float *per_unit" end
@     for _, name in ipairs(p.own) do rowed("const float *", "own_" .. name) end
@     for _, name in ipairs(p.carried) do rowed("float *", name) end
@     rowed("float *RESTRICT ", "out")
@     return concat(list, ", ")
@ end
@ local function tile_name(rows, panel) return format("%s_%dx%d", p.fn, rows, p.grouped and panel.sums or panel.vectors) end
@ local function at(name, r, offset) return format("%s + %s%d", name, r > 0 and format("%d * %s_row + ", r, name) or "", offset) end
@ for _, panel in ipairs(p.panels) do
@ for _, tile in ipairs(p.rows) do

/* @{tile.rows} row(s) by @{p.grouped and format("%d group(s) of units, all gates of %d each", panel.sums, lanes // p.gates) or format("%d vector(s) of units", panel.vectors)}@{p.split > 1 and format("; every sum in %d parts, which shortens its chain", p.split) or ""}. */
@{inline} void @{tile_name(tile.rows, panel)}(@{parameters(tile.rows)})
{
@ for r = 0, tile.rows - 1 do
@ for j = 0, panel.vectors - 1 do
@ for _, q in ipairs(sums_of(panel, j)) do
@ for s = 0, p.split - 1 do
@ if s > 0 or q.start == "zero" then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_splat(0.0f);
@ elseif q.start == "gates" then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_load(@{at("gates", r, place(q, j))});
@ elseif r == 0 then
    @{vec} @{sum(r, q.index, j, s)} = @{vec}_load(@{q.start} + @{place(q, j)});
@ else
    @{vec} @{sum(r, q.index, j, s)} = @{sum(0, q.index, j, 0)};
@ end
@ end
@ end
@ end
@ end
@ for _, t in ipairs(p.terms) do
@ for index, piece in ipairs(t.pieces) do
@ -- `alone`: the lines are a block of their own already.
@ local function columns(outer, k, count, alone)
@ local indent = alone and outer or outer .. "    "
@ for c = 0, count - 1 do
@ local s = c % p.split
@ if not alone then
@{outer}{
@ end
@ if tile.rows > 1 then
@ for _, of in ipairs(weights_of(panel, t)) do
@{indent}const @{vec} w@{of.sum.index}_@{of.vector} = @{vec}_load(@{weight(t, of.sum, of.vector, c)});
@ end
@ end
@ for r = 0, tile.rows - 1 do
@ local column = c + piece.offset > 0 and k .. (c + piece.offset) or k == "" and "0" or k:sub(1, -4)
@{indent}const @{vec} a@{r} = @{vec}_splat(@{t.name}[@{r > 0 and format("%d * %s_row + ", r, t.name) or ""}@{column}]);
@ for _, of in ipairs(weights_of(panel, t)) do
@ local to = sum(r, of.sum.index, of.vector, s)
@ if tile.rows > 1 then
@{indent}@{to} = @{vec}_fma(a@{r}, w@{of.sum.index}_@{of.vector}, @{to});
@ elseif p.in_order then
@{indent}@{to} = @{vec}_fma_next(a@{r}, @{weight(t, of.sum, of.vector, c)}, @{to});
@ else
@{indent}@{to} = @{vec}_fma(a@{r}, @{vec}_load(@{weight(t, of.sum, of.vector, c)}), @{to});
@ end
@ end
@ end
@ if not alone then
@{outer}}
@ end
@ end
@ end
@ local rest, main = piece.count, piece.count // tile.unroll * tile.unroll
@ if main > tile.unroll then
    for (ptrdiff_t k = 0; k < @{main}; k += @{tile.unroll}) {
@ columns("        ", "k + ", tile.unroll, tile.unroll == 1)
        w_@{t.name} += @{tile.unroll * stride(t)};
    }
@ rest = piece.count - main
@ columns("    ", format("%d + ", main), rest)
@ else
@ columns("    ", "", rest)
@ end
@ if rest > 0 and index < #t.pieces then
    w_@{t.name} += @{rest * stride(t)};
@ end
@ end
@ end
@ local width = p.split
@ while width > 1 do
@ for r = 0, tile.rows - 1 do
@ for j = 0, panel.vectors - 1 do
@ for _, q in ipairs(sums_of(panel, j)) do
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
@ for j = 0, panel.vectors - 1 do
@ for _, q in ipairs(sums_of(panel, j)) do
    @{vec}_store(@{at("out", r, place(q, j))}, @{sum(r, q.index, j, 0)});
@ end
@ end
@ else
@ for j = 0, panel.vectors - 1 do
@ local fetch = format("%s_load(%%s)", vec)
@ -- Floats one by one take turns with the text of one.
@ local turns = lanes == 1 and panel.vectors > 1 and #p.sums == 1
@ local function gate(index)
@     if turns then return format("sums%d[j]", r) end
@     return p.grouped and format("%s%d_%d", p.sums[index + 1].name, r, j) or sum(r, index, j, 0)
@ end
@ local function own(name, offset) return turns and at(name, r, offset) .. " + j" or at(name, r, offset + j * lanes) end
@ if p.grouped then
@ -- What is not there is doubled, so that all lanes hold values of the network.
@ local there, from, to = #sums_of(panel, j), {}, {}
@ for q = 0, (there > 2 and 4 or 2) - 1 do from[q + 1] = sum(r, q % there, j, 0) end
@ for q = 0, p.gates - 1 do to[q + 1] = gate(q) end
    @{vec} @{concat(to, ", ")};
    @{vec}_regroup@{there > 2 and "" or "_two"}(@{concat(from, ", ")}, &@{concat(to, ", &")});
@ end
@ local lines = update {
@     suffix = turns and tostring(r) or format("%d_%d", r, j),
@     sum = gate,
@     gates = function(offset) return format(fetch, own("gates", offset)) end,
@     weight = function(offset) return format(fetch, format("per_unit + %d", offset + j * lanes)) end,
@     state = function(name) return format(fetch, own(name == "h" and "own_h" or name, 0)) end,
@     store = function(name) return own(name == "h" and "out" or name, 0) end,
@ }
@ if turns and j == 0 then
@ local list = {}
@ for k = 0, panel.vectors - 1 do list[k + 1] = sum(r, 0, k, 0) end
    const @{vec} sums@{r}[] = { @{concat(list, ", ")} };
    for (ptrdiff_t j = 0; j < @{panel.vectors}; ++j) {
@ for _, line in ipairs(lines) do
        @{line}
@ end
    }
@ end
@ for _, line in ipairs(turns and {} or lines) do
    @{line}
@ end
@ end
@ end
@ end
}
@ end
@ end
@ -- A pointer at a panel, which is a number or the C text of one.
@ local function at_panel(name, panel, floats)
@     if panel == 0 then return name end
@     return format("%s + %s", name, math.tointeger(panel) and panel * floats or format("%s * %d", panel, floats))
@ end
@ -- The weights of a term of a panel.
@ local function weights_at(t, panel)
@     local name, floats = "w_" .. t.name, t.columns * t.gates * p.stored * lanes
@     if parts == 1 then return at_panel(name, panel, floats) end
@     if math.tointeger(panel) then return format("%s + %d", name, panel // parts * floats + panel % parts * p.width * lanes) end
@     return format("%s + %s / %d * %d + %s %% %d * %d", name, panel, parts, floats, panel, parts, p.width * lanes)
@ end
@ local function call(indent, panel, number, rows, r)
@ local words = {}
@ -- Row 0 too, which uses the stride: a parameter that is not used is a warning.
@ local function rowed_at(text, name) words[#words + 1] = format("%s + %s * %s_row", text, r, name) .. (rows > 1 and format(", %s_row", name) or "") end
@ local function rowed(name) rowed_at(name, name) end
@ local function unit(name, sums) return at_panel(name, number, p.width * (sums and p.grouped and p.gates or 1) * lanes) end
@ local function rowed_unit(name, sums) rowed_at(unit(name, sums), name) end
@ for _, t in ipairs(p.terms) do
@     words[#words + 1] = weights_at(t, number)
@     rowed(t.name)
@ end
@ for _, name in ipairs(p.starts) do
@     if name == "gates" then rowed_unit(name, true) else words[#words + 1] = unit(name, true) end
@ end
@ if p.per_unit then words[#words + 1] = unit("per_unit") end
@ for _, name in ipairs(p.own) do rowed_unit("own_" .. name) end
@ for _, name in ipairs(p.carried) do rowed_unit(name) end
@ rowed_unit("out", p.role == "input")
@{indent}@{tile_name(rows, panel)}(@{concat(words, ", ")});
@ end
@ local function panel_rows(indent, panel, number)
@ if p.exact then
@ local from = 0
@ for _, tile in ipairs(p.rows) do
@ if tile.count > 1 then
@{indent}for (ptrdiff_t r = @{from}; r < @{from + tile.rows * tile.count}; r += @{tile.rows})
@ call(indent .. "    ", panel, number, tile.rows, "r")
@ else
@ call(indent, panel, number, tile.rows, tostring(from))
@ end
@ from = from + tile.rows * tile.count
@ end
@ elseif p.rows[1].rows == 1 then
@{indent}for (ptrdiff_t r = 0; r < rows; ++r)
@ call(indent .. "    ", panel, number, 1, "r")
@ elseif #p.carried > 0 then
@ -- What is carried in place must not be computed twice.
@ local most = p.rows[1].rows
@{indent}ptrdiff_t r = 0;
@{indent}for (; r + @{most} <= rows; r += @{most})
@ call(indent .. "    ", panel, number, most, "r")
@{indent}for (; r < rows; ++r)
@ call(indent .. "    ", panel, number, 1, "r")
@ else
@ local most = p.rows[1].rows
@{indent}for (ptrdiff_t r = 0; rows < @{most} && r < rows; ++r)
@ call(indent .. "    ", panel, number, 1, "r")
@{indent}for (ptrdiff_t i = 0; rows >= @{most} && i < rows; i += @{most}) {
@{indent}    const ptrdiff_t r = i + @{most} <= rows ? i : rows - @{most};
@ call(indent .. "    ", panel, number, most, "r")
@{indent}}
@ end
@ end

/* @{p.role == "input" and "gates = start + W x for `rows` rows of x." or #p.terms == 1 and p.terms[1].name == "x" and "A dense layer on `rows` rows of x." or p.reset and "The reset state of all rows, of which the candidate's product is." or "The new state of all rows from the old one."}@{p.ranged and " Of panels begin .. end - 1." or ""}@{p.turns and "" or " */"}
@ if p.turns then
 * Odd steps go backwards: what was read last is still in the nearest cache. */
@ end
@{attribute} void @{p.fn}(@{parameters(2)}@{p.exact and "" or ", ptrdiff_t rows"}@{p.turns and ", int odd" or ""}@{p.ranged and ", ptrdiff_t begin, ptrdiff_t end" or ""})
{
@ local number = 0
@ for i, panel in ipairs(p.panels) do
@ if p.ranged and panel.count > 1 then
    const ptrdiff_t most = end < @{panel.count} ? end : @{panel.count};
    for (ptrdiff_t n = begin; n < most; ++n) {
        const ptrdiff_t panel = @{p.turns and "odd ? begin + most - 1 - n : n" or "n"};
@ panel_rows("        ", panel, "panel")
    }
@ elseif p.ranged then
    if (begin <= @{number} && end > @{number}) {
@ panel_rows("        ", panel, number)
    }
@ elseif panel.count > 1 then
@ if p.turns then
    for (ptrdiff_t n = 0; n < @{panel.count}; ++n) {
        const ptrdiff_t panel = odd ? @{panel.count - 1} - n : n;
@ else
    for (ptrdiff_t panel = 0; panel < @{panel.count}; ++panel) {
@ end
@ panel_rows("        ", panel, "panel")
    }
@ elseif p.exact or #p.panels == 1 or #p.carried == 0 then
@ panel_rows("    ", panel, number)
@ else
    {
@ panel_rows("        ", panel, number)
    }
@ end
@ number = number + panel.count
@ end
}
