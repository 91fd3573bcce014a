-- divide: how the members of a team share the work of a call, by the cost model. A way to divide:
--
--   one         not at all
--   slices      each takes sequences of the batch; they meet only at the end
--   directions  one takes the forward direction, another the reverse one; they meet after every layer
--   chunks      they take chunks of time in turns: each does its chunk's input products, and then, layer by
--               layer, waits for the state that the chunk before hands on
--   panels      each has some of the units: its panels of the weights, which stay in its own cache, and what is
--               computed from them; they meet after every step to exchange the new h
--
-- All of them do the same additions in the same order as one thread. The pass leaves ir.division:
--
--   kind        of calls for which nothing else is said
--   share       sequences for which the kernel is chosen: those of one member, for slices of a known batch
--   slices_from   the batch from which calls are divided in slices instead; 0: never
--   least_steps, least_slices
--               time steps from which a call is divided by `kind`, or in slices, at all
--   most_latency  nanoseconds, see rnnc_team, up to which a call is divided by `kind` where members wait for
--               each other
--   members     of a team that have something to do
--   chunk       steps in a chunk, for chunks
--   considered  what there was to choose from: { kind, cycles of a call or why_not }
--   steps       of the call that they are for
local choice = require "kernels.choice"
local tiles = require "kernels.tiles"

local divide = {}

divide.doc = "how the threads of a team share a call"

-- Cycles until a word of one core is seen by another, for a team to begin and end a run, for each cache line that
-- one core writes and another reads or writes next, and for each of several lines that are fetched at a time.
-- Measured with rnnc_team between two cores of a virtual machine at 4.2 GHz that are at times near each other, 57,
-- 80, 10 and 3 ns, and at times far: 240, 410, 40 and 13 ns. These here are a little above the near ones; how far the
-- cores are is known when the program runs.
local LATENCY <const>, FORK <const>, LINE <const>, BESIDE <const> = 360, 900, 60, 13

-- Nanoseconds of LATENCY, at that clock; and how many times as far cores are supposed to be at the most.
local NEAR <const>, FARTHEST <const> = 86, 16

-- Floats in a cache line.
local FLOATS <const> = 16

-- A call is divided if that takes at most this part of its time by the model, which is not exact.
local GAIN <const> = 0.9

-- Time steps of a call that may have any number of them, where an example is needed.
local EXAMPLE_STEPS <const> = 100

local function directions(ir)
    local both = false
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then both = both or ir.stacks[stage.stack].sizes.D == 2 end
    end
    return both
end

-- The shortest of a kind's times is taken; each way: (ir, whole, members, batch, target) -> a function from time
-- steps, and how many times as far as NEAR the cores are, to cycles of a call and, for chunks, steps of one; or nil
-- and why not. whole: the choice for one thread.
local ways = {}

function ways.directions(ir, whole, _, batch)
    if not directions(ir) then return nil, "there is one direction" end
    local cycles, lines, meetings = 0, 0, 0
    for i, stage in ipairs(ir.stages) do
        local s = stage.kind == "stack" and ir.stacks[stage.stack].sizes
        cycles = cycles + whole.plans[i].cycles / (s and s.D or 1)
        meetings = meetings + (s and s.L or 1)
        if s and s.D == 2 then
            -- The next layer reads both halves of a row, one line after the other; in y they share a line.
            local handed_on = s.L - (i == #ir.stages and 1 or 0)
            lines = lines + batch * (handed_on * tiles.ceil(s.P, FLOATS) + (i == #ir.stages and 1 or 0))
        end
    end
    return function(steps, far)
        return far * (FORK + meetings * LATENCY + steps * lines * BESIDE) + steps * cycles
    end
end

-- Chunks of `length` steps: a member is busy with one for its `cycles` a step and what its layers `wait`;
-- and the longest chain of a chunk, `serial` cycles a step, begins after that of the chunk before.
local function turns_time(steps, length, members, work, far)
    local wait = far * work.wait
    local count, own = tiles.ceil(steps, length), length * work.cycles + wait
    local interval = math.max(own / members, length * work.serial + wait / work.layers)
    return far * FORK + (count - 1) * interval + math.min(length, steps) * work.cycles + wait
end

function ways.chunks(ir, whole, members, batch)
    if ir.time == "whole" then return nil, "one direction begins where another one ends" end
    local last_step, flat, rows = false, false, 1
    local work = { cycles = whole.cycles, serial = 0, wait = 0, layers = 0 }
    for i, stage in ipairs(ir.stages) do
        last_step, flat = last_step or stage.once, flat or stage.steps
        local plan = whole.plans[i]
        work.serial = math.max(work.serial, (plan.serial or 0) + (plan.projection and plan.projection.cycles or 0))
        for _, tile in pairs(plan.inputs or {}) do rows = math.max(rows, tile.rows) end
        -- The states of several blocks would have to be kept apart.
        if plan.block and plan.block < batch then return nil, "the batch has several blocks" end
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            local lines = #stack.states * batch * tiles.ceil(stack.sizes.H, FLOATS)
            work.layers = work.layers + stack.sizes.L
            work.wait = work.wait + stack.sizes.L * (LATENCY + LINE * lines)
        end
    end
    if work.layers == 0 then return nil, "there is no recurrent layer" end
    if last_step and ir.lengths then return nil, "sequences end in different chunks" end
    if flat then return nil, "a layer reads all steps side by side" end
    -- Input products have whole tiles of rows.
    local example = ir.steps == "any" and EXAMPLE_STEPS or ir.steps
    local length, least = 1, nil
    for n = rows, math.max(rows, 64), rows do
        local time = turns_time(example, n, members, work, 1)
        if not least or time < least then length, least = n, time end
    end
    return function(steps, far) return turns_time(steps, length, members, work, far) end, length
end

function ways.panels(ir, _, members, batch, target)
    for _, stack in ipairs(ir.stacks) do
        if stack.norm then return nil, "a norm needs all units" end
    end
    local own = choice(ir, target, batch, members)
    if not own then return nil, "no kernel for it has panels" end
    local meetings, chains = 0, 0
    for i, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local s, plan = ir.stacks[stage.stack].sizes, own.plans[i]
            chains = chains + s.L * s.D
            -- What is projected is exchanged too. The lines of the others come side by side.
            local words = (s.P ~= s.H and 2 or 1) * tiles.ceil(batch, plan.block)
            local floats = s.P ~= s.H and s.P + s.H or s.P
            local lines = batch * tiles.ceil(floats, FLOATS) * (members - 1) / members
            meetings = meetings + s.L * s.D * (words * LATENCY + BESIDE * lines)
        end
    end
    if chains == 0 then return nil, "there is no recurrent layer" end
    return function(steps, far)
        return far * (FORK + (chains + 1) * LATENCY + steps * meetings) + steps * own.cycles
    end
end

-- The time steps from which `time` is a gain over so many cycles a step; nil: never.
local function least_steps(time, cycles)
    local steps = 1
    while time(steps, 1) > GAIN * cycles * steps do
        steps = steps < 16 and steps + 1 or steps * 5 // 4
        if steps > 4096 then return nil end
    end
    return steps
end

-- The most nanoseconds of a latency with which `time` is a gain over so many cycles a step in a call of `steps`.
local function most_latency(time, cycles, steps)
    local far = 1
    while far < FARTHEST and time(steps, far + 0.125) <= GAIN * cycles * steps do far = far + 0.125 end
    return math.floor(NEAR * far)
end

local function slices_time(ir, target, batch, members)
    local share = tiles.ceil(batch, members)
    -- Rows of y of two slices share a line.
    local cycles = choice(ir, target, share).cycles
    return function(steps, far) return far * (FORK + steps * LINE) + steps * cycles end, share
end

-- The best way for one batch, without and with slices: { kind, time, least_steps, ... }, and its rivals.
local function best_for(ir, target, batch, members, steps)
    local whole = choice(ir, target, batch)
    local best = { kind = "one", cycles = steps * whole.cycles, least_steps = 1, share = batch, most_latency = 0 }
    local considered = { { kind = "one", cycles = math.ceil(best.cycles) } }
    local function consider(kind, time, extra)
        if not time then
            considered[#considered + 1] = { kind = kind, why_not = extra }
            return
        end
        local cycles, least = time(steps, 1), least_steps(time, whole.cycles)
        considered[#considered + 1] = { kind = kind, cycles = math.ceil(cycles) }
        if least and least <= steps and cycles < best.cycles then
            best = { kind = kind, cycles = cycles, least_steps = least, share = batch,
                     most_latency = most_latency(time, whole.cycles, steps) }
            if kind == "slices" then best.share = extra else best.chunk = extra end
        end
    end
    if batch > 1 then
        consider("slices", slices_time(ir, target, batch, members))
    else
        consider("slices", nil, "there is one sequence")
    end
    for _, kind in ipairs { "directions", "chunks", "panels" } do
        consider(kind, ways[kind](ir, whole, members, batch, target))
    end
    return best, considered
end

-- An unknown batch: as for one sequence, and slices from the batch on for which they are better.
local function any_batch(ir, target, members, steps)
    local best, considered = best_for(ir, target, 1, members, steps)
    local from, least = 32, 1
    for batch = 32, 2, -1 do
        local own = best_for(ir, target, batch, members, steps)
        if own.kind ~= "slices" then break end
        from, least = batch, own.least_steps
    end
    best.share, best.slices_from, best.least_slices = "any", from, least
    return best, considered
end

function divide.run(ir, target)
    local members = ir.threads
    local steps = ir.steps == "any" and EXAMPLE_STEPS or ir.steps
    if members == 1 then
        ir.division = { kind = "one", share = ir.batch, members = 1, slices_from = 0, considered = {} }
        return ir
    end
    local best, considered
    if ir.batch == "any" then
        best, considered = any_batch(ir, target, members, steps)
    else
        best, considered = best_for(ir, target, ir.batch, members, steps)
    end
    ir.division = {
        kind = best.kind, share = best.share, members = members, chunk = best.chunk or 0, considered = considered,
        slices_from = best.kind == "slices" and 1 or best.slices_from or 0, steps = steps,
        most_latency = best.most_latency, least_steps = best.least_steps,
        least_slices = best.least_slices or best.least_steps,
    }
    return ir
end

return divide
