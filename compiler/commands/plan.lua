-- rnnc plan: how a network will be computed, for a person or stage by stage.
local fail = require "fail"
local host = require "host"
local nearest = require "nearest"
local pipeline = require "pipeline"
local report = require "report"
local specs = require "spec"
local tune = require "tune"

return function(arguments, options)
    local spec, notes = specs.load(arguments[1], options)
    for _, note in ipairs(notes) do host.complain(note) end
    local stage = options.dump
    local stages = table.concat(pipeline.stages, ", ")
    if stage == "help" then
        host.print(stages)
        return 0
    end
    local known = not stage
    for _, name in ipairs(pipeline.stages) do known = known or name == stage end
    if not known then
        local near = nearest(stage, pipeline.stages)
        fail.at("rnnc plan", "there is no stage '" .. stage .. "'"
            .. (near and "; did you mean " .. near .. "?" or "") .. " (stages: " .. stages .. ")")
    end
    local result, warnings = tune.with(spec, function(choices)
        return pipeline.run(spec, { weights_as = spec.weights and "c" or "none",
                                    command = "rnnc plan " .. spec.source, choices = choices })
    end)
    for _, warning in ipairs(warnings) do host.complain(warning) end
    local text = stage and report.dump(result.dumps[stage]) or report.plan(result)
    host.print((text:gsub("\n$", "")))
end
