-- schedule: the rate of each batch.
local schedule = {}

-- From one rate to another along half a turn of a cosine (Loshchilov and Hutter 2017), part: 0 to 1.
local function annealed(from, to, part)
    return to + (from - to) * (1 + math.cos(math.pi * math.min(1, math.max(0, part)))) / 2
end

-- A rule gives what the rate of the optimiser is multiplied by, or the rate itself. at: { epoch (from 1), step (from 1,
-- of all), steps (of all), lr, warm_up, factor (what `plateau` has come to) }.
local rules <const> = {
    step = function(own, at) return at.lr * own.factor ^ ((at.epoch - 1) // own.every) end,
    -- From behind the warm-up to the last batch.
    cosine = function(own, at)
        return annealed(at.lr, own.least, (at.step - 1 - at.warm_up) / math.max(1, at.steps - at.warm_up))
    end,
    -- Up to lr and down again (Smith and Topin 2018), with the turns where torch.optim.lr_scheduler.OneCycleLR has
    -- them; momentum stays as it is.
    one_cycle = function(own, at)
        local first, top = at.lr / own.start, own.rise * at.steps - 1
        local done = at.step - 1
        if done <= top then return annealed(first, at.lr, top > 0 and done / top or 1) end
        return annealed(at.lr, first / own.finish, (done - top) / (at.steps - 1 - top))
    end,
    plateau = function(own, at) return math.max(own.least, at.lr * at.factor) end,
}

-- schedule.rate(training, epoch, step, steps, factor) -> the rate of batch `step` (from 1) of `steps` in all.
function schedule.rate(training, epoch, step, steps, factor)
    local own, lr = training.schedule, training.optimiser.lr
    local at = { epoch = epoch, step = step, steps = steps, lr = lr, warm_up = training.warm_up, factor = factor }
    local rate = own and rules[own.form](own, at) or lr
    return step <= training.warm_up and rate * step / training.warm_up or rate
end

-- schedule.after(training, state, better): at the end of an epoch, whose loss was better than all before, or not: what
-- the state { factor, waited } of a plateau becomes.
function schedule.after(training, state, better)
    local own = training.schedule
    if not own or own.form ~= "plateau" then return end
    state.waited = better and 0 or state.waited + 1
    if state.waited > own.patience then
        state.factor, state.waited = state.factor * own.factor, 0
    end
end

return schedule
