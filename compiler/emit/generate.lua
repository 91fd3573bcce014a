-- generate: runs the pipeline on a spec and adds the weights: all files of a network, as texts.
local ablate = require "passes.ablate"
local fail = require "base.fail"
local host = require "host"
local pipeline = require "emit.pipeline"
local tune = require "kernels.tune"
local weight_forms = require "emit.weight_forms"
local weights = require "weights.weights"

-- The command that makes the same files again, without paths, which would differ from place to place.
local function command_line(spec, options, form)
    local words = { "rnnc compile", spec.source }
    if options.weights then words[#words + 1] = "--weights=" .. options.weights:match("[^/]*$") end
    for _, text in ipairs(options.define or {}) do words[#words + 1] = "--define=" .. text:gsub("[^%w_=.,+:-]", "?") end
    if options.target then words[#words + 1] = "--target=" .. options.target end
    if options["weights-as"] then words[#words + 1] = "--weights-as=" .. form end
    if options.ablate then words[#words + 1] = "--ablate=" .. options.ablate end
    return table.concat(words, " ")
end

-- generate(spec, options) -> list of {name=, text=}, notes, what pipeline.run returned. options: those of
-- `rnnc compile`, and `choices` (in place of those of a file of rnnc tune; see pipeline.lua).
return function(spec, options)
    local form, row = weight_forms.of(spec, options)
    if options.ablate and not ablate.parts[options.ablate] then
        fail.at("rnnc", '--ablate="' .. options.ablate .. '": expected functions or update')
    end
    local loaded, notes = nil, {}
    if spec.weights then loaded, notes = weights.load(spec) end
    local hash = loaded and host.weights_hash(loaded)
    local function run(choices)
        return pipeline.run(spec, { weights_as = form, weights_hash = hash, command = command_line(spec, options, form),
                                    ablate = options.ablate, choices = choices })
    end
    local result, warnings
    if options.choices then
        result = run(options.choices)
    else
        result, warnings = tune.with(spec, run)
        table.move(warnings, 1, #warnings, #notes + 1, notes)
    end
    local files = {}
    for i, file in ipairs(result.files) do files[i] = { name = file.name, text = file.text } end
    if row.suffix then
        local packed = host.pack(loaded, result.pack.steps, result.pack.packed_count)
        files[#files + 1] = { name = spec.name .. row.suffix, text = row.text(spec, result, packed) }
    end
    return files, notes, result
end
