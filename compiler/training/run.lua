-- run: the loop of training: epochs, batches, what is best so far, when to end.
local checkpoint = require "training.checkpoint"
local data = require "training.data"
local fail = require "base.fail"
local host = require "host"
local paths = require "base.paths"
local schedule = require "training.schedule"

local run = {}

local COMMAND <const> = "rnnc train"

-- A loss that is so many times the first one, and 1 more, explodes.
local EXPLODES <const> = 1e4

-- Names of the parts, and their numbers in the training program.
local PARTS <const> = { "data", "validation", "test" }

local function put(directory, name, text)
    local written, message = host.write(directory, { { name = name, text = text } })
    if not written then fail.at(COMMAND, message) end
    return paths.join(directory, name)
end

-- Gives the parts of the data to the training program.
local function give(parts, program, directory)
    for number, name in ipairs(PARTS) do
        local part = parts[name]
        if part then
            local path = put(directory, "part", data.text(part))
            program.must("data %d %d %d %d %s", number - 1, part.count, part.steps, part.lengths and 1 or 0, path)
            part.x, part.y, part.lengths = nil, nil, nil
        end
    end
end

-- The pieces of a batch: calls of(from, steps) until it returns false.
local function each_piece(part, piece, from, of)
    while from < part.steps do
        local steps = math.min(piece or part.steps, part.steps - from)
        if of(from, steps) == false then return false end
        from = from + steps
    end
end

-- run.evaluate(program, training, parts, name) -> the mean loss of that part, and the share of right labels (nil: there
-- are none).
local function evaluate(program, training, parts, number, labels)
    local part, sum, weight, right = parts[PARTS[number]], 0.0, 0.0, 0
    for first = 0, part.count - 1, training.batch do
        local batch = math.min(training.batch, part.count - first)
        each_piece(part, training.piece, 0, function(from, steps)
            local words = program.must("evaluate %d %d %d %d %d", number - 1, first, batch, from, steps)
            sum, weight, right = sum + words[1] * words[2], weight + words[2], right + words[3]
        end)
    end
    return sum / weight, labels and right / weight or nil
end

local function percent(share) return share and string.format(" (%.2f %% right)", 100 * share) or "" end

local function duration(seconds)
    if seconds < 60 then return string.format("%.0f s", seconds) end
    if seconds < 3600 then return string.format("%d:%02d min", seconds // 60, math.floor(seconds % 60)) end
    return string.format("%d:%02d h", seconds // 3600, math.floor(seconds % 3600 / 60))
end

-- What may be wrong with a batch whose loss or gradient is no number, or too large.
local function remedy(training)
    local own = training.optimiser
    local words = { string.format("try %s { lr = %g }", own.form, own.lr / 10) }
    if not training.clip then words[2] = "clip = 1.0" end
    return table.concat(words, ", or ")
end

-- The run so far: where it is (epoch, from 1; sequences of it that are done; steps of the batch that are done; batches
-- of all), the sum of losses and their weight in this epoch, the loss of the best epoch, epochs since, the state of a
-- plateau, and the first loss.
local function fresh()
    return { epoch = 1, first = 0, from = 0, step = 0, sum = 0.0, weight = 0.0, best = math.huge, since = 0,
             factor = 1.0, waited = 0, start = -1.0 }
end

-- One epoch, from where it is. false: the user asked to end.
local function epoch_of(own, s)
    local training, program, part = own.training, own.program, own.parts.data
    program.must("shuffle %d %d", s.epoch, training.seed)
    while s.first < part.count do
        local batch = math.min(training.batch, part.count - s.first)
        local going = each_piece(part, training.piece, s.from, function(from, steps)
            s.step = s.step + 1
            local lr = schedule.rate(training, s.epoch, s.step, own.steps, s.factor)
            local words, answer = program.ask("step %d %d %d %d %d %a %a", s.first, batch, from, steps, s.step, lr,
                training.clip or 0.0)
            local place = string.format("epoch %d, step %d: ", s.epoch, s.step)
            if not words then
                local tensor = answer:match("^stop ?(.*)$")
                if not tensor then own.program.explain(answer) end
                fail.at(COMMAND, string.format("%s%s is no number any more; %s", place, tensor == "" and "the loss"
                    or "the gradient of " .. tensor, remedy(training)))
            end
            s.sum, s.weight, own.norm, own.lr = s.sum + words[1] * words[2], s.weight + words[2], words[3], lr
            own.seconds, own.sequences = own.seconds + words[4], own.sequences + batch * steps / part.steps
            if s.start < 0 then s.start = words[1] end
            if words[1] > EXPLODES * (s.start + 1) then
                fail.at(COMMAND, string.format("%sthe loss explodes, from %.4g to %.4g; %s", place, s.start, words[1],
                    remedy(training)))
            end
            s.from = from + steps
            own.tell(s, words[1])
            if host.interrupted() then return false end
        end)
        -- What was asked for at the end of a batch is found at its beginning.
        if s.from >= part.steps then s.first, s.from = s.first + batch, 0 end
        if going == false then return false end
    end
    return true
end

-- The progress bar: epoch, step, loss, norm of the gradient, sequences a second, time left.
local function bar_of(own)
    local shown = 0
    return function(s, loss)
        if own.seconds - shown < 0.1 then return end
        shown = own.seconds
        local part = s.step / own.steps
        local left = own.seconds / own.done * (own.steps - s.step)
        local filled = string.rep("=", math.floor(20 * part + 0.5))
        host.progress(string.format("epoch %d of %d [%-20s] step %d, loss %.4g, gradient %.3g, %.0f sequences/s, "
            .. "%s left", s.epoch, own.training.epochs, filled, s.step, loss, own.norm, own.sequences / own.seconds,
            duration(left)))
    end
end

local function save_last(own, s)
    local batch = s.from > 0 and math.min(own.training.batch, own.parts.data.count - s.first) or 0
    local raw = paths.join(own.directory, "state")
    own.program.must("save %d %s", batch, raw)
    checkpoint.last(own.last, own.spec, own.program.facts, raw, s, batch)
end

-- Behind the last batch of an epoch: judges it, keeps the best, says a line; returns its row.
local function close_epoch(own, s, say)
    local training, program = own.training, own.program
    local labels = program.facts.sizes.labels
    local row = { epoch = s.epoch, steps = s.step, lr = own.lr, loss = s.sum / s.weight, norm = own.norm,
                  seconds = own.seconds }
    if own.parts.validation then
        row.validation, row.right = evaluate(program, training, own.parts, 2, labels)
    end
    local judged = row.validation or row.loss
    local better = judged < s.best
    if better then
        s.best, s.since = judged, 0
        own.raw_best = paths.join(own.directory, "best")
        program.must("save 0 %s", own.raw_best)
        checkpoint.best(own.best, own.spec, program.facts, own.raw_best)
    else
        s.since = s.since + 1
    end
    schedule.after(training, s, better)
    host.progress("")
    say(string.format("epoch %d of %d: loss %.5g%s%s", s.epoch, training.epochs, row.loss, row.validation
        and string.format(", validation %.5g%s", row.validation, percent(row.right)) or "", better and ", best" or ""))
    s.epoch, s.first, s.from, s.sum, s.weight = s.epoch + 1, 0, 0, 0.0, 0.0
    save_last(own, s)
    return row
end

-- run.all(spec, program, parts, settings, say, rows) -> how it ended: "done", "patience" or "interrupted", and of the
-- test part, if there is one, the loss and the share of right labels. settings: { directory, best, last (paths),
-- resume, given (start from the spec's weights?) }; say(line); rows: gets a row an epoch. Errors, the user's: losses
-- that are no numbers, or explode.
function run.all(spec, program, parts, settings, say, rows)
    local own = { spec = spec, training = spec.training, program = program, parts = parts,
                  directory = settings.directory, best = settings.best, last = settings.last,
                  seconds = 0.0, sequences = 0.0, done = 0, norm = 0.0, lr = spec.training.optimiser.lr }
    local training, s = spec.training, fresh()
    local pieces = (parts.data.steps + (training.piece or parts.data.steps) - 1) // (training.piece or parts.data.steps)
    own.steps = training.epochs * pieces * ((parts.data.count + training.batch - 1) // training.batch)
    give(parts, program, settings.directory)
    if settings.resume then
        local bytes, progress, batch = checkpoint.resume(own.last, spec, program.facts)
        program.must("load %d %d %s", batch, training.piece or parts.data.steps, put(own.directory, "given", bytes))
        s = progress
    elseif settings.given then
        program.must("load 0 0 %s", put(own.directory, "given", checkpoint.given(spec, program.facts)))
    else
        program.must("init %d", training.seed)
    end
    local bar = bar_of(own)
    own.tell = function(state, loss)
        own.done = own.done + 1
        bar(state, loss)
    end
    local ended = "done"
    while s.epoch <= training.epochs do
        if training.patience and s.since >= training.patience then
            ended = "patience"
            break
        end
        if epoch_of(own, s) then
            rows[#rows + 1] = close_epoch(own, s, say)
        else
            host.progress("")
            save_last(own, s)
            return "interrupted"
        end
    end
    if not parts.test then return ended end
    if not own.raw_best then
        own.raw_best = put(own.directory, "best", checkpoint.parameters(own.best, spec, program.facts))
    end
    program.must("load 0 0 %s", own.raw_best)
    return ended, evaluate(program, training, parts, 3, program.facts.sizes.labels)
end

run.percent = percent

return run
