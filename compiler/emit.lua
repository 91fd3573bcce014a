-- emit: from the plan to the text of the generated files. It decides nothing: it names things in C and
-- hands the plan to the templates.
local host = require "host"
local template = require "template"

local emit = {}

-- The C text of an expression tree of a cell (see cells.lua). sums(g) is the C name of the sum of gate g,
-- counted from 0.
local function expression(tree, vec, gate_index, sums)
    if tree[1] == "gate" then return sums(gate_index[tree[2]]) end
    local arguments = {}
    for i = 2, #tree do arguments[#arguments + 1] = expression(tree[i], vec, gate_index, sums) end
    return string.format("%s_%s(%s)", vec, tree[1], table.concat(arguments, ", "))
end

local function update_text(plan)
    local gate_index = {}
    for i, gate in ipairs(plan.gates) do gate_index[gate] = i - 1 end
    return function(variant)
        return function(sums) return expression(plan.update.h, variant.vec, gate_index, sums) end
    end
end

local function parameters(plan)
    local list, call = {}, {}
    local function add(declaration, argument)
        list[#list + 1] = declaration
        call[#call + 1] = argument
    end
    if not plan.built_in then add("const float *weights", "call->weights") end
    if plan.steps == "any" then add("size_t seq_len", "call->seq_len") end
    if plan.batch == "any" then add("size_t batch", "call->batch") end
    for _, name in ipairs { "x", "h0" } do add("const float *" .. name, "call->" .. name) end
    for _, name in ipairs { "y", "hn" } do add("float *" .. name, "call->" .. name) end
    add("void *workspace", "call->workspace")
    return table.concat(list, ", "), table.concat(call, ", ")
end

local function describe(plan)
    local s = plan.sizes
    return string.format("%s %d -> %d, %d layer(s), %d direction(s)%s%s; seq_len %s, batch %s.",
        plan.cell:gsub("RNNC_", ""):lower(), s.I, s.H, s.L, s.D, plan.bias and "" or ", no bias",
        plan.batch_first and ", batch first" or "", plan.steps, plan.batch)
end

local function reasons(variant)
    local lines = {}
    for _, c in ipairs(variant.considered) do
        lines[#lines + 1] = c.why_not and string.format("%s: not possible, %s", c.kernel, c.why_not)
            or string.format("%s: about %d cycles a step by the cost model", c.kernel, c.cycles)
    end
    return lines
end

-- __builtin_cpu_supports of every instruction set that the variant's functions use.
local function cpu_checks(variant)
    local checks = {}
    for name in variant.isa:gmatch("[^,]+") do
        checks[#checks + 1] = string.format("__builtin_cpu_supports(\"%s\")", name)
    end
    return checks
end

local function head(plan, file)
    return (template.render("head.c", {
        p = plan, file = file, describe = describe(plan), reasons = reasons,
    }):gsub("\n$", ""))
end

-- emit.files(plan) -> { { name, text }, ... }: NAME.h and NAME.c. Weights are not its business.
function emit.files(plan)
    local list, call = parameters(plan)
    local targets, needs, fixed = {}, nil, {}
    for i, v in ipairs(plan.variants) do
        targets[i] = v.target
        if not needs then needs = #v.needs == 0 and "nothing" or v.target end
    end
    if plan.steps ~= "any" then fixed[#fixed + 1] = { "seq_len", plan.steps } end
    if plan.batch ~= "any" then fixed[#fixed + 1] = { "batch", plan.batch } end
    local steps, batch = tostring(plan.steps), tostring(plan.batch)
    if steps == "any" then steps = "seq_len" end
    if batch == "any" then batch = "batch" end
    local fields = {
        p = plan, parameters = list, call_arguments = call, fixed = fixed, target_names = targets,
        needs_text = needs, steps_text = steps, batch_text = batch,
        x_shape = plan.batch_first and batch .. ", " .. steps or steps .. ", " .. batch,
        update_text = update_text(plan), cpu_checks = cpu_checks,
        weights_declaration = host.weights_declaration(plan.name, plan.packed_count),
        weights_expression = host.weights_expression(plan.name, plan.packed_count),
    }
    local files = {}
    for _, kind in ipairs { { ".h", "header.h" }, { ".c", "source.c" } } do
        local name = plan.name .. kind[1]
        fields.head = head(plan, name)
        files[#files + 1] = { name = name, text = template.render(kind[2], fields) }
    end
    return files
end

return emit
