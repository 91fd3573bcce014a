-- report: the plan for a person, and any stage's data as text.
local activations = require "tables.activations"
local merges = require "tables.merges"
local bounds = require "kernels.bounds"

local report = {}

-- GHz at which predicted cycles become times; `rnnc bench` takes the clock that it measures.
local CLOCK <const> = 3

-- report.dump(value) -> its text as a Lua table, keys in sorted order, so that equal data is equal text.
function report.dump(value, indent)
    indent = indent or ""
    if type(value) == "string" then return string.format("%q", value) end
    if type(value) ~= "table" then return tostring(value) end
    local keys = {}
    for k in pairs(value) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b)
        if math.type(a) and math.type(b) then return a < b end
        return tostring(a) < tostring(b)
    end)
    if #keys == 0 then return "{}" end
    local inner, lines, flat = indent .. "    ", {}, true
    for _, k in ipairs(keys) do
        local text = report.dump(value[k], inner)
        flat = flat and not text:find("\n")
        lines[#lines + 1] = (math.type(k) == "integer" and k <= #value) and text or tostring(k) .. " = " .. text
    end
    local line = "{ " .. table.concat(lines, ", ") .. " }"
    if flat and #line + #indent <= 96 then return line end
    return "{\n" .. inner .. table.concat(lines, ",\n" .. inner) .. "\n" .. indent .. "}"
end

local units = { { 1 << 30, "GB" }, { 1 << 20, "MB" }, { 1 << 10, "KB" } }

local function bytes(n)
    for _, unit in ipairs(units) do
        if n >= 10 * unit[1] then return string.format("%.0f %s", n / unit[1], unit[2]) end
    end
    return string.format("%d bytes", n)
end

local function product_line(p)
    if p.height then
        return string.format("%-24s tiles of %d units x %d vectors of sequences%s", p.fn, p.height, p.vectors,
            p.prefetch > 0 and string.format(", prefetch distance %d bytes", p.prefetch) or "")
    end
    local rows = {}
    for _, tile in ipairs(p.rows) do rows[#rows + 1] = tostring(tile.rows) end
    if p.in_lanes == "columns" then
        return string.format("%-24s dot products, tiles of %s row(s) x %d units", p.fn, table.concat(rows, ", "),
            p.unit_tiles[1].rows)
    end
    return string.format("%-24s tiles of %s row(s) x %d vector(s) of units%s", p.fn, table.concat(rows, ", "), p.width,
        p.split > 1 and string.format(", sums in %d parts", p.split) or "")
end

local resource_names = { fma = "FMA", l1 = "L1", l2 = "L2", l3 = "L3", latency = "latency" }

-- What a step needs of each resource, and which binds.
local function bounds_line(p)
    local parts = {}
    for _, name in ipairs(bounds.resources) do
        local cycles = p.bounds[name]
        if cycles then parts[#parts + 1] = string.format("%s %.0f", resource_names[name], cycles) end
    end
    return string.format("%-24s %d cycles a step, bound by %s (%s), update %.0f", "", p.cycles,
        resource_names[p.limit], table.concat(parts, ", "), p.bounds.update)
end

-- Nanoseconds, or microseconds where those are many.
local function duration(cycles)
    local ns = cycles / CLOCK
    return ns < 10000 and string.format("%.0f ns", ns) or string.format("%.1f us", ns / 1000)
end

-- How a team shares a call.
local function division_lines(add, division)
    for _, c in ipairs(division.considered) do
        if c.why_not then
            add("  threads %-10s not possible: %s", c.kind, c.why_not)
        else
            add("  threads %-10s %8d cycles a call of %d steps%s", c.kind, c.cycles, division.steps,
                c.kind == division.kind and "   <- chosen" or "")
        end
    end
    if division.slices_from > 1 then
        add("  threads share a batch of %d or more in slices", division.slices_from)
    end
end

-- report.division(variant) -> how a team shares a call, and what else there was: as in `rnnc plan`.
function report.division(variant)
    local lines = {}
    division_lines(function(text, ...) lines[#lines + 1] = text:format(...):gsub("^  ", "") end, variant.division)
    return table.concat(lines, "\n")
end

-- Whose packed weights a program reads; several: are there others?
local function weights_line(add, v, several)
    if v.shared then
        add("  reads the packed weights of %s, %.2f times the cycles with weights of its own", v.shared, v.slower)
    elseif several then
        add("  its own packed weights, %s", bytes(v.packed_count * 4))
    end
end

local function variant_lines(add, plan, v)
    add("")
    add("target %s: %d floats in a vector", v.target, v.lanes)
    for _, c in ipairs(v.considered) do
        if c.why_not then
            add("  kernel %-10s not possible: %s", c.kernel, c.why_not)
        else
            add("  kernel %-10s %8d cycles a step by the cost model%s", c.kernel, c.cycles,
                c.kernel == v.label and "   <- chosen" or "")
        end
    end
    if v.tuned then add("  kernel and tiles as rnnc tune measured them") end
    for _, product in ipairs(v.products) do
        add("  %s", product_line(product))
        add("  %s", bounds_line(product))
    end
    division_lines(add, v.division)
    weights_line(add, v, #plan.variants > 1)
    for _, other in ipairs(v.others) do
        add("  for %s: kernel %s, %d cycles a step", other.serves, other.label, other.cycles)
        weights_line(add, other, true)
    end
    add("  batch in blocks of %d, time in chunks of %d%s, %s outermost", v.block, v.chunk,
        v.chunk_rows and " (" .. v.chunk_rows .. " by all sequences if that is more)" or "", v.schedule.outer)
    local peak = 2 * v.lanes * v.fma_per_cycle
    local flops = 2 * plan.macs_per_step * (v.batch == "any" and 1 or v.batch)
    add("  arithmetic alone: %.0f cycles a step at %d FLOPs a cycle", flops / peak, peak)
    local of = v.batch == "any" and " of one sequence" or v.part and " of " .. v.batch .. " sequences" or ""
    add("  predicted: %d cycles a step%s, %s at %g GHz", v.cycles, of, duration(v.cycles), CLOCK)
end

local function layer_line(layer)
    if layer.kind == "embedding" then
        return string.format("embedding of %d tokens in %d values", layer.inputs, layer.outputs)
    end
    if layer.kind == "activation" then
        if layer.count then return activations.text_of_layer(layer) end
        return string.format("%s of %d values", activations.text(layer.activation, layer.alpha, layer.beta),
            layer.outputs)
    end
    if layer.kind == "merge" then
        return string.format("%s, %d values%s", merges.of(layer.merge).text, layer.outputs,
            layer.last_state and ", last states only" or "")
    end
    if layer.kind == "dense" then
        return string.format("dense %d -> %d, %s%s", layer.inputs, layer.outputs,
            activations.text(layer.activation, layer.alpha, layer.beta),
            (layer.tied and ", by the embedding's table" or "")
                .. (layer.last_step and ", last step only" or layer.last_state and ", last states only"
                    or layer.steps > 0 and string.format(", of %d steps side by side", layer.steps) or ""))
    end
    local s = layer.sizes
    return string.format("%s, input %d, hidden %d%s, %d layer(s), %d direction(s)%s%s%s%s",
        layer.label, s.I, s.H, s.P ~= s.H and string.format(" projected to %d", s.P) or "",
        s.L, s.D, layer.reverse and ", backwards" or "", layer.bias and "" or ", no bias",
        layer.reset_before and ", reset before the product" or layer.peepholes and ", peepholes" or "",
        layer.functions_text)
end

-- The lines about shapes: x, y and the states.
local function shape_lines(add, plan)
    local steps = plan.steps == "any" and "T" or tostring(plan.steps)
    local batch = plan.batch == "any" and "B" or tostring(plan.batch)
    local outer = plan.batch_first and batch .. ", " .. steps or steps .. ", " .. batch
    add("  %s -> y (%s, %d)", plan.tokens and string.format("tokens (%s)", outer)
        or string.format("x (%s, %d)", outer, plan.input), plan.last_step and batch or outer, plan.output)
    for _, layer in ipairs(plan.layers) do
        if layer.kind == "stack" then
            local s = layer.sizes
            for _, state in ipairs(layer.states) do
                add("  %s0, %sn (%d, %s, %d)", state, state, s.L * s.D, batch, layer.state_width[state])
            end
            if layer.dropout > 0 then
                add("  dropout %g: in training only", layer.dropout)
            end
        end
    end
end

-- What a workspace takes for each step of the sequence: of a block, or for a copy of x.
local function per_step(plan)
    local space = plan.workspace
    if plan.copied then
        return string.format(" and %s a step%s", bytes(4 * plan.input * (plan.batch == "any" and 1 or plan.batch)),
            plan.batch == "any" and " of a sequence" or "")
    end
    return space.per_step > 0 and " and " .. bytes(space.block * space.per_step * 4) .. " a step" or ""
end

local function size_of(files)
    local size = 0
    for _, file in ipairs(files) do size = size + #file.text end
    return size
end

-- report.plan(result, single) -> what `rnnc plan` prints. single: the result with one program for all batches, or nil.
function report.plan(result, single)
    local plan, lines = result.plan, {}
    local function add(text, ...) lines[#lines + 1] = select("#", ...) > 0 and text:format(...) or text end
    local names = {}
    for i, layer in ipairs(plan.layers) do names[i] = layer_line(layer) end
    add("%s: %s%s", plan.name, table.concat(names, "; "), plan.plus_input)
    shape_lines(add, plan)
    local size = size_of(result.files)
    add("  a step of one sequence: %d multiply-adds, %d FLOPs", plan.macs_per_step, 2 * plan.macs_per_step)
    local space = plan.workspace
    add("  packed weights %s, workspace at most %s%s, generated C %s", bytes(plan.packed_count * 4),
        bytes((space.block * space.fixed + space.most_rows * space.per_chunk_step + space.more) * 4 + 64),
        per_step(plan), bytes(size))
    if single then
        add("  with one program for all sequences: packed weights %s, generated C %s",
            bytes(single.plan.packed_count * 4), bytes(size_of(single.files)))
    end
    for _, v in ipairs(plan.variants) do variant_lines(add, plan, v) end
    return table.concat(lines, "\n")
end

return report
