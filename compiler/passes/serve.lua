-- serve: the programs by which one target serves the calls of a network.
--
-- One is the first, of role "". Beside it there are, where they gain something by the cost model:
--
--   lengths   for calls of sequences of different lengths: it gathers its rows anew for every chunk, which other calls
--             are not to pay for, and its kernel may be another
--   blocks    of an unknown batch, for as many sequences as fill vectors: whole blocks, and what is left of at least so
--             many; the first program takes the rest
--   one       of an unknown batch, for one sequence: a call of one, or the last one behind the blocks
--   rest      of a batch that whole blocks do not fill, for those behind them; the first program takes the blocks
local serve = {}

-- Sequences of the largest block that is asked for.
local MOST <const> = 32

-- Another program has text and often weights of its own: it is there if calls take at most this part of the time; a
-- second layout of many weights, in bytes, has to gain more.
local GAIN <const>, MANY <const>, GAIN_OF_MANY <const> = 0.95, 1 << 20, 0.8

-- A block of half as many sequences, if it takes so many times as long for each: fewer calls have lanes without any.
local SMALLER <const> = 1.06

-- The network with other facts.
local function with(ir, facts)
    local own = {}
    for key, fact in pairs(ir) do own[key] = fact end
    for key, fact in pairs(facts) do own[key] = fact end
    return own
end

-- The same for so many sequences of a call, a number or "any".
local function of_batch(ir, batch, facts)
    local own = with(ir, facts or {})
    own.batch, own.stacks = batch, {}
    for i, stack in ipairs(ir.stacks) do own.stacks[i] = with(stack, { batch = batch }) end
    return own
end

local function cycles(ir, target, choice, batch) return choice(of_batch(ir, batch), target, batch).cycles end

-- The same with lanes that carry units, which run any batch.
local function cycles_of_units(ir, target, choice, batch)
    local _, considered = choice(of_batch(ir, batch), target, batch)
    for _, kernel in ipairs(considered) do
        if kernel.in_lanes == "units" then return kernel.cycles end
    end
end

-- Bytes of the recurrent layers' weights.
local function bytes_of(ir)
    local bytes = 0
    for _, stack in ipairs(ir.stacks) do
        local s = stack.sizes
        bytes = bytes + 4 * s.D * s.G * s.H * (s.I + s.P + (s.L - 1) * (s.D + 1) * s.P)
    end
    return bytes
end

-- The block of the batch kernel for an unknown batch, and the fewest sequences that it is better for; nil: it is not.
local function block_of(ir, target, choice)
    local best
    for _, batch in ipairs { MOST, target.lanes } do
        local found = choice(of_batch(ir, batch), target, batch)
        local each = found.cycles / batch
        if found.of.in_lanes == "sequences" and (not best or each <= SMALLER * best.each) then
            best = { batch = batch, cycles = found.cycles, each = each }
            for _, plan in ipairs(found.plans) do best.block = plan.block or best.block end
        end
    end
    if not best then return nil end
    local gain = bytes_of(ir) > MANY and GAIN_OF_MANY or GAIN
    if cycles_of_units(ir, target, choice, best.batch) * gain < best.cycles then return nil end
    local least, cycles_of_block = best.block, best.each * best.block
    while least > 2 and cycles_of_units(ir, target, choice, least - 1) >= cycles_of_block do least = least - 1 end
    return best.batch, least
end

local function of_any(ir, target, choice)
    local list = {}
    local block, least = block_of(ir, target, choice)
    if block then
        list[1] = { role = "_blocks", ir = of_batch(ir, block, { part = true, least = least }) }
    end
    list[#list + 1] = { role = "_one", ir = of_batch(ir, 1, { part = true }) }
    list[#list + 1] = { role = "", ir = with(ir, { several = true, part = true }) }
    return list
end

-- The sequences of a known batch that are worth a program of their own, apart from those behind; the batch if none.
local function whole_of(ir, target, choice)
    local batch, best, least = ir.batch, ir.batch, GAIN * cycles(ir, target, choice, ir.batch)
    for _, block in ipairs { MOST, target.lanes, target.lanes // 2 } do
        local whole = block > 1 and batch // block * block or 0
        if whole > 0 and whole < batch then
            local both = cycles(ir, target, choice, whole) + cycles(ir, target, choice, batch - whole)
            if both < least then best, least = whole, both end
        end
    end
    return best
end

-- serve.programs(ir, target, choice, alone) -> { { role, ir }, ... }: role is the end of the names of its functions in
-- C; the last one is the first program. ir.part: does it run on a part of the call's batch? ir.least: of blocks.
-- choice: the cost model, kernels/choice.lua. alone: no programs for parts of the batch, as where a tile was measured.
function serve.programs(ir, target, choice, alone)
    local plain = ir.lengths and with(ir, { lengths = false }) or ir
    local list
    if alone or ir.threads > 1 or target.lanes == 1 then
        list = { { role = "", ir = plain } }
    elseif ir.batch == "any" then
        list = of_any(plain, target, choice)
    else
        local whole = whole_of(plain, target, choice)
        list = { { role = "", ir = whole == ir.batch and plain or of_batch(plain, whole, { part = true }) } }
        if whole < ir.batch then
            table.insert(list, 1, { role = "_rest", ir = of_batch(plain, ir.batch - whole, { part = true }) })
        end
    end
    if ir.lengths then table.insert(list, 1, { role = "_lengths", ir = ir }) end
    return list
end

return serve
