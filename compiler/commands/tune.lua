-- rnnc tune: measures kernels and tiles for a network on this machine, and keeps what beats the cost model.
local build = require "measure.build"
local timing = require "measure.timing"
local fail = require "base.fail"
local host = require "host"
local kernels = require "kernels.kernels"
local overwrite = require "emit.overwrite"
local pipeline = require "emit.pipeline"
local search = require "measure.search"
local subject = require "measure.subject"
local tune = require "kernels.tune"

local COMMAND <const> = "rnnc tune"

-- A sample of a candidate; shorter than in a bench, since there are many.
local SAMPLE_SECONDS <const> = 0.001

-- The choice that the cost model makes for a target, for each kernel that applies; its favourite first.
local function choices_of(spec, target)
    local function choose(wanted)
        local choices = wanted and { [target] = wanted }
        local chosen = pipeline.run(spec, { weights_as = "none", command = COMMAND, choices = choices }).dumps.choose
        return chosen[#chosen].ir
    end
    local function choice_of(ir)
        local choice = { file = COMMAND, kernel = ir.label, tiles = {} }
        for _, kernel in ipairs(kernels) do
            for i, stage in ipairs(kernel.label == ir.label and ir.stages or {}) do
                if stage.kind == "stack" then choice.tiles[i] = kernel.tile(stage.choice) end
            end
        end
        return choice
    end
    local ir = choose()
    local list = { choice_of(ir) }
    for _, considered in ipairs(ir.considered) do
        if considered.cycles and considered.kernel ~= ir.label then
            list[#list + 1] = choice_of(choose { file = COMMAND, kernel = considered.kernel, tiles = {} })
        end
    end
    return list, #ir.stages
end

-- Is the choice one that can be? The cost model's passes say; false and the reason if not.
local function possible(spec, target, choice)
    local made, message = pcall(pipeline.run, spec,
        { weights_as = "none", command = COMMAND, choices = { [target] = choice } })
    -- What is refused comes as a user's mistake; anything else is a bug of rnnc.
    if not made and not (type(message) == "table" and message.user_errors) then error(message, 0) end
    return made, not made and table.concat(message.user_errors, "; ") or nil
end

-- How a person reads a choice.
local function text_of(choice, layers)
    local parts = { choice.kernel }
    for i = 1, layers do
        local tile = choice.tiles[i]
        if tile then parts[#parts + 1] = string.format("%d x %d, split %d", tile.rows, tile.vectors, tile.split) end
    end
    return table.concat(parts, "; ")
end

-- Compiles a choice; nil and the reason if it cannot be, or computes something wrong.
local function candidate(problem, target, choice, inputs, options, settings)
    local can, why = possible(problem.spec, target, choice)
    if not can then return nil, why end
    settings.count = settings.count + 1
    local directory, own = settings.directory .. "/" .. settings.count, { choices = { [target] = choice } }
    for name, value in pairs(options) do own[name] = value end
    local library = build.network(problem.spec, own, directory, COMMAND)
    local c = timing.own(inputs, "candidate", { library = library, symbol = problem.model .. "_model" })
    if c.runner and timing.check(c, inputs, directory) and timing.calibrate(c, SAMPLE_SECONDS) then
        return { choice = choice, timed = c }
    end
    if c.runner then c.runner:close() end
    return nil, c.note or "it cannot be timed"
end

-- Tunes one target: the choice, or nil if nothing beats the model's.
local function tune_target(problem, target, inputs, options, settings)
    local list, layers = choices_of(problem.spec, target)
    local first, why = candidate(problem, target, list[1], inputs, options, settings)
    if not first then fail.at(COMMAND, problem.path .. ": the generated code cannot be timed: " .. why) end
    local text = text_of(first.choice, layers)
    host.print(string.format("%s: the cost model takes %s", target, text))
    local doing
    local function bar(part)
        settings.progress(string.format("%s: %s  [%-20s]", target, doing, string.rep("=", math.floor(20 * part + 0.5))))
    end
    local found = search.run(list, layers, function(choice)
        doing = string.format("candidate %d: %s", settings.count, text_of(choice, layers))
        bar(0)
        return candidate(problem, target, choice, inputs, options, settings)
    end, first, function(new, old)
        local wins, gain = search.beats(new.timed, old.timed, settings.seconds, bar)
        if wins then
            settings.progress("")
            host.print(string.format("%s: %s is %.2f times as fast", target, text_of(new.choice, layers), gain))
        end
        return wins
    end)
    local best = found
    if best ~= first then
        -- The last word: against the model's own choice, with more time.
        first = candidate(problem, target, list[1], inputs, options, settings)
        doing = "the best against the cost model's choice"
        local wins, gain = search.beats(best.timed, first.timed, 4 * settings.seconds, bar)
        settings.progress("")
        if wins then
            host.print(string.format("%s: %s is taken: %.2f times as fast as %s", target,
                text_of(best.choice, layers), gain, text))
        else
            best = nil
        end
        first.timed.runner:close()
    else
        best = nil
    end
    settings.progress("")
    if not best then host.print(target .. ": nothing beats the cost model's choice for certain") end
    found.timed.runner:close()
    return best and { target = target, kernel = best.choice.kernel, tiles = best.choice.tiles, layers = layers }
end

return function(arguments, options)
    local seconds = subject.positive(options, "seconds", 0.2, COMMAND)
    local problem = subject.read(arguments[1], options, COMMAND)
    local spec, choices = problem.spec, {}
    local list = spec.target
    local path = tune.path(spec)
    local folder, name = path:match("^(.*)/([^/]*)$")
    folder, name = folder == "" and "/" or folder or ".", name or path
    overwrite.check(folder, { { name = name } }, COMMAND, "the spec's file")
    local directory, message = host.temporary()
    if not directory then fail.at(COMMAND, message) end
    local _ <close> = setmetatable({}, { __close = function()
        host.progress("")
        host.remove_tree(directory)
    end })
    host.pin()
    local inputs = subject.inputs(problem, COMMAND)
    for _, target in ipairs(list) do
        if subject.runs(target) then
            spec.target = { target }
            choices[#choices + 1] = tune_target(problem, target, inputs, options, {
                directory = directory, seconds = seconds, progress = host.progress, count = 0,
            })
        else
            host.print("target " .. target .. ": this CPU cannot run it")
        end
    end
    spec.target = list
    -- A file that is there already may say what no longer holds.
    if #choices == 0 and not host.exists(path) then
        host.print("no file is written: the cost model's choice stands")
        return
    end
    local written, problem_of = host.write(folder, { { name = name, text = tune.text(tune.network(spec), choices) } })
    if not written then fail.at(COMMAND, problem_of) end
    host.print(path)
end
