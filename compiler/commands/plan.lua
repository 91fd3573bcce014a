-- rnnc plan: how a network will be computed, for a person or stage by stage.
local differentiate = require "passes.program.differentiate"
local dump = require "ir.dump"
local fail = require "base.fail"
local host = require "host"
local models = require "import.models"
local nearest = require "base.nearest"
local pipeline = require "emit.pipeline"
local program = require "passes.program.lower"
local report = require "report.report"
local tune = require "kernels.tune"

-- Programs as pseudo-code: forward and backward in loops and buffers (ir/grammar.lua). Nothing is generated from them
-- yet.
local programs = {
    program = program.run,
    backward = function(spec) return differentiate.run(program.run(spec)) end,
}

-- All that --dump takes, in order.
local stages = table.move(pipeline.stages, 1, #pipeline.stages, 3, { "program", "backward" })

return function(arguments, options)
    local spec, notes = models.load(arguments[1], options)
    for _, note in ipairs(notes) do host.complain(note) end
    local stage = options.dump
    local listed = table.concat(stages, ", ")
    if stage == "help" then
        host.print(listed)
        return 0
    end
    local known = not stage
    for _, name in ipairs(stages) do known = known or name == stage end
    if not known then
        local near = nearest(stage, stages)
        fail.at("rnnc plan", "there is no stage '" .. stage .. "'"
            .. (near and "; did you mean " .. near .. "?" or "") .. " (stages: " .. listed .. ")")
    end
    if programs[stage] then
        local ok, made = pcall(programs[stage], spec)
        if not ok then fail.at(arguments[1], "no " .. stage .. " for this network: " .. tostring(made)) end
        host.print((dump.text(made):gsub("\n$", "")))
        return 0
    end
    local result, warnings = tune.with(spec, function(choices)
        return pipeline.run(spec, { weights_as = spec.weights and "c" or "none",
                                    command = "rnnc plan " .. spec.source, choices = choices })
    end)
    for _, warning in ipairs(warnings) do host.complain(warning) end
    local single
    local parts = false
    for _, variant in ipairs(result.plan.variants) do parts = parts or variant.part end
    if not stage and parts then
        single = pipeline.run(spec, { weights_as = "none", command = "rnnc plan " .. spec.source, single = true })
    end
    local text = stage and report.dump(result.dumps[stage]) or report.plan(result, single)
    host.print((text:gsub("\n$", "")))
end
