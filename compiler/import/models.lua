-- models: a file of any known format as a spec, its weights and what is to be said of it.
local fail = require "base.fail"
local host = require "host"
local names = require "base.names"
local readers = require "import.readers"
local spec_text = require "import.spec_text"
local specs = require "spec.spec"
local tensors = require "import.tensors"
local weight_files = require "weights.weights"

local models = {}

-- The bytes of the largest file that is read.
local BYTES_MAX <const> = 1 << 30

-- "amps/ts9.json" -> "ts9": what the network is called.
local function name_of(path) return names.from_file((path:gsub("%.[%w]+$", ""))) end

local function read(path)
    local bytes, message = host.read(path, BYTES_MAX)
    return bytes or fail.at(path, message)
end

-- The spec of a text that import made of the file `path`, with its weights in memory, and notes. What is wrong with it,
-- such as a size beyond a limit, is told of that file.
local function spec_of(path, text, bytes, options)
    local fine, spec, notes = pcall(specs.from_text, text, path, options)
    if not fine then
        if type(spec) ~= "table" or not spec.user_errors then error(spec, 0) end
        local lines = {}
        for i, line in ipairs(spec.user_errors) do
            -- Its lines are not those of the file.
            lines[i] = path .. line:sub(#path + 1):gsub("^:%d+", "")
        end
        fail.with(lines)
    end
    if not (options and options.weights) then spec.weights_bytes = bytes end
    return spec, notes
end

-- The record of a network, with its format, the text of its spec and the bytes of its safetensors file; nil if no
-- reader can read it.
local function import(path, bytes, name, weights)
    local file = { path = path, bytes = bytes }
    local reader = readers.of(file)
    if not reader then return nil end
    local record, source = reader.read(file), path:match("[^/]*$")
    record.format = reader.format
    return record, spec_text(record, name or name_of(path), weights or source, source),
        host.safetensors_bytes(record.tensors, source)
end

-- Keeps the tensors that the network needs; the others are not used.
local function keep(record, expected, prefix)
    local needed, kept = {}, {}
    for _, weight in ipairs(weight_files.tensors(expected)) do needed[prefix .. weight.name] = true end
    for _, tensor in ipairs(record.tensors) do
        if needed[tensor.name] then
            kept[#kept + 1] = tensor
        else
            record.unused[#record.unused + 1] = tensor.name .. " " .. tensors.shape_text(tensor.shape)
        end
    end
    record.tensors = kept
end

-- models.import(path, name, weights) -> the record of the network (see readers.lua) with its `format`, the text of its
-- spec and the bytes of its safetensors file, which fit together. name: of the network (nil: by the path), weights: the
-- name of that file.
function models.import(path, name, weights)
    local record, text, bytes = import(path, read(path), name, weights)
    if not record then
        local kind = host.file_kind(path)
        fail.at(path, "rnnc import cannot read this" .. (kind and ", which looks like " .. kind
            or "; `rnnc help import` lists what it can"))
    end
    local spec = spec_of(path, text, bytes)
    local _, _, expected = weight_files.check(spec)
    keep(record, expected, spec.prefix)
    return record, text, host.safetensors_bytes(record.tensors, path:match("[^/]*$"))
end

-- models.from_bytes(path, bytes, options) -> spec, notes of a file that is no spec; nil if no reader can read it. Its
-- weights are in memory (spec.weights_bytes).
function models.from_bytes(path, bytes, options)
    local record, text, weights = import(path, bytes)
    if not record then return nil end
    local spec, notes = spec_of(path, text, weights, options)
    for _, doubt in ipairs(record.doubts) do notes[#notes + 1] = fail.line(path, nil, "note", "not told: " .. doubt) end
    for _, rest in ipairs(record.unused) do notes[#notes + 1] = fail.line(path, nil, "note", "not used: " .. rest) end
    return spec, notes
end

-- models.load(path, options) -> spec, notes, as specs.load gives them, of a spec or of a file of another kind.
function models.load(path, options)
    -- A spec is of no kind that a file tells by its first bytes.
    if host.file_kind(path) then
        local spec, notes = models.from_bytes(path, read(path), options)
        if spec then return spec, notes end
    end
    return specs.load(path, options)
end

return models
