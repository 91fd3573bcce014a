-- rnnc train: trains a network on the data that its spec names.
local checkpoint = require "training.checkpoint"
local data = require "training.data"
local fail = require "base.fail"
local host = require "host"
local output = require "report.output"
local paths = require "base.paths"
local run = require "training.run"
local specs = require "spec.spec"
local subject = require "measure.subject"
local trainer = require "training.trainer"

local COMMAND <const> = "rnnc train"

-- As many as the field of a spec may say.
local EPOCHS_MAX <const> = 1000000

-- Of a shell, for what SIGINT ended.
local INTERRUPTED <const> = 130

local COLUMNS <const> = { "epoch", "steps", "lr", "loss", "validation", "right", "norm", "seconds" }

local function csv_of(rows)
    local lines = { table.concat(COLUMNS, ",") }
    for _, row in ipairs(rows) do
        local cells = {}
        for i, name in ipairs(COLUMNS) do
            local value = row[name]
            cells[i] = value == nil and "" or math.type(value) == "float" and string.format("%.9g", value)
                or tostring(value)
        end
        lines[#lines + 1] = table.concat(cells, ",")
    end
    return table.concat(lines, "\n") .. "\n"
end

-- What --epochs says, within the bounds of the spec's field; nil if it is not given.
local function epochs_of(options)
    if not options.epochs then return nil end
    local value = math.tointeger(tonumber(options.epochs))
    if value and value >= 1 and value <= EPOCHS_MAX then return value end
    fail.at(COMMAND, "--epochs needs an integer from 1 to " .. EPOCHS_MAX)
end

-- The spec as it is trained: of any number of sequences and steps, for this machine; epochs: nil, those of the spec.
local function read(path, options, epochs)
    options.target = options.target or "native"
    local given = options.weights
    options.weights = nil
    local spec, notes = specs.load(path, options)
    local training = spec.training
    if not training then
        fail.at(path, "the spec does not say how it is trained: training = training { loss = \"mse\", data = "
            .. "\"data.npz\" }; `rnnc help training` has all fields")
    end
    if spec.map then fail.at(path, "map renames what is in a file; leave it out of a spec that is trained") end
    subject.check(spec, COMMAND)
    training.path = spec.weights_path or paths.join((paths.split(path)), spec.name .. ".safetensors")
    spec.weights, spec.weights_path = given, given
    training.epochs = epochs or training.epochs
    return spec, notes, given ~= nil
end

local function counted(count, word) return count .. " " .. word .. (count == 1 and "" or "s") end

local function title_of(spec, parts, facts)
    local words = {}
    for _, name in ipairs { "validation", "test" } do
        if parts[name] then words[#words + 1] = string.format(", %d for %s", parts[name].count, name) end
    end
    local training = spec.training
    return string.format("%s: %s, %s of %s%s; %s, %s, batches of %d", spec.name, counted(facts.count, "parameter"),
        counted(parts.data.count, "sequence"), counted(parts.data.steps, "step"), table.concat(words), training.loss,
        training.optimiser.form, training.batch)
end

local endings <const> = {
    done = nil,
    patience = "no epoch was better than the best one for as long as `patience` says",
    interrupted = "interrupted; `rnnc train --resume` goes on from here",
}

return function(arguments, options)
    output.check(COMMAND, options, { "csv", "json" })
    output.check(COMMAND, options, { "output" })
    local quiet = options.csv == "-" or options.json == "-"
    local function say(line) if not quiet then host.print(line) end end
    local spec, notes, given = read(arguments[1], options, epochs_of(options))
    if options.resume and given then fail.at(COMMAND, "--resume has weights already; leave --weights out") end
    local best, last = checkpoint.paths(spec, options)
    if best:sub(-1) == "/" then fail.at(COMMAND, best .. ": is a directory; give --output the name of a file") end
    for _, path in ipairs { best, last } do checkpoint.check(path, options.force) end
    local parts = data.parts(spec)
    spec.batch = "any"
    -- Weights behind a flatten are of so many steps; data.parts has seen that the sequences have these.
    local whole = false
    for _, layer in ipairs(spec.layers or {}) do whole = whole or layer.steps ~= nil end
    if not whole then spec.seq_len = "any" end
    for _, note in ipairs(notes) do
        if not note:find("target = ", 1, true) then host.complain(note) end
    end
    host.interrupted()
    local directory, message = host.temporary()
    if not directory then fail.at(COMMAND, message) end
    local _ <close> = setmetatable({}, { __close = function()
        host.progress("")
        host.remove_tree(directory)
    end })
    host.progress("the C compiler")
    local program = trainer.start(spec, options, options.keep or directory)
    host.progress("")
    say(title_of(spec, parts, program.facts))
    local rows = {}
    local settings = { directory = directory, best = best, last = last, resume = options.resume, given = given }
    local fine, ended, loss, right = pcall(run.all, spec, program, parts, settings, say, rows)
    output.write(COMMAND, options, "csv", csv_of(rows))
    output.write(COMMAND, options, "json",
        host.json { model = spec.name, parameters = program.facts.count, epochs = rows, test = fine and loss or nil,
                    test_right = fine and right or nil })
    if not fine then error(ended, 0) end
    if endings[ended] then say(endings[ended]) end
    if loss then say(string.format("test: loss %.5g%s", loss, run.percent(right))) end
    if host.exists(best) then say("the best weights are in " .. best) end
    return ended == "interrupted" and INTERRUPTED or 0
end
