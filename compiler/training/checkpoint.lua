-- checkpoint: what a run of training leaves: the best weights, and the last ones with all that is needed to go on.
local fail = require "base.fail"
local host = require "host"
local paths = require "base.paths"
local trainer = require "training.trainer"
local weights = require "weights.weights"

local checkpoint = {}

local COMMAND <const> = "rnnc train"
local BYTES <const> = 4

-- What metadata say under "from".
local FROM <const> = "rnnc train"

-- Numbers of a run, by their names in a checkpoint: floats by all their bits.
local function text_of(progress, settings)
    local names, words = {}, { FROM }
    for name in pairs(progress) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
        local value = progress[name]
        words[#words + 1] = name .. "=" .. (math.type(value) == "integer" and tostring(value)
            or string.format("%a", value))
    end
    return table.concat(words, " ") .. " settings " .. settings
end

-- checkpoint.settings(spec) -> what has to be the same for a run to go on, as a text.
function checkpoint.settings(spec)
    local own = spec.training
    local words = { own.loss, "batch=" .. own.batch, "seed=" .. own.seed, "piece=" .. (own.piece or "none"),
                    "validation=" .. tostring(own.validation), "test=" .. tostring(own.test), own.optimiser.form }
    for _, weight in ipairs(own.class_weights or {}) do words[#words + 1] = string.format("%a", weight) end
    return (table.concat(words, " "):gsub("%c", "?"))
end

-- checkpoint.paths(spec, options) -> the files of the best weights and of the last ones.
function checkpoint.paths(spec, options)
    local best = options.output or spec.training.path
    local stem, ending = best:match("^(.*)(%.[^./]*)$")
    return best, (stem or best) .. ".last" .. (ending or ".safetensors")
end

-- checkpoint.check(path, force): a file that is there and that no run of training wrote stays.
function checkpoint.check(path, force)
    if force or not host.exists(path) then return end
    local file = host.safetensors(path)
    local from = file and file:metadata("from")
    if not from or from:sub(1, #FROM) ~= FROM then
        fail.at(COMMAND, path .. " is there already, and `rnnc train` did not write it; name another file with "
            .. "--output, or replace it with --force")
    end
end

local function write(path, list, text)
    local directory, name = paths.split(path)
    local written, message = host.write(directory, { { name = name, text = host.safetensors_bytes(list, text) } })
    if not written then fail.at(COMMAND, message) end
end

-- The bytes of a file that the training program wrote; it has some of each parameter.
local function raw_of(path)
    local bytes, message = host.read(path, math.maxinteger)
    return bytes or fail.at(COMMAND, message)
end

-- The tensors of one vector of parameters, as PyTorch's or with a prefix.
local function tensors_of(facts, spec, bytes, prefix, list)
    for _, p in ipairs(facts.parameters) do
        list[#list + 1] = { name = prefix .. (spec.prefix or "") .. p.name,
                            shape = p.cols > 0 and { p.rows, p.cols } or { p.rows },
                            data = bytes:sub(BYTES * p.offset + 1, BYTES * (p.offset + p.count)) }
    end
end

-- checkpoint.best(path, spec, facts, raw): writes the parameters in the file `raw` of the training program.
function checkpoint.best(path, spec, facts, raw)
    local list = {}
    tensors_of(facts, spec, raw_of(raw), "", list)
    write(path, list, FROM)
end

-- checkpoint.last(path, spec, facts, raw, progress, batch): the same with what the optimiser keeps, the states of
-- `batch` sequences in whose midst it is (0: of none), and the numbers of the run.
function checkpoint.last(path, spec, facts, raw, progress, batch)
    local list, bytes, at = {}, raw_of(raw), 0
    local function take(count)
        at = at + BYTES * count
        return bytes:sub(at - BYTES * count + 1, at)
    end
    tensors_of(facts, spec, take(facts.count), "", list)
    for _, name in ipairs(trainer.keeps(spec.training)) do
        tensors_of(facts, spec, take(facts.count), "optimiser." .. name .. ".", list)
    end
    for _, state in ipairs(batch > 0 and facts.carried or {}) do
        list[#list + 1] = { name = "training." .. state.name, shape = { batch, state.floats },
                            data = take(batch * state.floats) }
    end
    write(path, list, text_of(progress, checkpoint.settings(spec)))
end

-- The parameters of a file under their names, or what is missing.
local function parameters_in(file, path, spec, facts, prefix)
    local shapes, parts = {}, {}
    for _, tensor in ipairs(file:list()) do
        if tensor.dtype == "F32" then shapes[tensor.name] = table.concat(tensor.shape, ",") end
    end
    for i, p in ipairs(facts.parameters) do
        local name = prefix .. (spec.prefix or "") .. p.name
        local shape = p.cols > 0 and p.rows .. "," .. p.cols or tostring(p.rows)
        if shapes[name] ~= shape then
            fail.at(path, string.format("%s %s (%s); it is of another network, start anew without --resume", name,
                shapes[name] and "is not" or "is missing,", shape))
        end
        parts[i] = file:floats(name)
    end
    return table.concat(parts)
end

-- checkpoint.parameters(path, spec, facts) -> the parameters and an optimiser that has not begun, as the training
-- program reads them.
function checkpoint.parameters(path, spec, facts)
    local bytes = parameters_in(weights.open(path), path, spec, facts, "")
    return bytes .. ("\0"):rep(BYTES * facts.count * #trainer.keeps(spec.training))
end

-- checkpoint.given(spec, facts) -> the same of the weights that the spec names, with its prefix and map.
function checkpoint.given(spec, facts)
    local file, _, expected = weights.check(spec)
    local parts = {}
    for i, tensor in ipairs(weights.tensors(expected)) do parts[i] = file:floats(tensor.file_name) end
    return table.concat(parts) .. ("\0"):rep(BYTES * facts.count * #trainer.keeps(spec.training))
end

-- checkpoint.resume(path, spec, facts) -> what the training program reads, the numbers of the run and the sequences
-- that have a state. Errors, the user's: a file of another run.
function checkpoint.resume(path, spec, facts)
    if not host.exists(path) then fail.at(COMMAND, path .. " is not there, so there is nothing to resume") end
    local file = weights.open(path)
    local words, settings = (file:metadata("from") or ""):match("^" .. FROM .. " (.*) settings (.*)$")
    if not words then fail.at(path, "no run can be resumed from it; `rnnc train` did not write it") end
    local own = checkpoint.settings(spec)
    if settings ~= own then
        fail.at(path, string.format("it is of a run with other settings (%s; now %s); go back to them, or start anew "
            .. "without --resume", settings, own))
    end
    local progress, batch = {}, 0
    for name, value in words:gmatch("(%w+)=(%S+)") do
        progress[name] = tonumber(value) or value == "inf" and math.huge or value == "-inf" and -math.huge
            or fail.at(path, "it is damaged: " .. name .. " is no number")
    end
    local parts = { parameters_in(file, path, spec, facts, "") }
    for _, name in ipairs(trainer.keeps(spec.training)) do
        parts[#parts + 1] = parameters_in(file, path, spec, facts, "optimiser." .. name .. ".")
    end
    local shapes = {}
    for _, tensor in ipairs(file:list()) do shapes[tensor.name] = tensor.shape end
    -- In the order of the program's, which is not that of the file.
    for _, state in ipairs(facts.carried) do
        local name = "training." .. state.name
        local shape = shapes[name]
        if shape and shape[2] == state.floats then
            batch = shape[1]
            parts[#parts + 1] = file:floats(name)
        end
    end
    for _, name in ipairs { "epoch", "first", "from", "step", "sum", "weight", "best", "since", "factor", "waited",
                            "start" } do
        if not progress[name] then fail.at(path, "it is damaged: it does not say " .. name) end
    end
    return table.concat(parts), progress, batch
end

return checkpoint
