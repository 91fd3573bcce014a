-- emit: from the plan to the text of the generated files. It decides nothing: it names things in C and
-- hands the plan to the templates.
local activations = require "tables.activations"
local architectures = require "emit.architectures"
local entries = require "emit.entries"
local text_lines = require "emit.lines"
local expressions = require "ir.expressions"
local heads = require "emit.forward.heads"
local host = require "host"
local merges = require "tables.merges"
local model_rows = require "emit.model_rows"
local norms = require "emit.forward.norms"
local output_forms = require "emit.output_forms"
local products = require "kernels.products"
local rows = require "emit.forward.rows"
local statements = require "emit.statements"
local targets = require "emit.targets"
local template = require "emit.template"
local wrappers = require "emit.wrappers"

local emit = {}

-- The statements that compute and store the new states of one vector of units, as a function of where
-- its values are: names.sum(index), names.gates(offset), names.weight(offset),
-- names.state(S), names.normed(S), names.store(S), names.suffix.
local function update_of(variant, product)
    local index = {}
    for _, sum in ipairs(product.sums) do
        index[sum.part .. " " .. product.gate_names[sum.gate + 1]] = sum.index
    end
    local loads = {}
    for _, input in ipairs(product.inputs) do loads[product.gate_names[input.gate + 1]] = input.offset end
    return function(names)
        local function fresh(state) return string.format("%s_new_%s", state, names.suffix) end
        local leaves = {
            gate = function(gate) return names.sum(index["gate " .. gate]) end,
            recurrent = function(gate) return names.sum(index["recurrent " .. gate]) end,
            input = function(gate)
                return loads[gate] and names.gates(loads[gate]) or names.sum(index["input " .. gate])
            end,
            state = names.state,
            normed = names.normed,
            weight = function(vector) return names.weight(product.unit_weights[vector]) end,
            new = fresh,
            ["local"] = function(name) return name end,
        }
        local function text(tree)
            if type(tree) == "number" then
                return string.format("%s_splat(%s)", variant.vec, host.float(tree))
            end
            if leaves[tree[1]] then return leaves[tree[1]](tree[2]) end
            local arguments = {}
            for i = 2, #tree do arguments[i - 1] = text(tree[i]) end
            return string.format("%s_%s(%s)", variant.vec, tree[1], table.concat(arguments, ", "))
        end
        local list = {}
        local function define(name, tree)
            list[#list + 1] = statements.declare("const " .. variant.vec, { name, text(tree) })
        end
        for _, pair in ipairs(product.update) do
            -- What occurs twice, such as the candidate of a gru, has a name.
            local parts, trees = expressions.shared({ pair[2] }, string.format("%s_part_%s_", pair[1], names.suffix))
            for _, part in ipairs(parts) do define(part[1], part[2]) end
            define(fresh(pair[1]), trees[1])
        end
        for _, state in ipairs(product.states) do
            local value, tiny = fresh(state), product.tiny[state]
            if tiny then value = string.format("%s_unless_tiny(%s, %s)", variant.vec, value, text(tiny)) end
            list[#list + 1] = statements.call(variant.vec .. "_store", names.store(state), value)
        end
        return list
    end
end

-- emit.product(variant, product) -> the C of a product by its kernel, each of which has a module.
function emit.product(variant, product)
    local kernel = require("emit.products." .. (product.kernel or variant.kernel))
    return kernel(variant, product, update_of(variant, product))
end

-- The C of a function of each value, where no product is before it.
local function map_of(variant, map)
    if map.rows then return rows(variant, map, update_of(variant, map)) end
    if map.kind == "cell" then return norms(variant, map, update_of) end
    if map.kind == "normalise" then
        return template.render("normalise.c", { vec = variant.vec, lanes = variant.lanes, fn = map.fn,
            attribute = variant.attribute, units = map.units, row = map.row })
    end
    local update = update_of(variant, map) {
        suffix = "0",
        sum = function() return variant.vec .. "_load(from + i)" end,
        store = function() return "to + i" end,
    }
    local doc = string.format("to[i] = the function of from[i], of `count` floats, a multiple of %d.", variant.lanes)
    return statements.define(doc, variant.attribute .. " void " .. map.fn,
        "const float *from, float *RESTRICT to, ptrdiff_t count",
        { statements.loop(statements.declare("ptrdiff_t", { "i", "0" }), "i < count", "i += " .. variant.lanes,
            update) })
end

-- The C of the functions of heads, of a row of y.
local function heads_of(variant)
    return heads.of(variant, variant.by_head, function(part)
        return update_of(variant, { gate_names = { "h" }, sums = { { index = 0, gate = 0, part = "gate" } },
                                    inputs = {}, tiny = {}, update = part.update, states = { "h" } })
    end)
end

-- The parameters of a forward function, in order, each { declaration, name }.
local function parameters_of(plan, lengths)
    local list = {}
    local function add(type, name) list[#list + 1] = { type .. name, name } end
    if not plan.built_in then add("const float *", "weights") end
    if plan.steps == "any" then add("size_t ", "seq_len") end
    if plan.batch == "any" then add("size_t ", "batch") end
    add(plan.tokens and "const int32_t *" or "const float *", plan.tokens and "tokens" or "x")
    if lengths then add("const size_t *", "lengths") end
    for _, state in ipairs(plan.states) do add("const float *", state .. "0") end
    add("float *", "y")
    for _, state in ipairs(plan.states) do add("float *", state .. "n") end
    add("void *", "workspace")
    return list
end

local function joined(list, index, prefix)
    local words = {}
    for i, parameter in ipairs(list) do words[i] = (prefix or "") .. parameter[index] end
    return table.concat(words, ", ")
end

-- The states and y in the order of NAME_forward, as parameters and as arguments.
local function state_words(plan)
    local declared, named = {}, {}
    for i, state in ipairs(plan.states) do
        declared[i], named[i] = "const float *" .. state .. "0", state .. "0"
    end
    declared[#declared + 1], named[#named + 1] = "float *y", "y"
    for _, state in ipairs(plan.states) do
        declared[#declared + 1], named[#named + 1] = "float *" .. state .. "n", state .. "n"
    end
    return table.concat(declared, ", "), table.concat(named, ", ")
end

local function describe_layer(layer)
    if layer.kind == "embedding" then return string.format("embedding %d x %d", layer.inputs, layer.outputs) end
    if layer.kind == "activation" then return activations.text_of_layer(layer) end
    if layer.kind == "merge" then
        return merges.of(layer.merge).text .. (layer.last_state and ", last states only" or "")
    end
    if layer.kind == "dense" then
        return string.format("dense %d -> %d%s%s", layer.inputs, layer.outputs,
            layer.activation == "none" and "" or ", " .. activations.text(layer.activation, layer.alpha, layer.beta),
            (layer.tied and ", by the embedding's table" or "")
                .. (layer.last_step and ", last step only" or layer.last_state and ", last states only"
                    or layer.steps > 0 and string.format(", of %d steps side by side", layer.steps) or ""))
    end
    local s = layer.sizes
    return string.format("%s %d -> %d%s%s%s%s%s%s", layer.label, s.I, s.H,
        layer.reset_before and ", reset before the product" or layer.peepholes and ", peepholes" or "",
        s.P ~= s.H and string.format(" projected to %d", s.P) or "",
        s.L > 1 and string.format(", %d layers", s.L) or "",
        s.D == 2 and ", both directions" or layer.reverse and ", backwards" or "",
        layer.bias and "" or ", no bias", layer.functions_text)
end

local function describe(plan)
    local list = {}
    for i, layer in ipairs(plan.layers) do list[i] = describe_layer(layer) end
    return string.format("%s%s%s; seq_len %s, batch %s.", table.concat(list, "; "),
        plan.plus_input, plan.batch_first and "; batch first" or "", plan.steps, plan.batch)
end

local function reasons(variant)
    local lines = {}
    for _, c in ipairs(variant.considered) do
        lines[#lines + 1] = c.why_not and string.format("%s: not possible, %s", c.kernel, c.why_not)
            or string.format("%s: about %d cycles a step by the cost model", c.kernel, c.cycles)
    end
    local division = variant.division
    for _, c in ipairs(division.considered) do
        lines[#lines + 1] = c.why_not and string.format("threads, %s: not possible, %s", c.kind, c.why_not)
            or string.format("threads, %s: about %d cycles a call of %d steps%s", c.kind, c.cycles, division.steps,
                c.kind == division.kind and ", chosen" or "")
    end
    if division.slices_from > 1 then
        lines[#lines + 1] = string.format("threads, slices: for a batch of %d or more", division.slices_from)
    end
    return lines
end

local function memory_of(plan)
    return string.format("\n * Memory: %d bytes of constants%s.", plan.packed_count * 4, plan.streaming
        and string.format("; a stream has %d bytes and needs no others", plan.stream.bytes) or "")
end

-- The comment on top of a file. explained: with the kernels of the plan and their reasons?
local function head(plan, file, explained)
    return (template.render("head.c", { p = plan, file = file, describe = describe(plan), reasons = reasons,
        variants = explained and plan.variants or {}, version = output_forms.version(),
        memory = plan.form.freestanding and memory_of(plan) or "" }):gsub("\n$", ""))
end

-- "(T, B, ...)" of a state array: the stacks' arrays one after the other.
local function state_shape(plan, state, batch)
    local parts = {}
    for _, layer in ipairs(plan.layers) do
        if layer.kind == "stack" and layer.before[state] then
            parts[#parts + 1] = string.format("(%d, %s, %d)", layer.sizes.L * layer.sizes.D, batch,
                layer.state_width[state])
        end
    end
    return table.concat(parts, " then ")
end

-- Everything that the templates see of the plan and of names in C.
local function fields_of(plan)
    local list, long = parameters_of(plan, false), parameters_of(plan, plan.lengths)
    local names, fixed = {}, {}
    for i, v in ipairs(plan.variants) do names[i] = v.target end
    if plan.steps ~= "any" then fixed[#fixed + 1] = { "seq_len", plan.steps } end
    if plan.batch ~= "any" then fixed[#fixed + 1] = { "batch", plan.batch } end
    local steps = plan.steps == "any" and "seq_len" or tostring(plan.steps)
    local batch = plan.batch == "any" and "batch" or tostring(plan.batch)
    local shape = plan.batch_first and batch .. ", " .. steps or steps .. ", " .. batch
    local fields = {
        sum = statements.sum, times = statements.times,
        p = plan, fixed = fixed, target_names = names, steps_text = steps, batch_text = batch,
        parameters = joined(list, 1), call_arguments = joined(list, 2, "call->"),
        long_parameters = joined(long, 1), long_call_arguments = joined(long, 2, "call->"),
        x_shape = shape, y_shape = plan.last_step and batch or shape,
        state_shape = function(state) return state_shape(plan, state, batch) end,
        model_rows = model_rows, status = plan.form.alone and output_forms.status(),
        abi = output_forms.abi(), version = output_forms.version(),
        spec_hash = string.format("%016x", plan.spec_hash),
        weights_hash = plan.built_in and plan.weights_hash and string.format("%016x", plan.weights_hash),
        weights_declaration = plan.built_in and string.format("\n%s\n",
            host.weights_declaration(plan.weights_symbol, plan.packed_count, plan.weights_as)) or "",
        weights_expression = host.weights_expression(plan.weights_symbol, plan.packed_count, plan.weights_as),
    }
    fields.state_parameters, fields.state_arguments = state_words(plan)
    local found = targets.of(plan, fields, { product = emit.product, map = map_of, heads = heads_of })
    fields.found, fields.entries = found, entries.of(plan, fields, found)
    fields.refusal = architectures.refusal(found.architectures, plan.name .. ".c")
    fields.includes = architectures.includes(found.architectures, plan.name .. ".c", plan.form.freestanding)
    fields.model = not plan.form.alone and template.render("model.c", {
        p = plan, fixed = fields.fixed, call_arguments = fields.call_arguments, rows = model_rows,
        long_call_arguments = fields.long_call_arguments, target_names = table.concat(fields.target_names, ", "),
        weights_expression = fields.weights_expression,
    }) or ""
    fields.lacking = architectures.lacking(found.architectures)[1] or false
    fields.run_parameters = targets.parameters(plan, fields, plan.lengths) .. ", float *workspace"
    return fields
end

-- emit.files(plan) -> { { name, text }, ... }: NAME.h, NAME.c, and the wrappers of other languages. Weights are not its
-- business.
function emit.files(plan)
    local fields = fields_of(plan)
    local function render(ending, from)
        local name = plan.name .. ending
        fields.head = head(plan, name, ending == ".c")
        return { name = name, text = text_lines.laid_out(template.render(from, fields)) }
    end
    -- NAME.c asks for the NAME.h of its run by a hash of all that NAME.h says.
    fields.header_hash = ""
    fields.header_hash = string.format("%016x", products.hash(render(".h", "header.h").text))
    local files = { render(".h", "header.h"), render(".c", "source.c") }
    local more = wrappers.files(plan, function(name, from, words)
        fields.head, fields.w, fields.describe = head(plan, name), words, describe(plan)
        return template.render(from, fields)
    end)
    return table.move(more, 1, #more, #files + 1, files)
end

return emit
