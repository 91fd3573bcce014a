-- bounds: what limits each product of a plan: how many cycles of a time step it needs at least of each
-- resource of the target. The largest is the limit that binds it.
--
--   fma      multiply-adds of its sums, padding included
--   l1       loads of weights and values through the load ports
--   l2, l3   its weights from the cache that holds them, for all rows at once where a panel stays in the
--            first cache; only one of the two, and neither if all of them stay there
--   latency  one sum after the other, as the next step needs this one's state: columns of a sum that is
--            not split further, then the step latency; products with the input wait for nothing
--
-- They add up over all layers and directions that share a product. Rates and sizes are the target's (see
-- targets.lua and cost.lua).
local cost = require "kernels.cost"
local tiles = require "kernels.tiles"

local bounds = {}

-- Resources, in the order in which they are printed.
bounds.resources = { "fma", "l1", "l2", "l3", "latency" }

-- Columns of all sums together, those of the longest, and how many values they are multiplied with.
local function columns_of_sums(product)
    local total, longest, values = 0, 0, 0
    for _, sum in ipairs(product.sums) do
        local columns = 0
        for _, term in ipairs(product.terms) do
            if sum.terms[term.name] then columns = columns + term.columns end
        end
        total, longest = total + columns, math.max(longest, columns)
    end
    for _, term in ipairs(product.terms) do values = values + term.columns end
    return total, longest, values
end

-- What `rows` rows cost: multiply-adds and loads of vectors, bytes of weights, how often they come from the
-- cache that holds them, cycles of a chain of sums, vectors that are updated, columns of all sums, and values
-- that a row reads.

-- Lanes carry units: weights are loaded as vectors for each row tile, values broadcast for each panel.
local function units(product, target, rows)
    local columns, longest, values = columns_of_sums(product)
    local vectors, sums, panels = 0, 0, 0
    for _, panel in ipairs(product.panels) do
        vectors, panels = vectors + panel.vectors * panel.count, panels + panel.count
        sums = sums + panel.sums * panel.count
    end
    -- Columns of the sums of a vector of units; grouped gates may have fewer sums in the last one.
    local each = columns * sums / (vectors * #product.sums)
    local most = product.rows[1].rows
    local passes = rows >= most and tiles.ceil(rows, most) or rows
    -- A panel serves all row tiles before the next one: it comes from afar once, if the first cache holds it.
    local panel = product.panels[1].vectors * target.lanes * each * 4
    return {
        fma = rows * vectors * each, loads = passes * vectors * each + rows * panels * values,
        weights = vectors * target.lanes * each * 4, passes = panel <= target.l1 and 1 or passes,
        vectors = rows * vectors,
        chain = longest // product.split * target.fma_latency, columns = columns, values = values,
    }
end

-- Lanes carry the batch: vectors of sequences are loaded for each tile of units, weights broadcast.
local function batch(product, target, rows)
    local columns, longest, values = columns_of_sums(product)
    local height, count = 0, 0
    for _, tile in ipairs(product.rows) do height, count = height + tile.rows * tile.count, count + tile.count end
    local passes = tiles.ceil(rows, product.block)
    return {
        fma = passes * product.vectors * height * columns,
        loads = passes * (height * columns + count * values * product.vectors / product.beside),
        weights = height * product.beside * columns * 4, passes = passes, vectors = passes * product.vectors * height,
        chain = longest * target.fma_latency, columns = columns, values = values,
    }
end

-- Lanes carry columns: rows of x and of W are loaded as vectors for each tile.
local function columns(product, target, rows)
    local _, longest, values = columns_of_sums(product)
    local vectors, height, high = 0, product.gates * product.height_of_gate, product.rows[1].rows
    for _, piece in ipairs(product.terms[1].pieces) do vectors = vectors + tiles.ceil(piece.count, target.lanes) end
    local wide = product.unit_tiles[1].rows
    return {
        fma = rows * height * vectors,
        loads = tiles.ceil(rows, high) * height / wide * (high + wide) * vectors,
        weights = height * values * 4, passes = 1, vectors = 0, chain = longest * target.fma_latency,
        columns = product.gates * values, values = values,
    }
end

-- Cycles by resource of one run of a product.
local function cycles_of(work, target, waits)
    local found = { fma = work.fma / target.fma_per_cycle, l1 = work.loads / target.loads_per_cycle }
    if work.weights > target.l1 then
        local level = work.weights > target.l2 and "l3" or "l2"
        found[level] = work.passes * cost.weights(target, work.weights, work.weights)
    end
    if waits then found.latency = work.chain + cost.step_latency(target) end
    return found
end

-- The resource of which most is needed.
local function largest(found)
    local best = "fma"
    for _, name in ipairs(bounds.resources) do
        if (found[name] or 0) > found[best] then best = name end
    end
    return best
end

-- bounds.add(product, target, use): how a stage uses a product. use: { rows (of the batch), units, times (chains
-- that run it in a step), steps (that it runs for at once), waits (does the next step wait for it?) }. Adds to
-- product.bounds: cycles by resource in a step of the network; `update`, cycles of what follows the sums;
-- `flops`, without padding; `bytes` of weights and values that it reads. product.limit is the resource that binds,
-- product.cycles what that and the update take.
function bounds.add(product, target, use)
    local rows = use.rows * use.steps
    local work = (product.height and batch or product.in_lanes == "columns" and columns or units)(product, target, rows)
    local share, sum = use.times / use.steps, product.bounds or { update = 0, flops = 0, bytes = 0 }
    for name, cycles in pairs(cycles_of(work, target, use.waits)) do sum[name] = (sum[name] or 0) + share * cycles end
    sum.update = sum.update + share * work.vectors * cost.update(target, product.update)
    sum.flops = sum.flops + 2 * share * rows * use.units * work.columns
    sum.bytes = sum.bytes + share * (work.passes * work.weights + 4 * rows * work.values)
    product.bounds, product.limit = sum, largest(sum)
    product.cycles = math.ceil(sum[product.limit] + sum.update)
end

-- bounds.of(ir, target): for all products of all stages, after products.of.
function bounds.of(ir, target)
    local rows = ir.batch == "any" and 1 or ir.batch
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local s = ir.stacks[stage.stack].sizes
            for _, layer in ipairs(stage.layers) do
                local use = { rows = rows, units = s.H, times = layer.kind == "first" and s.D or s.D * (s.L - 1),
                              steps = 1, waits = true }
                if layer.reset then bounds.add(layer.reset, target, use) end
                bounds.add(layer.step, target, use)
                if layer.projection then
                    use.units = s.P
                    bounds.add(layer.projection, target, use)
                end
                use.units, use.steps, use.waits = s.H, ir.chunk, false
                if layer.input then bounds.add(layer.input, target, use) end
            end
        elseif stage.kind == "dense" then
            local use = { rows = rows, units = stage.units, times = 1, steps = ir.chunk }
            if stage.once then use.times, use.steps = 1 / (ir.steps == "any" and ir.chunk or ir.steps), 1 end
            bounds.add(stage.product, target, use)
        end
    end
end

return bounds
