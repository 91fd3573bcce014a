-- forward: the program that runs the whole network on one target: blocks of the batch, chunks of time, stages, layers,
-- directions, and what the members of a team do of it. Built as statements, checked, printed.
local moves = require "emit.forward.moves"
local parts = require "emit.forward.parts"
local places = require "emit.forward.places"
local statements = require "emit.statements"
local template = require "emit.template"

local sum, times, declare, call = statements.sum, statements.times, statements.declare, statements.call
local when, zero, barrier = statements.when, statements.zero, statements.barrier
local format = string.format

-- A loop over chunks of time around `body`; direction: C text, "0", "1" or "d".
local function chunks(f, direction, body)
    local v = f.v
    local alone = f.by_direction and direction ~= "d" and "part == 0 && " or ""
    if f.v.lengths then
        return statements.loop(declare("size_t", { "done", "0" }, { "steps" }), alone .. "done < longest",
            "done += steps", {
                declare("size_t", { "t" }), declare("ptrdiff_t", { "rows" }),
                statements.set(format("steps = %s(length, all, done, %s, %s&t, &rows)", v.next_chunk, direction,
                    f.by_chunk and "chunk, " or f.rows and "most, " or "")),
                body,
            })
    end
    local from_end = "seq_len - done - steps"
    local start = direction == "0" and "done" or direction == "1" and from_end
        or format("%s ? %s : done", direction, from_end)
    return statements.loop(declare("size_t", { "done", "0" }), alone .. "done < seq_len", "done += " .. f.chunk, {
        declare("const size_t", { "steps", format("seq_len - done < %s ? seq_len - done : %s", f.chunk, f.chunk) }),
        declare("const size_t", { "t", start }),
        body,
    })
end

-- The call of one layer of a stage; layer: its number, or the C text of it where a loop runs over layers.
local function layer_call(f, stage, layer, direction)
    local v, s, number = f.v, stage.sizes, math.tointeger(layer)
    local below = number == 0
    local row = stage.layers[below and 1 or 2]
    local side = s.D == 2 and times(direction, stage.unit_stride * (f.units and 1 or v.block)) or nil
    -- Chains of the first layer come first; of each layer those of both directions.
    local weights = below and sum("weights", stage.base) or number
        and sum("weights", stage.base + s.D * (stage.chain_first + (number - 1) * stage.chain_upper))
        or sum("weights", stage.base + s.D * stage.chain_first,
            times(format("(%s - 1)", layer), s.D * stage.chain_upper))
    local chain = number and tostring(number * s.D) or times(layer, s.D)
    if s.D == 2 then
        weights = sum(weights, times(direction, below and stage.chain_first or stage.chain_upper))
        chain = below and "(size_t)" .. direction or format("(%s + (size_t)%s)", chain, direction)
    end
    local function slot(shift)
        if number then return f:buffer(stage.first_output + number + shift, stage.output) end
        return sum(format("between[(%s + %d) %% %d]", layer, stage.first_output + shift + v.schedule.between,
            v.schedule.between), f:at_t(stage.output))
    end
    local from, from_t, from_b = slot(-1), f:step_of(stage), tostring(stage.output.row)
    local to, to_t, to_b = slot(0), from_t, from_b
    if below then from, from_t, from_b = f:source(stage) end
    if stage.last and (not number or number == s.L - 1) then
        -- The last layer's text, in place of the other ones'.
        local function last(own, others)
            if number or own == others then return own end
            return format("(%s == %d ? %s : %s)", layer, s.L - 1, own, others)
        end
        local top, top_t, top_b = f:top()
        to, to_t, to_b = last(top, to), last(top_t, to_t), last(top_b, to_b)
    end
    local rows = f.units and not row.lone
    local words = { weights, from, f.units and from_t, rows and from_b, row.hoisted and "gates",
        f:states_of(stage, chain), sum(to, side), to_t, rows and to_b, "(ptrdiff_t)steps", rows and "rows",
        s.D == 2 and direction }
    local n = 12
    local function add(...)
        for _, word in ipairs { ... } do
            n = n + 1
            words[n] = word
        end
    end
    if f.by_panel then add("team", "part", "parts", "&passed") end
    -- It waits for the chunk before.
    if f.by_chunk then
        add("before", "other", sum("posted", f.posts[stage.number] + 1 + (number or 0), not number and layer))
    end
    return { call(row.fn, table.unpack(words, 1, n)), f.by_chunk and statements.post() }
end

-- A dense layer on all steps of a chunk, whose weights are read once for all of them, or `once` on the ends of the
-- sequences, from `from` with strides over steps and rows.
local function dense(f, stage, from, from_t, from_b, once)
    local v, product = f.v, stage.product
    local to, to_t, to_b = f:target(stage, once)
    local weights = sum("weights", stage.base)
    local bias = stage.parts.bias and sum("weights", stage.base + stage.parts.bias.offset) or nil
    local barrier_here = f.by_panel and not once and barrier()
    if not f.units then
        return { call(product.fn, weights, from, once and "0" or from_t, bias, to, once and "0" or to_t,
            once and "1" or "(ptrdiff_t)steps"), barrier_here }
    end
    local panels, first, last = 0, nil, nil
    for _, panel in ipairs(product.panels) do panels = panels + panel.count end
    if f.by_panel then
        first = once and "0" or format("(ptrdiff_t)(%d * part / parts)", panels)
        last = once and panels or format("(ptrdiff_t)(%d * (part + 1) / parts)", panels)
    end
    local function product_of(x, x_row, out, out_row, rows)
        return call(product.fn, weights, x, x_row, bias, out, out_row, rows, first, last)
    end
    if once then return { product_of(from, from_b, to, to_b, f.all) } end
    -- Rows of one step after the other lie as those of one step do where a block is full.
    local full = not f.v.lengths and not f.growing and v.batch % v.block == 0 or v.block == 1
    local conditions = {}
    if not full then conditions[1] = "rows == " .. f.many end
    if f.direct and stage.last then conditions[#conditions + 1] = "y_t == rows * y_b" end
    if not stage.input and from ~= "input" then conditions[#conditions + 1] = "x_t == rows * x_b" end
    local whole = product_of(from, from_b, to, to_b, "(ptrdiff_t)steps * rows")
    if #conditions == 0 then return { whole, barrier_here } end
    local function each(name, extent, body)
        return statements.count("ptrdiff_t", name, extent, { body })
    end
    return { when(table.concat(conditions, " && "), { whole }, {
        when("(ptrdiff_t)steps >= rows", {
            each("b", "rows", product_of(sum(from, "b * " .. from_b), from_t, sum(to, "b * " .. to_b), to_t,
                "(ptrdiff_t)steps")),
        }, {
            each("s", "(ptrdiff_t)steps", product_of(sum(from, "s * " .. from_t), from_b, sum(to, "s * " .. to_t), to_b,
                "rows")),
        }),
    }), barrier_here }
end

-- A function of what a stage left for the steps of a chunk, or once for each sequence. Rows have no gaps.
local function map(f, stage, from, from_t, once)
    local to, to_t = f:target(stage, once)
    local row = stage.output.row
    if stage.map.rows then
        local function of_rows(x, y, rows)
            local weights = next(stage.map.unit_weights) and sum("weights", stage.base)
            return call(stage.map.fn, weights, x, y, f.units and rows)
        end
        if once then return { of_rows(from, to, f.all) } end
        return { statements.count("ptrdiff_t", "s", "(ptrdiff_t)steps",
                     { of_rows(sum(from, times("s", from_t)), sum(to, times("s", to_t)), "rows") }, nil,
                     f.first_part),
                 f.by_panel and barrier() }
    end
    local floats = f.units and times(once and f.all or "rows", row) or tostring(f.v.block * row)
    if once then return { call(stage.map.fn, from, to, floats) } end
    return { statements.count("ptrdiff_t", "s", "(ptrdiff_t)steps",
                 { call(stage.map.fn, sum(from, times("s", from_t)), sum(to, times("s", to_t)), floats) }, nil,
                 f.first_part),
             f.by_panel and barrier() }
end

-- What the last stage left in `top` of the steps of a chunk goes out to y: of a stack in one direction, of others after
-- both directions of one piece by piece.
local function export(f, direction)
    local last, list = f.last, {}
    local pieces, from = last.output.pieces, sum("top", times("s", f:step_of(last)))
    local width, offset = pieces[1].count, (pieces[2] or pieces[1]).offset * (f.units and 1 or f.v.block)
    for i = 1, last.kind == "stack" and 1 or #pieces do
        local which = #pieces > 1 and (last.kind == "stack" and direction or i - 1)
        local column = which and times(which, width)
        if column == "0" then column = nil end
        list[i] = moves.export(f, sum(from, which and times(which, offset)), column or nil, width, false)
    end
    return list
end

-- What a stage that is no recurrent one does with a chunk.
local function simple_stage(f, stage)
    if stage.kind == "embedding" then return moves.embedding(f, stage) end
    if stage.last_step then return { moves.ends(f, stage) } end
    if stage.once then return {} end
    local from, from_t, from_b = f:source(stage)
    if stage.map then return map(f, stage, from, from_t, false) end
    return dense(f, stage, from, from_t, from_b, false)
end

-- All stages on a chunk, before the next chunk begins.
local function by_chunks(f)
    local way = f.v.schedule.backward and "1" or "0"
    local body = {}
    local function add(node) body[#body + 1] = node end
    if f.by_chunk then
        add(declare("const size_t", { "turn", "turns++" }))
        add(when("turn % parts != part", { statements.set "continue" }))
        add(statements.comment "Whose chunk the one before is, and what that part has posted by its beginning.")
        add(declare("const rnnc_team *const", { "before", "parts > 1 && turn > 0 ? team : NULL" }))
        add(declare("const size_t", { "other", "turn > 0 ? (turn - 1) % parts : 0" },
            { "posted", format("turn > 0 ? (turn - 1) / parts * %d : 0", f.posts.all) }))
    end
    add(moves.import(f))
    for _, stage in ipairs(f.stages) do
        if stage.kind == "stack" then
            local L = stage.sizes.L
            add(layer_call(f, stage, 0, way))
            if L == 2 then add(layer_call(f, stage, 1, way)) end
            if L > 2 then add(statements.count("size_t", "layer", L, layer_call(f, stage, "layer", way), "1")) end
        else
            add(simple_stage(f, stage))
        end
    end
    if not f.p.last_step and not f.direct then add(export(f, way)) end
    if f.by_panel then add(barrier()) end
    return {
        f.by_chunk and declare("size_t", { "turns", "0" }),
        chunks(f, way, body),
        f.by_chunk and declare("const int", { "last", "(turns > 0 ? (turns - 1) % parts : 0) == part" }),
    }
end

-- One layer of a stage, or several in a loop, over the whole sequence; layer: 0, 1 or the name of the loop's variable.
local function whole_layer(f, stage, layer)
    local s = stage.sizes or { D = 1, L = 1 }
    local direction = s.D == 2 and "d" or stage.reverse and "1" or "0"
    local body = { layer == 0 and not stage.input and moves.import(f) }
    body[2] = stage.kind == "stack" and layer_call(f, stage, layer, direction) or simple_stage(f, stage)
    if stage.last and not stage.once and not f.direct and (layer ~= 0 or s.L == 1) then
        local out = export(f, direction)
        body[3] = math.tointeger(layer) and out or when(format("layer == %d", s.L - 1), { out })
    end
    body[#body + 1] = f.by_panel and barrier() or nil
    local list = { chunks(f, direction, body) }
    if s.D == 2 then
        list = { statements.loop(declare("int", { "d", f.by_direction and "(int)part" or "0" }), "d < 2",
            f.by_direction and "d += (int)parts" or "++d", list) }
    end
    local more = f.several or not stage.last or layer == 0 and s.L > 1 or layer == "layer"
    list[2] = more and f.by_direction and barrier() or nil
    return list
end

-- A stage over the whole sequence, before the next stage begins.
local function by_stages(f)
    local list = {}
    for _, stage in ipairs(f.stages) do
        local L = stage.kind == "stack" and stage.sizes.L or 1
        if stage.last_step or not stage.once then list[#list + 1] = whole_layer(f, stage, 0) end
        if L == 2 then list[#list + 1] = whole_layer(f, stage, 1) end
        if L > 2 then
            list[#list + 1] = statements.count("size_t", "layer", L, whole_layer(f, stage, "layer"), "1")
        end
    end
    return list
end

-- What comes behind the last steps or states, after all chunks.
local function once(f)
    local list, from, width = {}, "ends", nil
    for _, stage in ipairs(f.stages) do
        if stage.last_step then width = stage.input.row end
    end
    local function add(node) list[#list + 1] = node end
    if f.v.lengths then
        add(statements.comment
            "Sequences without steps come last in the block; nothing was gathered of them, and their y is 0.")
        add(declare("ptrdiff_t", { "filled", "all" }))
        add(statements.loop(nil, "filled > 0 && length[filled - 1] == 0", nil, { statements.set "--filled" }))
        add(zero(sum("ends", times("filled", width)), times("(size_t)(all - filled)", width)))
    end
    for _, stage in ipairs(f.stages) do
        if stage.once then
            add(stage.map and map(f, stage, from, "0", true)
                or dense(f, stage, from, "0", tostring((stage.flat or stage.input).row), true))
            from = f:buffer(stage.first_output)
        end
    end
    add(moves.export(f, "top", nil, f.p.output, true))
    if f.v.lengths then
        local row = zero(format("y + %s * y_b", f.sequence), f.p.output)
        add(statements.count("ptrdiff_t", "b", "all", { row }, "filled"))
    end
    -- Part 0 is done with what lies between layers before the other one begins the next block.
    return { f.parted and when(f.finisher, list) or list,
             f.by_direction and (f.several or f.growing) and barrier() }
end

-- The steps of y that shorter sequences do not have.
local function padding(f)
    return statements.count("ptrdiff_t", "b", "all", {
        statements.loop(declare("size_t", { "t", "length[b]" }), "t < seq_len", "++t",
            { zero("y + (ptrdiff_t)t * y_t + order[b] * y_b", f.p.output) }),
    }, nil, f.parted and f.finisher)
end

local function program(f)
    local v, p, block = f.v, f.p, f.v.block
    local x_t, x_b = f:strides(p.input)
    local y_t, y_b = f:strides(p.output, p.last_step)
    local ranged = f.sliced or v.part
    local final = ranged and "end" or "batch"
    local alone = f.parted and "part == 0" or nil
    return {
        p.batch ~= "any" and declare("const size_t", { "batch", tostring(p.batch) }),
        declare("const ptrdiff_t", { "x_t", x_t }, { "x_b", x_b }),
        declare("const ptrdiff_t", { "y_t", y_t }, { "y_b", y_b }),
        f.growing and declare("const size_t", { "held", format(v.part and "end - begin < %d ? end - begin : %d"
            or "batch < %d ? batch : %d", block, block) }),
        f.rows and declare("const size_t", { "most", format("%d / held > %d ? %d / held : %d", v.chunk_rows, v.chunk,
            v.chunk_rows, v.chunk) }),
        declare("const size_t", { "room", format("seq_len < %s ? seq_len : %s", f.most, f.most) }),
        (f.sliced or f.parted) and parts.share(f),
        parts.space(f),
        statements.loop(declare("size_t", { "first", ranged and "begin" or "0" }), "first < " .. final,
            "first += " .. block, {
                declare("const ptrdiff_t",
                    { f.all, format("(ptrdiff_t)(%s - first < %d ? %s - first : %d)", final, block, final, block) }),
                v.lengths and statements.text(template.render("run_order.c", { block = block }),
                    { "order", "length", "longest" }),
                not f.units and not p.tokens and when("rows < " .. block,
                    { zero("input", times("room", v.workspace.input)) }),
                moves.states(f, true, alone),
                f.by_panel and barrier(),
                f.by_stage and by_stages(f) or by_chunks(f),
                p.last_step and once(f) or v.lengths and padding(f),
                moves.states(f, false, f.parted and f.finisher),
            }),
    }
end

-- forward(v, p, parameters, barriers) -> the C of the function that runs the network on v, a variant of the plan p.
-- parameters: C text of those of all targets; barriers: do members of a team meet on the way?
return function(v, p, parameters, barriers)
    local f = places.of(v, p, barriers)
    f.several = v.batch ~= "any" and v.batch > v.block
    -- After every layer a part that takes chunks in turns posts: layers of the stages before each one, and of all.
    f.posts = { all = 0 }
    for i, stage in ipairs(f.stages) do
        f.posts[i] = f.posts.all
        f.posts.all = f.posts.all + (stage.kind == "stack" and stage.sizes.L or 0)
    end
    if f.by_chunk or barriers then parameters = parameters .. ", const rnnc_team *team" end
    if f.sliced or f.parted then parameters = parameters .. ", size_t member, size_t members" end
    if v.part then parameters = parameters .. ", size_t begin, size_t end" end
    local chunk = "at most " .. v.chunk .. " steps"
    if f.rows then chunk = format("%d steps, or %d by all sequences if that is more", v.chunk, v.chunk_rows) end
    local lone = not f.by_stage and #f.stages == 1 and f.stages[1].kind == "stack" and f.stages[1].sizes.L == 1
    local doc = format("Runs the network for %s%s", v.target, lone and ", in chunks of " .. chunk or "")
        .. (p.batch == 1 and "." or format(". Sequences go through in blocks of at most %d.", v.block))
        .. (lone and "" or f.by_stage
                and "\nA layer needs the whole sequence of what is below it, so stages follow each other."
            or format("\nEvery stage runs a chunk of %s before the next chunk begins.", chunk))
        .. ((f.sliced or f.parted) and "\nMember `member` of `members` does its share of it." or "")
    return statements.define(doc, v.attribute .. " void " .. v.run, parameters, program(f))
end
