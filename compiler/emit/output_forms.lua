-- output_forms: what the C of a network comes as, a row each.
--
-- option      of `rnnc compile` that asks for it; nil: what comes without
-- files       (spec, { header, source, weights: texts, suffix: of the weights' file }) -> the list of { name, text };
--             weights and suffix are nil where there are none
-- alone       does a program need no rnnc.h? Then the header has the status codes itself, and there is no NAME_model.
-- inline      does the source stand in the header?
-- freestanding  is there no C library, and no operating system, but memcpy and memset?
local activations = require "tables.activations"
local fail = require "base.fail"
local host = require "host"
local targets = require "tables.targets"

local function header_and_source(spec, texts)
    return { { name = spec.name .. ".h", text = texts.header },
             { name = spec.name .. ".c", text = texts.source .. "\n" .. texts.weights } }
end

local rows = {
    {
        name = "files",
        files = function(spec, texts)
            return { { name = spec.name .. ".h", text = texts.header },
                     { name = spec.name .. ".c", text = texts.source },
                     texts.suffix and { name = spec.name .. texts.suffix, text = texts.weights } }
        end,
    },
    {
        name = "standalone", option = "standalone", alone = true,
        files = header_and_source,
    },
    {
        name = "freestanding", option = "freestanding", alone = true, freestanding = true,
        files = header_and_source,
    },
    {
        name = "single_header", option = "single-header", alone = true, inline = true,
        files = function(spec, texts)
            local upper = spec.name:upper()
            return { { name = spec.name .. ".h", text = string.format("%s\n#if defined(%s_IMPLEMENTATION) && "
                .. "!defined(%s_IMPLEMENTED)\n#define %s_IMPLEMENTED\n%s\n%s#endif\n", texts.header, upper, upper,
                upper, texts.source, texts.weights) } }
        end,
    },
}

local output_forms = { options = {} }

-- What code without an operating system cannot have.
local function check_freestanding(spec)
    for _, name in ipairs(spec.target) do
        if targets[name].isa ~= "" then
            fail.at("rnnc", string.format('--freestanding: target = "%s" asks which CPU it runs on; name "scalar" or '
                .. '"portable"', name))
        end
    end
    for _, layer in ipairs(spec.layers or { spec }) do
        if layer.layer_norm then
            fail.at("rnnc", "--freestanding: layer_norm needs sqrtf of libm; --standalone has it")
        end
        if activations.is(layer.activation, "logarithm", true) then
            fail.at("rnnc", "--freestanding: " .. layer.activation
                .. " needs logf of libm; take the layer's outputs as they come, or "
                .. "softmax, which is the same but for the logarithm")
        end
    end
end

for i, row in ipairs(rows) do
    if row.option then output_forms.options[i - 1] = row.option end
end

-- output_forms.check_built_in(option, weights_as): fails if what the option of `rnnc compile` asks for would come
-- without weights. weights_as: see weight_forms.lua.
function output_forms.check_built_in(option, weights_as)
    if weights_as ~= "c" and weights_as ~= "floats" then
        fail.at("rnnc", string.format("--%s has its weights built in, and --weights-as=%s not; name a file in the spec "
            .. "or with --weights", option, weights_as))
    end
end

-- output_forms.of(spec, options, weights_as) -> the row that the options of `rnnc compile` ask for. weights_as: see
-- weight_forms.lua; nil: not known, and not checked.
function output_forms.of(spec, options, weights_as)
    local found = rows[1]
    for _, row in ipairs(rows) do
        if row.option and options[row.option] then
            if found.option then
                fail.at("rnnc", string.format("--%s and --%s exclude each other: %s", found.option, row.option,
                    row.inline and "the one is two files, the other one" or "the latter needs less, give it alone"))
            end
            found = row
        end
    end
    if not found.alone then return found end
    if found.freestanding then check_freestanding(spec) end
    local option = "--" .. found.option
    if spec.threads > 1 then
        fail.at("rnnc", string.format("%s: threads = %d needs the teams of rnnc.h; leave one of them out", option,
            spec.threads))
    end
    if spec.train or options.train then
        fail.at("rnnc", option .. ": training code needs rnnc.h; leave one of them out")
    end
    if weights_as then output_forms.check_built_in(found.option, weights_as) end
    return found
end

-- output_forms.status() -> the C of rnnc_status, as in rnnc.h.
function output_forms.status()
    return host.resource("runtime/rnnc.h"):match("#ifndef RNNC_STATUS\n.-\n#endif\n")
end

-- output_forms.version() -> that of rnnc, as rnnc.h has it.
function output_forms.version() return host.resource("runtime/rnnc.h"):match('RNNC_VERSION "([^"]+)"') end

-- output_forms.abi() -> the number of RNNC_ABI in rnnc.h.
function output_forms.abi() return host.resource("runtime/rnnc.h"):match("\n#define RNNC_ABI (%d+)u\n") end

return output_forms
