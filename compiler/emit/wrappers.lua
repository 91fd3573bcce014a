-- wrappers: what a network comes with for other languages than C, a row each: a file that calls the functions of
-- NAME.h.
--
-- option    of `rnnc compile` that asks for it
-- ending    of the file's name
-- template  of its text, which sees what those of NAME.h and NAME.c see
-- built_in  does it need weights that are built in?
local output_forms = require "emit.output_forms"

local rows = {
    { option = "cxx", ending = ".hpp", template = "wrapper.hpp" },
    { option = "python", ending = ".py", template = "wrapper.py", built_in = true },
}

local wrappers = { options = {} }

for i, row in ipairs(rows) do wrappers.options[i] = row.option end

-- wrappers.of(options, weights_as) -> the rows that the options of `rnnc compile` ask for. weights_as: see
-- weight_forms.lua.
function wrappers.of(options, weights_as)
    local list = {}
    for _, row in ipairs(rows) do
        if options[row.option] then
            if row.built_in then output_forms.check_built_in(row.option, weights_as) end
            list[#list + 1] = row
        end
    end
    return list
end

-- The words of Python that the parameters of a network decide on. x: the name of its input, results: what a call of
-- forward returns, optional: the parameters behind x, wanted: the shape of x, where None fits any size, axes: of x, in
-- order, y_axes: of y but the last, call: what the function of C takes, argument_types: their types by ctypes.
local function python_words(plan)
    local x = plan.tokens and "tokens" or "x"
    local timed, batched = plan.steps == "any", plan.batch == "any"
    local axes = plan.batch_first and { "batch", "steps" } or { "steps", "batch" }
    local sizes = { steps = timed and "None" or tostring(plan.steps),
                    batch = batched and "None" or tostring(plan.batch) }
    local width = not plan.tokens and plan.input or nil
    local results, optional, returned = { "y" }, {}, { "y" }
    local call, types = {}, {}
    local function argument(name, kind) call[#call + 1], types[#types + 1] = name, kind end
    if timed then argument("steps", "size") end
    if batched then argument("batch", "size") end
    argument("_pointer(" .. x .. ", _INPUTS)", "_INPUTS")
    if plan.lengths then argument("_pointer(lengths, _SIZES)", "_SIZES") end
    for i, state in ipairs(plan.states) do
        results[i + 1], optional[i] = state .. "n", ", " .. state .. "0=None"
        argument("_pointer(" .. state .. "0)", "_FLOATS")
        -- The states of several stacks are one after the other.
        local stacks = {}
        for _, layer in ipairs(plan.layers) do
            if layer.kind == "stack" and layer.before[state] then stacks[#stacks + 1] = layer end
        end
        local one = #stacks == 1 and stacks[1]
        returned[i + 1] = state .. "n" .. (one and string.format(".reshape(%d, batch, %d)", one.sizes.L * one.sizes.D,
            one.state_width[state]) or "")
    end
    argument("_pointer(y)", "_FLOATS")
    for _, state in ipairs(plan.states) do argument("_pointer(" .. state .. "n)", "_FLOATS") end
    argument("workspace.ctypes.data", "pointer")
    return {
        x = x, dtype = plan.tokens and "int32" or "float32", width = width,
        c_type = plan.tokens and "ctypes.c_int32" or "ctypes.c_float",
        results = table.concat(results, ", "), returned = table.concat(returned, ", "),
        optional = table.concat(optional) .. (plan.lengths and ", lengths=None" or ""),
        wanted = sizes[axes[1]] .. ", " .. sizes[axes[2]] .. (width and ", " .. width or ""),
        axes = table.concat(axes, ", "), y_axes = plan.last_step and "batch" or table.concat(axes, ", "),
        forward = plan.lengths and "forward_lengths" or "forward",
        call = table.concat(call, ",\n            "), argument_types = table.concat(types, ", "),
        state_floats = plan.streaming and plan.stream.bytes // 4,
        weights_file = plan.form.alone and "" or " " .. plan.name .. "_weights.c",
        -- Only the library of the same run has it.
        symbol = not plan.form.alone and plan.weights_symbol,
    }
end

-- wrappers.files(plan, render) -> { { name, text }, ... }: those of plan.wrappers. render(file, template, w): its text;
-- w: words for the template.
function wrappers.files(plan, render)
    local list = {}
    for i, row in ipairs(plan.wrappers) do
        local name = plan.name .. row.ending
        list[i] = { name = name, text = render(name, row.template, python_words(plan)) }
    end
    return list
end

return wrappers
