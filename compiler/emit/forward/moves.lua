-- moves: the statements that move values: states in and out, the input of a chunk, rows of an embedding's table, the
-- ends of sequences, the output. `f` is what places.of gives.
local activations = require "tables.activations"
local statements = require "emit.statements"

local sum, times, declare, count = statements.sum, statements.times, statements.declare, statements.count
local when, call, copy, zero, set = statements.when, statements.call, statements.copy, statements.zero, statements.set
local format = string.format

local moves = {}

local function transpose(f, back) return back and f.v.transpose_back or f.v.transpose end

-- Calls of sequences of a block: for (b ...) body.
local function each_row(rows, body, also) return count("ptrdiff_t", "b", rows, body, nil, also) end

-- One state of the chains of a stage, on its way in.
local function state_in(f, part, name, given, own)
    local block, width, padded, stride = f.v.block, part.width, part.padded, part.stride
    if f.units then
        local row = sum(name, times("b", stride))
        return {
            padded > width and statements.comment "Lanes without a unit take part in the arithmetic of their vector.",
            each_row(f.all, {
                padded > width and zero(sum(name, times("b", stride), width), padded - width),
                when(name .. "0", { copy(row, given, width) }, { own and copy(row, own, width) or zero(row, width) }),
            }),
        }
    end
    -- Units that fill the last group are 0.
    local clear = zero(name, padded * block)
    return {
        padded == width and when(format("!%s0 || rows < %d", name, block), { clear }) or clear,
        when(name .. "0", { call(transpose(f), given, width, name, block, "rows", width) }),
        own and count("ptrdiff_t", "i", width, {
            each_row("rows", { set(format("%s[%s] = (%s)[i]", name, f:beside("b"), own)) }),
        }, nil, format("!%s0", name)),
    }
end

local function state_out(f, part, name, given)
    if f.units then
        return each_row(f.all, { copy(given, sum(name, times("b", part.stride)), part.width) }, name .. "n")
    end
    return when(name .. "n",
        { call(transpose(f, true), name, f.v.block, given, part.width, part.width, "rows") })
end

-- moves.states(f, arriving, alone): the states of all chains, from h0 and c0 or to hn and cn. Of both directions each
-- part has one; of the others the part for which the C text `alone` holds has all, every one if it is nil.
function moves.states(f, arriving, alone)
    local list = {}
    for _, stage in ipairs(f.stages) do
        if stage.kind == "stack" then
            local body, layer, s = {}, f.p.layers[stage.number], stage.sizes
            for i, name in ipairs(stage.states) do
                local part = stage.state_parts[i]
                local before = layer.before[name] > 0 and times("batch", layer.before[name])
                local sequence = f.units and format("(chain * batch + (size_t)%s)", f.sequence)
                    or "(chain * batch + first)"
                local given = sum(name .. (arriving and "0" or "n"), before, times(sequence, part.width))
                local own = f.p.first
                    and sum("weights", f.p.first[name] + layer.before[name], times("chain", part.width))
                local place = sum("states", f:floats(stage.state_offset, part.offset),
                    times("chain", f:floats(stage.state_count)))
                body[#body + 1] = declare((arriving and "" or "const ") .. "float *const", { name, place })
                body[#body + 1] = arriving and state_in(f, part, name, given, own) or state_out(f, part, name, given)
            end
            local chain = declare("size_t", { "chain", "0" })
            if f.by_direction and s.D == 2 then
                chain.entries[1][2] = "part"
                list[#list + 1] = statements.loop(chain, "chain < " .. s.L * 2, "chain += parts", body)
            else
                list[#list + 1] = count("size_t", "chain", s.L * s.D, body, nil, alone)
            end
        end
    end
    return list
end

-- The first stage's input of a chunk.
function moves.import(f)
    if not f.imported or f.p.tokens then return {} end
    local I, row, from = f.p.input, f.v.input_row, "x + ((ptrdiff_t)t + s) * x_t"
    local to = sum("input", times(format("(s * %s + b)", f.many), row))
    local body = f.units and each_row("rows", {
        copy(to, from .. format(" + %s * x_b", f.sequence), I),
        row > I and zero(sum(to, I), row - I),
    }) or call(transpose(f), from .. " + (ptrdiff_t)first * x_b", "x_b",
        sum("input", times("s", f.v.input_row * f.v.block)), f.v.block, "rows", I)
    return { count("ptrdiff_t", "s", "(ptrdiff_t)steps", { body }, nil, f.first_part),
             f.by_panel and statements.barrier() }
end

-- The rows of the table that the tokens of a chunk name.
function moves.embedding(f, stage)
    local to, to_s = f:target(stage)
    if stage.last then to = "top" end
    to = sum(to, times("s", to_s))
    local token = format("tokens[((ptrdiff_t)t + s) * x_t + %s * x_b]", f.sequence)
    local body, panel = {}, stage.panel
    if panel == 1 then
        body[1] = declare("const float *const",
            { "entry", sum("weights", stage.base, times("(ptrdiff_t)" .. token, stage.width)) })
    else
        body[1] = statements.comment "A row of the panels of the dense layer that shares the table."
        body[2] = declare("const ptrdiff_t", { "token", token })
        body[3] = declare("const float *const", { "entry", sum("weights", stage.base,
            times(format("token / %d", panel), panel * stage.width), format("token %% %d", panel)) })
    end
    local row = sum(to, times("b", stage.output.row))
    if f.units and panel == 1 then
        body[#body + 1] = copy(row, "entry", stage.width)
    else
        local name, place = f.units and "to" or "column", f.units and "i" or f:beside()
        body[#body + 1] = declare("float *const", { name, f.units and row or sum(to, times("b", f.v.beside)) })
        body[#body + 1] = count("ptrdiff_t", "i", stage.width,
            { set(format("%s[%s] = entry[%s]", name, place, times("i", panel))) })
    end
    return { count("ptrdiff_t", "s", "(ptrdiff_t)steps", {
        not f.units and when("rows < " .. f.v.block, { zero(to, to_s) }),
        each_row("rows", body),
    }, nil, f.first_part), f.by_panel and statements.barrier() }
end

-- The steps of a chunk, beside those of the other chunks of their sequence: of the batch kernel whole groups of units
-- where they stay groups, else unit by unit.
local function flat(f, stage)
    local from, from_t, from_b = f:source(stage)
    local width, value, list, at = stage.input.width, sum(from, times("s", from_t)), {}, 0
    local groups = width % f.v.beside == 0
    for _, piece in ipairs(stage.input.pieces) do groups = groups and piece.count % f.v.beside == 0 end
    for i, piece in ipairs(stage.input.pieces) do
        local function to(scale) return sum(times("((ptrdiff_t)t + s)", width * scale), at * scale) end
        if f.units then
            list[i] = each_row("rows", { copy(sum("ends", times("b", stage.flat.row), to(1)),
                sum(value, times("b", from_b), piece.offset), piece.count) })
        elseif groups then
            list[i] = copy(sum("ends", to(f.v.block)), sum(value, piece.offset * f.v.block), piece.count * f.v.block)
        else
            list[i] = count("ptrdiff_t", "i", piece.count, {
                declare("const ptrdiff_t", { "k", sum(to(1), "i") }),
                each_row(f.v.block, {
                    set(format("ends[%s] = (%s)[%s]", f:beside("b", "k"), sum(value, piece.offset * f.v.block),
                        f:beside("b"))),
                }),
            })
        end
        at = at + piece.count
    end
    return { count("ptrdiff_t", "s", "(ptrdiff_t)steps", list, nil, f.first_part),
             f.by_panel and statements.barrier() }
end

-- The rows whose sequence ends within the chunk, or all steps, for a dense layer that runs once.
function moves.ends(f, stage)
    if stage.flat then return flat(f, stage) end
    local before, row = f.stages[stage.number - 1], stage.input.row
    local from, from_t, from_b = f:source(stage)
    local at_end = format("(ptrdiff_t)(steps - 1) * %s", from_t)
    local to, next_row = sum("ends", times("b", row)), times("b", from_b)
    if stage.last_state and before.reverse then
        -- That direction ends at the first step. All sequences reach it together.
        if f.units then
            return each_row("rows", { copy(to, sum(from, next_row), row) },
                (f.first_part and f.first_part .. " && " or "") .. "t == 0")
        end
        return when("t == 0", { copy("ends", from, from_t) })
    end
    if stage.last_state and before.sizes.D == 2 then
        -- The forward half after the last step, the reverse half after the first one, where that direction ends.
        local half = before.unit_stride * (f.units and 1 or f.v.block)
        if not f.units then to, next_row = "ends", nil end
        local last = f.v.lengths and "length[b]" or "seq_len"
        return each_row(f.units and "rows" or "1", {
            when(last .. " == t + steps", { copy(to, sum(from, at_end, next_row), half) }),
            when("t == 0", { copy(sum(to, half), sum(from, next_row, half), half) }),
        }, f.first_part)
    end
    if f.v.lengths then
        return each_row("rows", {
            when("length[b] == t + steps", { copy(to, sum(from, at_end, next_row), row) }),
        }, f.first_part)
    end
    return when((f.first_part and f.first_part .. " && " or "") .. "t + steps == seq_len",
        { copy("ends", sum(from, at_end), (from_t:gsub("^%(ptrdiff_t%)", ""))) })
end

-- What the last stage left in `top` goes out to y, for one step after the other or once. column: the first value of a
-- row of y, C text or nil; width: values; from: where a step's values begin.
function moves.export(f, from, column, width, once)
    local v, softmax = f.v, f.v.by_head and "heads"
        or activations.is(f.p.softmax, "of", "row") and f.p.softmax
    local residual, row = f.p.residual, f.last.output.row
    local at = not once and "((ptrdiff_t)t + s) * y_t" or nil
    -- Which values i of this part of a row one of x is added to; nil: to all.
    local some = residual and residual < f.p.output and format("%s < %d", sum(column, "i"), residual)
    local added = format("i < %d", width) .. (some and " && " .. some or "")
    local from_x = format("x[%s]", sum("((ptrdiff_t)t + s) * x_t", f.sequence .. " * x_b", column, "i"))
    local function add(body) return statements.loop(declare("ptrdiff_t", { "i", "0" }), added, "++i", { body }) end
    -- x may be y, so it is read before y is written.
    local early = residual and not f.units and not softmax
    local body = { false, false, false }
    if early then
        body[1] = each_row("rows", { add(set(format("(%s)[%s] += %s", from, f:beside("b"), from_x))) })
    elseif residual and not f.units then
        -- A softmax is computed in y: of x there is what the first layer has read, unless a later chunk's has taken
        -- its place.
        local kept = sum("input", times("s", v.input_row * v.block))
        body[1] = f.by_stage and call(transpose(f), "x + ((ptrdiff_t)t + s) * x_t + (ptrdiff_t)first * x_b", "x_b",
            kept, v.block, "rows", width)
        from_x = format("(%s)[%s]", kept, f:beside("b"))
    end
    if not f.units then
        body[2] = call(transpose(f, true), from, v.block, sum("y", at, "(ptrdiff_t)first * y_b", column),
            "y_b", width, "rows")
    end
    if f.units or (residual or softmax) and not early then
        local each = { declare("float *const", { "to", sum("y", at, f.sequence .. " * y_b", column) }) }
        local value = sum(from, times("b", row))
        if f.units and residual then
            each[2] = declare("float *const", { "value", value })
            each[3] = softmax and call(softmax .. v.suffix, "value", "value")
            each[4] = count("ptrdiff_t", "i", width, { set("to[i] = value[i] + "
                .. (some and format("(%s ? %s : 0.0f)", some, from_x) or from_x)) })
        else
            each[2] = softmax and call(softmax .. v.suffix, f.units and value or "to", "to")
                or f.units and copy("to", value, width)
            each[3] = residual and add(set("to[i] += " .. from_x))
        end
        body[3] = each_row(f.units and once and f.all or "rows", each)
    end
    if once then return body end
    local first = declare("ptrdiff_t", { "s", f.by_panel and "(ptrdiff_t)part" or "0" })
    return statements.loop(first, "s < (ptrdiff_t)steps", f.by_panel and "s += (ptrdiff_t)parts" or "++s", body)
end

return moves
