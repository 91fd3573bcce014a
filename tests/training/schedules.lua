-- schedules: the rates of learning of each step, by hand and as PyTorch's schedulers have them.
local support = require "tests.compiler.support"
local schedule = require "training.schedule"

support.case("schedules by their formulas", function()
    local function rates(own, warm_up)
        local list = {}
        for step = 1, 10 do
            list[step] = schedule.rate({ optimiser = { lr = 2.0 }, schedule = own, warm_up = warm_up },
                (step + 1) // 2, step, 10, 0.5)
        end
        return list
    end
    local function near(got, wanted)
        for i, value in ipairs(wanted) do
            assert(math.abs(got[i] - value) <= 1e-12, i .. ": " .. got[i] .. ", wanted " .. value)
        end
    end
    near(rates(nil, 0), { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 })
    near(rates(nil, 4), { 0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 2 })
    near(rates({ form = "step", every = 2, factor = 0.5 }, 0), { 2, 2, 2, 2, 1, 1, 1, 1, 0.5, 0.5 })
    local cosine = {}
    for step = 1, 10 do
        cosine[step] = step <= 2 and 2 * step / 2 or 0.2 + 1.8 * (1 + math.cos(math.pi * (step - 3) / 8)) / 2
    end
    near(rates({ form = "cosine", least = 0.2 }, 2), cosine)
    -- torch.optim.lr_scheduler.OneCycleLR's: up to step 3 of 10, where 0.4 * 10 - 1 steps are done, and down.
    near(rates({ form = "one_cycle", rise = 0.4, start = 20, finish = 10 }, 0), {
        0.1, 0.1 + 1.9 * 0.25, 0.1 + 1.9 * 0.75, 2,
        0.01 + 1.99 * (1 + math.cos(math.pi / 6)) / 2, 0.01 + 1.99 * 0.75, 0.01 + 1.99 * 0.5, 0.01 + 1.99 * 0.25,
        0.01 + 1.99 * (1 - math.cos(math.pi / 6)) / 2, 0.01 })
    near(rates({ form = "one_cycle", rise = 0.01, start = 20, finish = 10 }, 0), { 0.01 + 1.99 * (1 + math.cos(
        math.pi * 0.9 / 9.9)) / 2 })
    near(rates({ form = "plateau", factor = 0.1, patience = 2, least = 0 }, 0), { 1, 1, 1 })
    near(rates({ form = "plateau", factor = 0.1, patience = 2, least = 1.5 }, 0), { 1.5, 1.5, 1.5 })
    -- As torch.optim.lr_scheduler.ReduceLROnPlateau: more than `patience` epochs without a better loss.
    local state = { factor = 1.0, waited = 0 }
    local training = { schedule = { form = "plateau", patience = 2, factor = 0.1 } }
    local factors = {}
    for i, better in ipairs { true, false, false, false, false, true, false, false, false } do
        schedule.after(training, state, better)
        factors[i] = state.factor
    end
    near(factors, { 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01 })
end)

support.finish()
