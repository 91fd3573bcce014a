@ -- The whole network on one target: blocks of the batch, chunks of time, stages, layers, directions.
@ -- v: the variant; p: the plan; run_parameters: those of the function
@ local units, space = v.kernel == "units", v.workspace
@ local stages, last = v.stages, v.stages[#v.stages]
@ local by_stage = v.schedule.outer == "stages"
@ local long = v.schedule.slots == "steps"
@ local imported = not units or p.lengths
@ -- How a team shares a call, see passes/divide.lua: members have slices of the batch, or parts of a slice's work.
@ local sliced = v.division.slices_from > 0
@ local kind = v.division.kind
@ local by_direction, by_chunk, by_panel = kind == "directions", kind == "chunks", kind == "panels"
@ local parted = by_direction or by_chunk or by_panel
@ local meets = meets(v)
@ local words = by_chunk or meets
@ -- Parts that go their own ways for a while have what is as long as a chunk for themselves.
@ local apart = by_direction or by_chunk
@ local several = p.batch ~= "any" and p.batch > v.block
@ -- C text in front of the condition of a loop that one part alone runs.
@ local function alone(condition) return parted and condition .. " && " or "" end
@ local I, O = p.input, p.output
@ local function strides(width, one_step)
@     if one_step then return "0", tostring(width) end
@     if p.batch_first then return tostring(width), format("(ptrdiff_t)seq_len * %d", width) end
@     return format("(ptrdiff_t)batch * %d", width), tostring(width)
@ end
@ local x_t, x_b = strides(I)
@ local y_t, y_b = strides(O, p.last_step)
@ local sequence = p.lengths and "order[b]" or "((ptrdiff_t)first + b)"
@ -- Of an unknown batch the workspace has room for `held` sequences, those of a block or all of the call.
@ local growing = p.batch == "any"
@ -- C text of floats of the workspace, n for a block or for each sequence that is held, and so many more.
@ local function floats(n, more)
@     if not growing or n == 0 then return tostring(n + (more or 0)) end
@     return format("held * %d", n) .. ((more or 0) > 0 and format(" + %d", more) or "")
@ end
@ -- The same as a signed number of rows of so many floats.
@ local function row_stride(row) return growing and format("(ptrdiff_t)held * %d", row) or tostring(v.block * row) end
@ local function step_of(stage) return row_stride(stage.output.row) end
@ local span = growing and "room * held" or "room"

@ if by_stage then
/* Runs the network for @{v.target}. Sequences go through in blocks of at most @{v.block}.
 * A layer needs the whole sequence of what is below it, so stages follow each other.
@ else
/* Runs the network for @{v.target}. Sequences go through in blocks of at most @{v.block}; every
 * stage runs a chunk of at most @{v.chunk} steps before the next chunk begins.
@ end
@ if sliced or parted then
 * Member `member` of `members` does its share of it.
@ end
 */
@{v.attribute} void run@{v.suffix}(@{run_parameters}@{words and ", const rnnc_team *team" or ""}@{(sliced or parted) and ", size_t member, size_t members" or ""})
{
    const ptrdiff_t x_t = @{x_t}, x_b = @{x_b};
    const ptrdiff_t @{p.last_step and "" or format("y_t = %s, ", y_t)}y_b = @{y_b};
@ local between = v.schedule.between
@ if space.gates + space.input > 0 or between > 0 and space.top > 0 or between > 1 and not long or sliced or apart then
    const size_t room = seq_len < @{v.chunk} ? seq_len : @{v.chunk};
@ end
@ if growing then
    const size_t held = batch < @{v.block} ? batch : @{v.block};
@ end
@ if sliced or parted then
@ include("run_share.c", { v = v, p = p, sliced = sliced, parted = parted, by_chunk = by_chunk, meets = meets })
@ end
@ include("run_space.c", { v = v, apart = apart, long = long, growing = growing, span = span, floats = floats })
@ local final = sliced and "end" or "batch"
    for (size_t first = @{sliced and "begin" or "0"}; first < @{final}; first += @{v.block}) {
        const ptrdiff_t @{p.lengths and "all" or "rows"} = (ptrdiff_t)(@{final} - first < @{v.block} ? @{final} - first : @{v.block});
@ if p.lengths then
@ include("run_order.c", { block = v.block })
@ end
@ local all = p.lengths and "all" or "rows"
@ local finisher = by_chunk and "last" or "part == 0"
@ -- The states of all chains, from h0 and c0 or to hn and cn. Of both directions each part has one; of the others
@ -- the part for which the condition holds has all.
@ local function states(arriving, condition)
@ for _, stage in ipairs(stages) do
@ if stage.kind == "stack" then
@ local own = by_direction and stage.sizes.D == 2
@ local head = own and format("size_t chain = part; chain < %d; chain += parts", stage.sizes.L * 2) or format("size_t chain = 0; %schain < %d; ++chain", alone(condition), stage.sizes.L * stage.sizes.D)
@ include("run_states.c", { v = v, stage = stage, layer_of = p.layers[stage.number], arriving = arriving, head = head, floats = floats, all = all, sequence = sequence, first = p.first })
@ end
@ end
@ end
@ if not units and not p.tokens then
        if (rows < @{v.block}) memset(input, 0, room * @{space.input} * sizeof(float));
@ end
@ states(true, "part == 0")
@ -- Where members have panels, part 0 does alone what has none, and all meet behind it.
@ local first_part = by_panel and "part == 0 && " or ""
@ local function meet(indent, wanted)
@ if wanted then
@{indent}meet(team, part, parts, &met);
@ end
@ end
@ meet("        ", by_panel)
@ -- The head of a loop over chunks; direction: C text, "0", "1" or "d".
@ local function open_chunks(indent, direction)
@ local head = by_direction and direction ~= "d" and "part == 0 && " or ""
@ local chunk = by_chunk and "chunk" or tostring(v.chunk)
@ if p.lengths then
@{indent}for (size_t done = 0, steps; @{head}done < longest; done += steps) {
@{indent}    size_t t;
@{indent}    ptrdiff_t rows;
@{indent}    steps = next_chunk@{v.suffix}(length, all, done, @{direction}, @{by_chunk and "chunk, " or ""}&t, &rows);
@ else
@{indent}for (size_t done = 0; @{head}done < seq_len; done += @{chunk}) {
@{indent}    const size_t steps = seq_len - done < @{chunk} ? seq_len - done : @{chunk};
@ local from_end = "seq_len - done - steps"
@ local start = direction == "0" and "done" or direction == "1" and from_end or format("%s ? %s : done", direction, from_end)
@{indent}    const size_t t = @{start};
@ end
@ end
@ -- Layers of the stages before each one, and of all: after every layer a part that takes chunks in turns posts.
@ local posts, layers = {}, 0
@ for i, stage in ipairs(stages) do
@     posts[i] = layers
@     layers = layers + (stage.kind == "stack" and stage.sizes.L or 0)
@ end
@ -- Arguments for a layer that waits for the chunk before; layer: a number or C text.
@ local function waits(stage, layer)
@     return by_chunk and format(", before, other, posted + %d%s", posts[stage.number] + 1 + (math.tointeger(layer) or 0), math.tointeger(layer) and "" or " + " .. layer) or ""
@ end
@ local shared_words = by_panel and ", team, part, parts, &met" or ""
@ local function post(indent)
@ if by_chunk then
@{indent}if (parts > 1) team->post(team->context, part);
@ end
@ end
@ local function at_t(stage) return long and (growing and format(" + t * held * %d", stage.output.row) or format(" + t * %s", step_of(stage))) or "" end
@ -- Where the last stage leaves its rows, and strides over steps and sequences.
@ local direct = v.schedule.direct
@ local top = direct and "y + (ptrdiff_t)t * y_t + (ptrdiff_t)first * y_b" or "top"
@ local top_t, top_b = direct and "y_t" or step_of(last), direct and "y_b" or tostring(last.output.row)
@ local function buffer(k) return format("between[%d]", k % v.schedule.between) end
@ -- The first stage's input of a chunk.
@ local function import(indent)
@ if imported and not p.tokens then
@{indent}for (ptrdiff_t s = 0; @{first_part}s < (ptrdiff_t)steps; ++s)
@ if units then
@{indent}    for (ptrdiff_t b = 0; b < rows; ++b)
@{indent}        memcpy(input + (s * @{growing and "(ptrdiff_t)held" or v.block} + b) * @{I}, x + ((ptrdiff_t)t + s) * x_t + @{sequence} * x_b, @{I} * sizeof(float));
@ else
@{indent}    transpose@{v.suffix}(x + ((ptrdiff_t)t + s) * x_t + (ptrdiff_t)first * x_b, x_b, input + s * @{v.input_row * v.block}, @{v.block}, rows, @{I});
@ end
@ meet(indent, by_panel)
@ end
@ end
@ -- Where a stage reads: C text and strides over steps and rows.
@ local function source(stage)
@     if stage.input then return format("%s%s", buffer(stage.first_output - 1), at_t { output = stage.input }), row_stride(stage.input.row), tostring(stage.input.row) end
@     if imported then return "input", row_stride(v.input_row), tostring(I) end
@     return "x + (ptrdiff_t)t * x_t + (ptrdiff_t)first * x_b", "x_t", "x_b"
@ end
@ -- Where a chain has its states; chain: C text of its number, unsigned.
@ local function states_of(stage, chain)
@     return format("states + %s", floats(stage.state_offset)) .. (chain == "0" and "" or format(" + %s * %s", chain, floats(stage.state_count)))
@ end
@ local function stack(indent, stage, direction)
@ local s = stage.sizes
@ local column = stage.unit_stride * (units and 1 or v.block)
@ local side = s.D == 2 and format(" + %s * %d", direction, column) or ""
@ local function call(inner, layer, chain, weights, from, from_t, from_b, to, on_top)
@ local words = { weights, from, units and from_t .. ", " .. from_b or nil }
@ if layer.hoisted then words[#words + 1] = "gates" end
@ words[#words + 1] = states_of(stage, chain)
@ words[#words + 1] = to .. side
@ words[#words + 1] = on_top and top_t or step_of(stage)
@ if units then words[#words + 1] = on_top and top_b or tostring(stage.output.row) end
@ words[#words + 1] = "(ptrdiff_t)steps"
@ if units then words[#words + 1] = "rows" end
@ words[#words + 1] = direction
@{inner}@{layer.fn}(@{concat(words, ", ")}@{shared_words}@{waits(stage, 0)});
@ post(inner)
@ end
@ local first, on_top = stage.layers[1], stage.last and s.L == 1
@ local from, from_t, from_b = source(stage)
@ call(indent, first, s.D == 2 and "(size_t)" .. direction or "0", format("weights + %d", stage.base) .. (s.D == 2 and format(" + %s * %d", direction, stage.chain_first) or ""), from, from_t, from_b, on_top and top or buffer(stage.first_output) .. at_t(stage), on_top)
@ end
@ -- One layer above the first; layer: a number or the C text of one.
@ local function upper_layer(indent, stage, direction, layer)
@ local s, upper = stage.sizes, stage.layers[2]
@ local number = math.tointeger(layer)
@ local column = stage.unit_stride * (units and 1 or v.block)
@ local side = s.D == 2 and format(" + %s * %d", direction, column) or ""
@ local base = stage.base + s.D * stage.chain_first
@ local chain = number and tostring(number * s.D) or format("%s * %d", layer, s.D)
@ local weights = number and format("weights + %d", base + (number - 1) * s.D * stage.chain_upper) or format("weights + %d + (%s - 1) * %d", base, layer, s.D * stage.chain_upper)
@ if s.D == 2 then
@     weights = weights .. format(" + %s * %d", direction, stage.chain_upper)
@     chain = format("(%s + (size_t)%s)", chain, direction)
@ end
@ local function slot(shift)
@     if number then return buffer(stage.first_output + number + shift) end
@     return format("between[(%s + %d) %% %d]", layer, stage.first_output + shift + v.schedule.between, v.schedule.between)
@ end
@ local row = tostring(stage.output.row)
@ local to, to_t, to_b = slot(0) .. at_t(stage), step_of(stage), row
@ -- The last layer's text, in place of the other ones'.
@ local function last_layers(own, others)
@     if number or own == others then return own end
@     return format("(%s == %d ? %s : %s)", layer, s.L - 1, own, others)
@ end
@ if stage.last and (not number or number == s.L - 1) then
@     to, to_t, to_b = last_layers(top, to), last_layers(top_t, to_t), last_layers(top_b, to_b)
@ end
@ local words = { weights, slot(-1) .. at_t(stage), units and step_of(stage) .. ", " .. row or nil }
@ if upper.hoisted then words[#words + 1] = "gates" end
@ words[#words + 1] = states_of(stage, chain)
@ words[#words + 1] = to .. side
@ words[#words + 1] = to_t
@ if units then words[#words + 1] = to_b end
@ words[#words + 1] = "(ptrdiff_t)steps"
@ if units then words[#words + 1] = "rows" end
@ words[#words + 1] = direction
@{indent}@{upper.fn}(@{concat(words, ", ")}@{shared_words}@{waits(stage, layer)});
@ post(indent)
@ end
@ local function embedding(indent, stage)
@ local to = stage.last and "top" or buffer(stage.first_output) .. at_t(stage)
@ indented(#indent, "run_embedding.c", { v = v, stage = stage, to = to, to_s = step_of(stage), sequence = sequence, first_part = first_part })
@ meet(indent, by_panel)
@ end
@ -- A dense layer on the steps of a chunk from `from`, or once on the ends of the sequences.
@ local function dense(indent, stage, from, from_t, from_b, once)
@ local to = stage.last and top or buffer(stage.first_output) .. (once and "" or at_t(stage))
@ local to_t, to_b = stage.last and top_t or step_of(stage), stage.last and top_b or tostring(stage.output.row)
@ indented(#indent, stage.kind == "activation" and "run_map.c" or "run_dense.c", { first_part = first_part, v = v, p = p, stage = stage, from = from, from_t = from_t, from_b = from_b, to = to, to_t = to_t, to_b = to_b, once = once, rows = once and all or "rows", parted = by_panel })
@ if not once then
@ meet(indent, by_panel)
@ end
@ end
@ -- The rows whose sequence ends within the chunk, for a dense layer on the last step.
@ local function gather(indent, stage)
@ local from, from_t, from_b = source(stage)
@ indented(#indent, "run_ends.c", { v = v, p = p, stage = stage, before = stages[stage.number - 1], from = from, from_t = from_t, from_b = from_b, first_part = first_part })
@ end
@ -- What the last stage left in `top` goes out to y; column: the first value of a row.
@ local function export(indent, column, width, top_row, top_column, once)
@ local from = "top" .. (once and "" or format(" + s * %s", step_of(last))) .. top_column
@ indented(#indent, "run_export.c", { v = v, p = p, from = from, row = top_row, width = width, column = column, rows = once and all or "rows", once = once, by_turns = by_panel, renewed = by_stage, sequence = sequence })
@ end
@ local function finish(indent, stage, direction)
@ -- Both directions of a stack have been here: its pieces one by one.
@ local pieces = stage.output.pieces
@ for i = 1, stage.kind == "stack" and 1 or #pieces do
@ local which = #pieces > 1 and (stage.kind == "stack" and direction or i - 1)
@ local function at(floats) return which and format(" + %s * %d", which, floats) or "" end
@ export(indent, at(pieces[1].count), pieces[1].count, stage.output.row, at((pieces[2] or pieces[1]).offset * (units and 1 or v.block)), false)
@ end
@ end
@ if not by_stage then
@ local way = v.schedule.backward and "1" or "0"
@ if by_chunk then
        size_t turns = 0;
@ end
@ open_chunks("        ", way)
@ if by_chunk then
            const size_t turn = turns++;
            if (turn % parts != part) continue;
            /* Whose chunk the one before is, and what that part has posted by its beginning. */
            const rnnc_team *const before = parts > 1 && turn > 0 ? team : NULL;
            const size_t other = turn > 0 ? (turn - 1) % parts : 0, posted = turn > 0 ? (turn - 1) / parts * @{layers} : 0;
@ end
@ import("            ")
@ for _, stage in ipairs(stages) do
@ if stage.kind == "embedding" then
@ embedding("            ", stage)
@ elseif stage.kind == "stack" then
@ stack("            ", stage, way)
@ local L = stage.sizes.L
@ if L == 2 then
@ upper_layer("            ", stage, way, 1)
@ elseif L > 2 then
@ if by_chunk then
            for (size_t layer = 1; layer < @{L}; ++layer) {
@ upper_layer("                ", stage, way, "layer")
            }
@ else
            for (size_t layer = 1; layer < @{L}; ++layer)
@ upper_layer("                ", stage, way, "layer")
@ end
@ end
@ elseif stage.last_step then
@ gather("            ", stage)
@ elseif not stage.once then
@ local from, from_t, from_b = source(stage)
@ dense("            ", stage, from, from_t, from_b, false)
@ end
@ end
@ if not p.last_step and not direct then
@ finish("            ", last, way)
@ end
@ meet("            ", by_panel)
        }
@ if by_chunk then
        const int last = (turns > 0 ? (turns - 1) % parts : 0) == part;
@ end
@ else
@ for _, stage in ipairs(stages) do
@ if stage.last_step or not stage.once then
@ local indent = "        "
@ local D = stage.kind == "stack" and stage.sizes.D or 1
@ local L = stage.kind == "stack" and stage.sizes.L or 1
@ for _, layer in ipairs { 0, 1 } do
@ if layer == 0 or L > 1 then
@ local looped = layer == 1 and L > 2
@ local inner = indent
@ if looped then
@{inner}for (size_t layer = 1; layer < @{L}; ++layer) {
@ inner = inner .. "    "
@ end
@ local direction = D == 2 and "d" or stage.reverse and "1" or "0"
@ if D == 2 then
@{inner}for (int d = @{by_direction and "(int)part" or "0"}; d < 2; @{by_direction and "d += (int)parts" or "++d"}) {
@ inner = inner .. "    "
@ end
@ open_chunks(inner, direction)
@ if layer == 0 and not stage.input then
@ import(inner .. "    ")
@ end
@ if stage.kind == "embedding" then
@ embedding(inner .. "    ", stage)
@ elseif stage.kind ~= "stack" then
@ if stage.last_step then
@ gather(inner .. "    ", stage)
@ else
@ local from, from_t, from_b = source(stage)
@ dense(inner .. "    ", stage, from, from_t, from_b, false)
@ end
@ elseif layer == 0 then
@ stack(inner .. "    ", stage, direction)
@ else
@ upper_layer(inner .. "    ", stage, direction, looped and "layer" or 1)
@ end
@ if stage.last and not stage.once and not direct and (layer == 1 or L == 1) then
@ if looped then
@{inner}    if (layer == @{L - 1}) {
@ finish(inner .. "        ", stage, direction)
@{inner}    }
@ else
@ finish(inner .. "    ", stage, direction)
@ end
@ end
@ meet(inner .. "    ", by_panel)
@{inner}}
@ if D == 2 then
@ inner = inner:sub(5)
@{inner}}
@ end
@ if several or not stage.last or layer == 0 and L > 1 or looped then
@ meet(inner, by_direction)
@ end
@ if looped then
@{indent}}
@ end
@ end
@ end
@ end
@ end
@ end
@ if p.last_step then
@ local ends_row
@ for _, stage in ipairs(stages) do
@     if stage.last_step then ends_row = stage.input.row end
@ end
@ local from, indent = "ends", parted and "            " or "        "
@ if parted then
        if (@{finisher}) {
@ end
@ if p.lengths then
@{indent}/* Sequences without steps come last in the block; nothing was gathered of them, and their y is 0. */
@{indent}ptrdiff_t filled = all;
@{indent}while (filled > 0 && length[filled - 1] == 0) --filled;
@{indent}memset(ends + filled * @{ends_row}, 0, (size_t)(all - filled) * @{ends_row} * sizeof(float));
@ end
@ for _, stage in ipairs(stages) do
@ if stage.once then
@ dense(indent, stage, from, "0", tostring(stage.input.row), true)
@ from = buffer(stage.first_output)
@ end
@ end
@ export(indent, "", O, last.output.row, "", true)
@ if p.lengths then
@{indent}for (ptrdiff_t b = filled; b < all; ++b) memset(y + @{sequence} * y_b, 0, @{O} * sizeof(float));
@ end
@ if parted then
        }
@ end
@ -- Part 0 is done with what lies between layers before the other one begins the next block.
@ meet("        ", by_direction and (several or p.batch == "any"))
@ elseif p.lengths then
        for (ptrdiff_t b = 0; @{alone(finisher)}b < all; ++b)
            for (size_t t = length[b]; t < seq_len; ++t)
                memset(y + (ptrdiff_t)t * y_t + order[b] * y_b, 0, @{O} * sizeof(float));
@ end
@ states(false, finisher)
    }
}
