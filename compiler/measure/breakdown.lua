-- breakdown: where the time of a step goes, measured by taking parts of the work away (passes/ablate.lua):
-- activations are what the network is faster by without its functions, the state update what it is faster by
-- with nothing but the sums, and the rest are products and what moves data for them. Parts that the CPU does
-- at the same time as others count for less than they would alone.
local build = require "measure.build"
local timing = require "measure.timing"

local steps = { "whole", "functions", "update" }

-- Options with one more.
local function with(options, name, value)
    local copy = { [name] = value }
    for k, v in pairs(options) do copy[k] = v end
    return copy
end

-- breakdown(problem, inputs, options, settings) -> nanoseconds of a step { product =, activation =, update = },
-- medians; nil if one of the networks cannot be timed. settings: { directory, seconds, progress, command }.
return function(problem, inputs, options, settings)
    local candidates = {}
    for i, what in ipairs(steps) do
        settings.progress(problem.title .. ": parts of a step")
        local library = problem.library
        if what ~= "whole" then
            library = build.network(problem.spec, with(options, "ablate", what), settings.directory .. "/" .. what,
                settings.command)
        end
        candidates[i] = timing.own(inputs, what, {
            library = library, symbol = problem.model .. "_model", altered = what ~= "whole",
        })
    end
    timing.run(candidates, settings.seconds, function(part)
        settings.progress(problem.title .. ": parts of a step", part)
    end)
    local ns = {}
    for i, c in ipairs(candidates) do
        if not c.times or #c.times == 0 then return nil end
        ns[i] = 1e9 * c.times[(#c.times + 1) // 2] / problem.seq_len
    end
    local linear, sums = math.min(ns[1], ns[2]), math.min(ns[1], ns[2], ns[3])
    return { product = sums, activation = ns[1] - linear, update = linear - sums }
end
