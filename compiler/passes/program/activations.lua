-- program.activations: what may follow the product of a dense layer (tables/activations.lua): a function of each
-- value, or one of those below, which need all outputs of a step.
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"
local rows = require "tables.activations"

local activations = {}

local statement = grammar.statement

local function append(list, s) list[#list + 1] = statement(s) end

-- The ranges and the access without the outputs, which are the last of both.
local function per_row(layer)
    local over, dims = table.move(layer.over, 1, #layer.over - 1, 1, {}), table.move(layer.dims, 1, #layer.dims - 1,
        1, {})
    return over, dims, function(name)
        local full = layer.at(name, 0)
        return grammar.access(table.unpack(full, 1, #full - 1))
    end
end

-- max of a row and the sum of exp(value - max), as softmax and log_softmax have it.
local function normalizer(layer)
    local over, dims, at = per_row(layer)
    local program, along = layer.program, { layer.over[#layer.over] }
    local most = layer.put(program, "most" .. layer.id, "workspace", dims)
    local total = layer.put(program, "total" .. layer.id, "workspace", dims)
    local shifted = { "sub", { "read", layer.at(layer.sums, "i") }, { "read", at(most) } }
    append(program.body, { op = "reduce", from = layer.from, kind = "max", over = over, sum = along, out = at(most),
                           value = { "read", layer.at(layer.sums, "i") } })
    append(program.body, { op = "reduce", from = layer.from, kind = "sum", over = over, sum = along, out = at(total),
                           value = { "exp", shifted } })
    return shifted, { "read", at(total) }
end

activations.of_rows = {
    softmax = function(layer)
        local shifted, total = normalizer(layer)
        return { "div", { "exp", shifted }, total }
    end,
    log_softmax = function(layer)
        local shifted, total = normalizer(layer)
        return { "sub", shifted, { "log", total } }
    end,
}

-- The tree with reads of tensors in place of a unit's weights.
local function with_weights(layer, tree)
    if type(tree) == "table" and tree[1] == "weight" then return layer.weights[tree[2]] end
    return expressions.rebuilt(tree, function(part) return with_weights(layer, part) end)
end

-- activations.apply(layer) -> the buffer with the result. layer: program, put, name, alpha, beta (or nil), sums (a
-- buffer), at (access to a buffer of its shape), over, dims, units, id, from, weights (of units, by name:
-- expressions; or nil). Errors: no such activation.
function activations.apply(layer)
    local name = layer.name
    local known, row = pcall(rows.of, name)
    if not known then error(layer.from .. ": " .. row, 0) end
    if row.of == "none" then return layer.sums end
    local value
    if row.of == "row" then
        local make = activations.of_rows[name] or error(layer.from .. ": no program of " .. name, 0)
        value = make(layer)
    else
        value = with_weights(layer, rows.tree(name, { "read", layer.at(layer.sums, "i") }, layer.alpha, layer.beta))
    end
    local out = layer.put(layer.program, "active" .. layer.id, "workspace", layer.dims)
    append(layer.program.body, { op = "map", from = layer.from, over = layer.over,
                                 sets = { { layer.at(out, "i"), value } } })
    return out
end

return activations
