-- used: which functions and operations of vectors the code for a target needs.
local activations = require "tables.activations"
local expressions = require "ir.expressions"
local rows = require "tables.functions"

-- The functions that the updates call, the helpers behind them, and the vector operations that these
-- and the kernel need beyond load, store, splat and fma.
return function(ir, target, list, maps)
    local functions, helpers = {}, {}
    local uses = { add = false, sub = false, mul = false, div = false, at_least = false, at_most = false,
                   scale = false, unless_tiny = false, either = false, or_nan = false,
                   transpose = ir.in_lanes == "sequences" and ir.beside == 1, beside = ir.beside > 1,
                   regroup = false, regroup_two = false, columns = false, prefetch = false, fma_next = false,
                   load_next = false }
    for _, name in ipairs(rows.names()) do functions[name] = false end
    for _, name in ipairs { "exp", "expm1", "fast" } do helpers[name] = false end
    local function add_update(update)
        for _, pair in ipairs(update) do
            expressions.calls(pair[2], function(name, row)
                functions[name] = true
                for _, helper in ipairs(row.vector.helpers) do helpers[helper] = true end
                for _, operation in ipairs(row.vector.needs) do uses[operation] = true end
            end)
        end
    end
    for _, map in ipairs(maps) do
        add_update(map.update)
        for _, operation in ipairs(map.needs or {}) do uses[operation] = true end
        uses.unless_tiny = uses.unless_tiny or next(map.tiny or {}) ~= nil
    end
    for _, product in ipairs(list) do
        add_update(product.update)
        for _, tree in pairs(product.tiny) do
            uses.unless_tiny = true
            for _, name in ipairs { "either", "or_nan" } do
                uses[name] = uses[name] or expressions.key(tree):find("(" .. name .. " ", 1, true) ~= nil
            end
        end
        uses.columns = uses.columns or product.in_lanes == "columns"
        uses.add = uses.add or (product.split or 1) > 1
        uses.prefetch = uses.prefetch or (product.prefetch or 0) > 0
        for _, tile in ipairs(product.panels and product.rows or {}) do
            if tile.rows == 1 then uses.fma_next = uses.fma_next or product.in_order end
            if tile.rows > 1 then uses.load_next = uses.load_next or product.rows_in_order end
        end
        for _, panel in ipairs(product.grouped and product.role == "step" and product.panels or {}) do
            local last = panel.sums - (panel.vectors - 1) * #product.sums
            uses.regroup = uses.regroup or panel.vectors > 1 or last > 2
            uses.regroup_two = uses.regroup_two or last <= 2
        end
    end
    local function add_rowwise(activation, width)
        local rowwise = activations.of(activation).vector
        if not rowwise then return end
        for _, helper in ipairs(rowwise.helpers) do helpers[helper] = true end
        for _, operation in ipairs(rowwise.needs) do uses[operation] = true end
        for _, operation in ipairs(width >= target.lanes and rowwise.whole or {}) do uses[operation] = true end
    end
    local last = ir.stages[#ir.stages]
    add_rowwise(last.activation or "none", last.units or last.width)
    for _, part in ipairs(ir.by_head or {}) do
        add_rowwise(part.activation, part.width)
        if part.update then add_update(part.update) end
    end
    for _, operation in ipairs(helpers.fast and target.fast.needs or {}) do uses[operation] = true end
    return functions, helpers, uses
end
