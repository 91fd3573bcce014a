-- subject: a network that is to be measured: its spec, the sizes of a call, and inputs.
local cells = require "tables.cells"
local fail = require "base.fail"
local host = require "host"
local models = require "import.models"
local network = require "measure.network"
local targets = require "tables.targets"
local weights = require "weights.weights"

local subject = {}

-- Where the spec says "any" and no option says more.
local SEQ_LEN <const>, BATCH <const> = 100, 1
local SIZE_MAX <const> = 1000000

-- RNNC_TEAM_MAX of rnnc.h, and what a spec may have.
local THREADS_MAX <const> = 64

-- subject.positive(options, name, default, command) -> the value of an option that is a number above 0.
function subject.positive(options, name, default, command)
    local value = tonumber(options[name] or default)
    if value and value > 0 and value < math.huge then return value end
    fail.at(command, "--" .. name .. " needs a number above 0")
end

-- The size that is run: the spec's, or that of an option where the spec says "any".
local function size_of(spec, field, option, options, default, command)
    local given = options[option]
    local value = given and math.tointeger(tonumber(given))
    if given and not (value and value >= 1 and value <= SIZE_MAX) then
        fail.at(command, "--" .. option .. " needs an integer from 1 to " .. SIZE_MAX)
    end
    if spec[field] == "any" then return value or default end
    if value and value ~= spec[field] then
        fail.at(command, string.format('--%s=%d: the spec of %s is for %s = %d; write "any" there to try others',
            option, value, spec.name, field, spec[field]))
    end
    return spec[field]
end

-- The arguments of drivers, "cell I H L D B T", for networks that libraries have as one layer.
local function shape_of(spec, seq_len, batch)
    if spec.layers or spec.proj_size > 0 or spec.direction == "reverse" or spec.reset_after == false
        or spec.peepholes or spec.layer_norm or not cells.is_plain(spec) then
        return nil
    end
    local cell = spec.cell == "rnn" and "rnn_" .. spec.nonlinearity or spec.cell
    return { cell, tostring(spec.input_size), tostring(spec.hidden_size), tostring(spec.num_layers),
             spec.bidirectional and "2" or "1", tostring(batch), tostring(seq_len) }
end

-- What stands in tables for a network: its sizes if they say all, else its name.
local function title_of(spec, shape, seq_len, batch)
    if shape then return table.concat(shape, " ") end
    return string.format("%s, batch %d, %d steps", spec.name, batch, seq_len)
end

-- subject.read(path, options, command) -> { spec, model (its name), path, seq_len, batch, shape (words for
-- drivers, or nil), title, problem (the same), rows = {} }. options: those of rnnc bench.
function subject.read(path, options, command)
    local spec, notes = models.load(path, options)
    for _, note in ipairs(notes) do host.complain(note) end
    local seq_len = size_of(spec, "seq_len", "seq-len", options, SEQ_LEN, command)
    local batch = size_of(spec, "batch", "batch", options, BATCH, command)
    local shape = shape_of(spec, seq_len, batch)
    local title = title_of(spec, shape, seq_len, batch)
    return { spec = spec, model = spec.name, path = path, seq_len = seq_len, batch = batch, shape = shape,
             problem = title, title = title, rows = {} }
end

-- subject.inputs(problem, command) -> what host.problem makes of it.
function subject.inputs(problem, command)
    local spec = problem.spec
    local own = spec.weights and weights.load(spec) or weights.random(spec, 1, command)
    local inputs, message = host.problem(network.of(spec), own, problem.seq_len, problem.batch, 1)
    return inputs or fail.at(command, problem.path .. ": " .. message)
end

-- subject.runs(target) -> can this CPU run code for it?
function subject.runs(target)
    local cpu = host.cpu()
    for _, need in ipairs(targets[target].needs) do
        if not cpu[need] then return false end
    end
    return true
end

-- subject.check(spec, command): an error unless this CPU runs one of the targets, before a compiler is asked for code
-- that may be for another architecture.
function subject.check(spec, command)
    for _, target in ipairs(spec.target) do
        if subject.runs(target) then return end
    end
    fail.at(command, "this CPU runs none of the targets; choose one with --target")
end

-- subject.variant(plan) -> the last of a plan's targets that this CPU runs, which is what generated
-- code takes too; there is one, see subject.check.
function subject.variant(plan)
    local found
    for _, variant in ipairs(plan.variants) do
        if subject.runs(variant.target) then found = variant end
    end
    return found
end

-- subject.threads(options, command) -> the value of --threads, or nil.
function subject.threads(options, command)
    if not options.threads then return nil end
    local value = math.tointeger(tonumber(options.threads))
    if value and value >= 2 and value <= THREADS_MAX then return value end
    fail.at(command, string.format("--threads needs an integer from 2 to %d; one thread is measured anyway",
        THREADS_MAX))
end

-- subject.sharing(variant, seq_len, batch, latency) -> how the team of a network with `threads` shares such a call:
-- "slices", "directions", ... or "one", see passes/divide.lua. latency: of the team, in nanoseconds.
function subject.sharing(variant, seq_len, batch, latency)
    local d = variant.division
    if d.slices_from > 0 and batch >= d.slices_from then return seq_len < d.least_slices and "one" or "slices" end
    return (seq_len < d.least_steps or latency > d.most_latency) and "one" or d.kind
end

return subject
