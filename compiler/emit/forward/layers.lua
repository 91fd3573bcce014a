-- layers: the program of one layer in one direction over a chunk of time: the products with the inputs of all steps,
-- where they are hoisted, then step after step. Weights `w`, states `state`; see the comment that it prints.
local statements = require "emit.statements"

local sum, times, declare, call = statements.sum, statements.times, statements.declare, statements.call
local format = string.format

-- What is known of a layer: l (its row of the plan), v, units, state (the states of a chain), stride (floats between
-- rows of the first one), gates (between rows of gates), in_turns, shared (see forward/places), where a
-- projection or the product behind a reset reads: wide, reset, where sums are normalised: sums, and whether there is
-- one sequence: lone.
local function facts(v, stage, l)
    local state = stage.state_parts
    return {
        v = v, l = l, units = v.in_lanes == "units", state = state, stride = state[1].stride,
        gates = stage.gates_stride,
        in_turns = v.division.kind == "chunks", shared = v.division.kind == "panels",
        wide = l.projection and state[#state], reset = l.reset and state[#state], lone = l.lone,
        sums = l.cell and state[#state],
        both = stage.sizes.D == 2, reverse = stage.reverse,
    }
end

local function weights(part) return sum("w", part.offset) end

-- Which panels of the layer's products are a member's, where members have panels.
local function share(k)
    if not k.shared then return {} end
    local panels = k.l.share
    local function bound(count, following)
        return format("(ptrdiff_t)(%d * %s / parts)", count, following and "(part + 1)" or "part")
    end
    local function between(name, product, first, last, all)
        local to = times(last, product.each)
        -- The last grain may have fewer panels.
        if all * product.each > product.panels then
            to = format("%s < %d ? %s : %d", to, product.panels, to, product.panels)
        end
        return declare("const ptrdiff_t", { name .. "_begin", times(first, product.each) }, { name .. "_end", to })
    end
    local projection = panels.projection
    local count = k.l.projection and projection.panels
    return {
        statements.comment "This part's panels: those of its own units.",
        declare("const ptrdiff_t", { "first", bound(panels.grains) }, { "last", bound(panels.grains, true) }),
        between("step", panels.step, "first", "last", panels.grains),
        k.l.hoisted and between("input", panels.input, "first", "last", panels.grains),
        count and between("projection", projection, bound(count), bound(count, true), count),
    }
end

-- The panels of a product, as its last arguments; false: all.
local function range(k, name) return k.shared and name .. "_begin, " .. name .. "_end" end

local function start_of(k, name) return k.l.parts[name] and weights(k.l.parts[name]) end

-- The products of all steps with the inputs: rows of one step after the other at once, where they lie so.
local function hoisted(k)
    local product, gates = k.l.input, k.gates
    local name = product.starts[1]
    local start = (name == "bias" or name == "separate") and start_of(k, name)
    local function input(from, from_row, to, to_row, rows)
        return call(product.fn, weights(k.l.parts.input), from, from_row, start, to, to_row, rows, range(k, "input"))
    end
    -- Of one sequence they are its steps.
    if k.lone then return input("x", "x_t", "gates", gates, "steps") end
    local rows = times("rows", gates)
    return statements.when("x_t == rows * x_b", { input("x", "x_b", "gates", gates, "steps * rows") }, {
        statements.when("steps >= rows", {
            statements.count("ptrdiff_t", "b", "rows",
                { input("x + b * x_b", "x_t", sum("gates", times("b", gates)), rows, "steps") }),
        }, {
            statements.count("ptrdiff_t", "t", "steps",
                { input("x + t * x_t", "x_b", sum("gates", times("t", rows)), gates, "rows") }),
        }),
    })
end

-- A product of the step. to: where its values go, and the floats from row to row or false.
local function product_of_step(k, product, to, to_row)
    local l, words = k.l, {}
    local function add(...)
        for _, word in ipairs { ... } do words[#words + 1] = word end
    end
    -- A product of one sequence wants no strides between them.
    local rows = k.units and not product.lone
    local function state(part) add(sum("state", part.offset), rows and part.stride or nil) end
    local function before() add("h", rows and "h_b" or nil) end
    for _, term in ipairs(product.terms) do
        if term.name == "x" then
            add(weights(l.parts.input))
            if k.units then
                add("x + t * x_t", rows and "x_b" or nil)
            else
                add(sum("x", times("t", l.input_row * k.v.block)))
            end
        else
            local others = product == l.reset and l.parts.before or l.parts.state
            add(weights(term.name == "reset" and l.parts.reset or others))
            if term.name == "reset" then state(k.reset) else before() end
        end
    end
    for _, name in ipairs(product.starts) do
        if name == "gates" then
            add(sum("gates", times("t", "rows", k.gates)), rows and k.gates or nil)
        elseif l.parts[name] then
            add(start_of(k, name))
        end
    end
    if product.per_unit then add(weights(l.parts.vectors)) end
    for _ = 1, #product.own do before() end
    for i = 1, #product.carried do state(k.state[i + 1]) end
    add(to, rows and to_row or nil)
    if k.units then
        if not product.exact then add("rows") end
        if product.turns then add("s % 2 != 0") end
        if k.shared then add(range(k, "step")) end
    end
    return call(product.fn, table.unpack(words))
end

local function steps(k)
    local l = k.l
    local barrier_here = k.shared and statements.barrier "passed"
    local body = { declare("const ptrdiff_t", { "t", k.both and "backward ? steps - 1 - s : s"
        or k.reverse and "steps - 1 - s" or "s" }) }
    local function add(node) body[#body + 1] = node end
    if k.reset then
        add(product_of_step(k, l.reset, sum("state", k.reset.offset), k.units and k.reset.stride))
        add(barrier_here)
    end
    if k.sums then
        local at, stride = sum("state", k.sums.offset), k.lone and "0" or tostring(k.stride)
        local h_b, seq_b, rows = k.lone and "0" or "h_b", k.lone and "0" or "seq_b", k.lone and "1" or "rows"
        add(call(l.step.fn, weights(l.parts.state), "h", h_b, at, stride, rows))
        add(call(l.cell.fn, weights(l.parts.norms), sum("gates", times("t", rows, k.gates)), k.gates, "state", stride,
            #k.state == 2 and "h", #k.state == 2 and h_b, "seq + t * seq_t", seq_b, rows))
    elseif k.wide then
        local at = sum("state", k.wide.offset)
        add(product_of_step(k, l.step, at, k.units and k.wide.stride))
        add(barrier_here)
        add(call(l.projection.fn, weights(l.parts.projection), at, k.units and k.wide.stride, "seq + t * seq_t",
            k.units and "seq_b", k.units and "rows", range(k, "projection")))
    else
        add(product_of_step(k, l.step, "seq + t * seq_t", k.units and "seq_b"))
    end
    add(barrier_here)
    add(statements.set "h = seq + t * seq_t")
    if k.units and not k.lone then add(statements.set "h_b = seq_b") end
    return statements.count("ptrdiff_t", "s", "steps", { body })
end

local function program(k)
    local P = k.state[1].width
    return {
        -- One row needs no strides.
        k.lone and declare("const ptrdiff_t", { "rows", "1" }, { "x_b", "0" }, { "seq_b", "0" }, { "h_b", "0" }),
        share(k),
        k.l.hoisted and hoisted(k),
        k.in_turns and statements.when("before", { call("before->wait", "before->context", "other", "count") }),
        declare("const float *", { "h", "state" }),
        k.units and not k.lone and declare("ptrdiff_t", { "h_b", tostring(k.stride) }),
        steps(k),
        k.units and statements.count("ptrdiff_t", "b", "rows",
            { statements.copy(sum("state", times("b", k.stride)), "h + b * h_b", P) }, nil, k.shared and "part == 0")
            or statements.copy("state", "h", k.stride * k.v.block),
    }
end

-- What the comment of the function says.
local function doc(k)
    local l, block, carried = k.l, k.v.block, k.l.cell and { #k.state > 2 and "c" or nil } or k.l.step.carried
    local which = l.kind == "first" and "0" or "1 and above"
    local lines = {}
    local function add(...) lines[#lines + 1] = format(...) end
    if k.lone then
        add("Layer %s, one direction, `steps` steps of one sequence.", which)
        add("  x      value k at step t is x[t*x_t + k]")
        if l.hoisted then add("  gates  (steps, %d), filled here", k.gates) end
        add("  state  (%d): the state before, replaced by the state after%s", k.stride,
            #carried > 0 and format("; %s from %d on", carried[1], k.state[2].offset) or "")
        add("  seq    the output after step t is written to seq[t*seq_t ...]")
    elseif k.units then
        add("Layer %s, one direction, `steps` steps for `rows` sequences.", which)
        add("  x      value k of sequence b at step t is x[t*x_t + b*x_b + k]")
        if l.hoisted then add("  gates  (steps, rows, %d), filled here", k.gates) end
        add("  state  (rows, %d): the state before, replaced by the state after%s", k.stride,
            #carried > 0 and format("; %s from %d on", carried[1], k.state[2].offset) or "")
        add("  seq    the output of sequence b after step t is written to seq[t*seq_t + b*seq_b ...]")
    else
        local P = k.state[1].width
        add("Layer %s, one direction, `steps` steps for a block of %d sequences.", which, block)
        add("  x      (steps, %d, %d)", l.input_row, block)
        add("  state  (%d, %d): the state before, replaced by the state after%s", P, block,
            #carried > 0 and "; then the same of " .. table.concat(carried, ", ") or "")
        add("  seq    the output after step t is written to seq[t*seq_t ...] as (%d, %d)", P, block)
    end
    if k.in_turns then
        add("The state is there when member `other` has posted `count` times; before NULL: it is there.")
    elseif k.shared then
        add("Part `part` of `parts` computes its own units; all have met when it returns, and part 0 has the state.")
    end
    return table.concat(lines, "\n")
end

-- layers(v, stage, l) -> the C of the function of layer l, a row of the layers of a stage of the variant v.
return function(v, stage, l)
    local k = facts(v, stage, l)
    local parameters = { "const float *w", "const float *x" }
    local function add(...) table.move({ ... }, 1, select("#", ...), #parameters + 1, parameters) end
    if k.units then add("ptrdiff_t x_t") end
    if k.units and not k.lone then add("ptrdiff_t x_b") end
    if l.hoisted then add("float *gates") end
    add("float *state", "float *seq", "ptrdiff_t seq_t")
    if k.units and not k.lone then add("ptrdiff_t seq_b") end
    add("ptrdiff_t steps")
    if k.units and not k.lone then add("ptrdiff_t rows") end
    if k.both then add("int backward") end
    if k.in_turns then add("const rnnc_team *before", "size_t other", "size_t count") end
    if k.shared then add("const rnnc_team *team", "size_t part", "size_t parts", "size_t *passed") end
    return statements.define(doc(k), v.attribute .. " void " .. l.fn, table.concat(parameters, ", "), program(k))
end
