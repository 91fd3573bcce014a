-- schedule: the rate of each batch.
local schedule = {}

-- A rule gives what the rate of the optimiser is multiplied by, or the rate itself. at: { epoch (from 1), step (from 1,
-- of all), steps (of all), lr, warm_up, factor (what `plateau` has come to) }.
local rules <const> = {
    step = function(own, at) return at.lr * own.factor ^ ((at.epoch - 1) // own.every) end,
    -- Half a turn of a cosine, from behind the warm-up to the last batch (Loshchilov and Hutter 2017).
    cosine = function(own, at)
        local part = (at.step - 1 - at.warm_up) / math.max(1, at.steps - at.warm_up)
        return own.least + (at.lr - own.least) * (1 + math.cos(math.pi * math.min(1, math.max(0, part)))) / 2
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
