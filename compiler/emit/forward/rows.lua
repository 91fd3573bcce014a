-- rows: a function of what a stage gives, row by row, that needs more than each value by itself: weights of the units,
-- or a second value from elsewhere in the row. Built as statements.
local statements = require "emit.statements"

local count, sum = statements.count, statements.sum
local format = string.format

-- A loop from 0 to `extent` by `step`.
local function strided(name, extent, step, body)
    return statements.loop(statements.declare("ptrdiff_t", { name, "0" }), format("%s < %d", name, extent),
        step == 1 and "++" .. name or format("%s += %d", name, step), body)
end

-- rows(v, map, update) -> the C of the function `map` (kernels/products.lua) of the variant v; update: what
-- emit.update_of gives. In the units kernel it takes rows of map.from_row floats, in the batch kernel one block of
-- sequences, in which lines of map.beside units of all of them follow each other.
return function(v, map, update)
    local batch, list = map.beside > 0, {}
    local weight = batch and (map.beside > 1 and "_splat_group(per_unit + %s)" or "_splat(per_unit[%s])")
        or "_load(per_unit + %s)"
    -- Is a line longer than a vector?
    local long = batch and map.beside * map.block > v.lanes
    local at = batch and format("i * %d", map.block) .. (long and " + b" or "") or "i"
    for _, piece in ipairs(map.pieces) do
        local body = update {
            suffix = "0",
            sum = function(index) return format("%s_load(%s)", v.vec, sum("from", at, piece.from[index + 1])) end,
            weight = function(offset) return format(v.vec .. weight, sum("i", offset + piece.unit)) end,
            store = function() return sum("to", at, piece.to) end,
        }
        if long then body = { strided("b", map.beside * map.block, v.lanes, body) } end
        list[#list + 1] = strided("i", piece.count, batch and map.beside or v.lanes, body)
    end
    local weights = next(map.unit_weights) and "const float *per_unit, " or ""
    local parameters = weights .. "const float *from, float *RESTRICT to"
    if not batch then
        list[#list + 1] = statements.set("from += " .. map.from_row)
        list[#list + 1] = statements.set("to += " .. map.to_row)
        list = { count("ptrdiff_t", "row", "rows", list) }
        parameters = parameters .. ", ptrdiff_t rows"
    end
    local what = weights == "" and "Values" or "Values and weights of their units"
    return statements.define(what .. (batch and ", of a step of a block." or format(", of rows of %d floats.",
        map.from_row)), v.attribute .. " void " .. map.fn, parameters, list)
end
