-- program.norms: what a cell with layer normalisation computes beside its update (cells.lua): sums over the units of a
-- step and maps of these, of both products and of the cell state.
--
-- chain: program, put (of lower), cell, H, B, id, eps, carries (is the normalised cell state what the next step reads?)
-- and weight, a function from a tensor's base name to its name.
local grammar = require "ir.grammar"

local access, read, statement = grammar.access, grammar.read, grammar.statement

local norms = {}

local function append(list, more) return table.move(more, 1, #more, #list + 1, list) end

local function put(chain, name, ...)
    return chain.put(chain.program, name .. chain.id, "workspace", { chain.program.T, chain.B, ... })
end

-- (value - mean) / sqrt(variance + eps) * weight + bias of `count` values into the buffer `out`, from index `first` on,
-- which is that of weight and bias too. name: of the buffers that it keeps; value: the expression, of i.
local function normalised(chain, from, name, value, first, count, norm, out)
    local mean, variance, scale = put(chain, "mean_" .. name), put(chain, "variance_" .. name),
        put(chain, "scale_" .. name)
    local row, along = { { "b", chain.B } }, { { "i", count } }
    local centred = { "sub", value, read(mean, "t", "b") }
    local at = first == 0 and "i" or first .. " + i"
    local function of_unit(kind) return read(chain.weight("norm_" .. kind .. "_" .. norm), at) end
    local function mean_of(what, into)
        return statement { op = "reduce", kind = "sum", from = from, over = row, sum = along,
                           out = access(into, "t", "b"), value = { "mul", 1 / count, what } }
    end
    return {
        mean_of(value, mean),
        mean_of({ "mul", centred, centred }, variance),
        statement { op = "map", from = from, over = row, sets = { { access(scale, "t", "b"),
            { "div", 1, { "sqrt", { "add", read(variance, "t", "b"), chain.eps } } } } } },
        statement { op = "map", from = from, over = { row[1], along[1] }, sets = { { access(out, "t", "b", at),
            { "add", { "mul", { "mul", centred, read(scale, "t", "b") }, of_unit "weight" }, of_unit "bias" } } } },
    }
end

-- norms.sums(chain, from, products) -> the statements of both products of a step, products.x(into) and .h(into), and of
-- their norms, in the buffers normed_x and normed_h: the separate gates, which come last, each by itself.
function norms.sums(chain, from, products)
    local list, H, cell = {}, chain.H, chain.cell
    local rows, together = #cell.gates * H, (#cell.gates - #cell.separate) * H
    for _, name in ipairs(cell.norms) do
        chain.put(chain.program, chain.weight(name), "weight", { name:find "_c$" and H or rows })
    end
    for _, kind in ipairs { "x", "h" } do
        local sums, out = put(chain, "sums_" .. kind, rows), put(chain, "normed_" .. kind, rows)
        append(list, products[kind](sums))
        local first = 0
        while first < rows do
            local count = first == 0 and together or H
            append(list, normalised(chain, from, kind .. (first > 0 and first or ""),
                read(sums, "t", "b", first == 0 and "i" or first .. " + i"), first, count,
                kind == "x" and "ih" or "hh", out))
            first = first + count
        end
    end
    return list
end

-- norms.state(chain, from, state, value, stored) -> the statements of a new cell state and its norm, in the buffer
-- normed_STATE; stored(expression): the statement that makes it the state, an expression of b and j.
function norms.state(chain, from, state, value, stored)
    local new, out = put(chain, "new_" .. state, chain.H), put(chain, "normed_" .. state, chain.H)
    local list = { statement { op = "map", from = from, over = { { "b", chain.B }, { "j", chain.H } },
                               sets = { { access(new, "t", "b", "j"), value } } } }
    append(list, normalised(chain, from, state, read(new, "t", "b", "i"), 0, chain.H, state, out))
    list[#list + 1] = stored(read(chain.carries and out or new, "t", "b", "j"))
    return list
end

return norms
