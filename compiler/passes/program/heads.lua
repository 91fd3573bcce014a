-- program.heads: the sums of a dense layer, or of the heads that one stands for, and the functions of heads.
local activations = require "passes.program.activations"
local grammar = require "ir.grammar"

local heads = {}

local access, statement = grammar.access, grammar.statement

-- A list with another last entry.
local function with_last(list, last)
    local copy = table.move(list, 1, #list, 1, {})
    copy[#copy] = last
    return copy
end

local function shifted(index, by) return by == 0 and index or by .. " + " .. index end

-- heads.sums(layer, item, width, source): appends the products and biases of the dense layer `item` of the spec, of
-- heads each of its own tensors, behind their first level also of its own columns. layer: program, put, sums (a
-- buffer), at (access to a buffer of its shape), over, from; source(index): access to what it reads, `width` values.
function heads.sums(layer, item, width, source)
    local program, put = layer.program, layer.put
    local whole = { prefix = item.prefix or "", rows = item.units, cols = width, row = 0, column = 0, bias = item.bias }
    local function append(s)
        s.from = layer.from
        program.body[#program.body + 1] = statement(s)
    end
    for _, part in ipairs(item.heads or { whole }) do
        local over = with_last(layer.over, { "i", part.rows })
        local weight = item.tied and program.table
            or put(program, part.prefix .. "weight", "weight", { part.rows, part.cols })
        local out = layer.at(layer.sums, shifted("i", part.row))
        if part.bias then
            local bias = put(program, part.prefix .. "bias", "weight", { part.rows })
            append { op = "map", over = over, sets = { { out, { "read", access(bias, "i") } } } }
        end
        append { op = "product", over = over, sum = { { "k", part.cols } }, out = out, a = access(weight, "i", "k"),
                 b = source(shifted("k", item.zeros and part.column or 0)), accumulate = part.bias and true or nil }
    end
end

-- heads.functions(layer, by_head) -> the buffer with the functions of heads side by side, each of its part of the sums.
-- layer: as of heads.sums, with dims and id; by_head: of the layer of the spec.
function heads.functions(layer, by_head)
    local out = layer.put(layer.program, "heads" .. layer.id, "workspace", layer.dims)
    for _, part in ipairs(by_head) do
        local over = with_last(layer.over, { "i", part.width })
        local function at(name, index)
            return layer.at(name, name == layer.sums and shifted(index, part.first) or index)
        end
        local active = activations.apply {
            program = layer.program, put = layer.put, name = part.activation, alpha = part.alpha, beta = part.beta,
            sums = layer.sums, at = at, over = over, dims = with_last(layer.dims, part.width), units = part.width,
            id = layer.id .. "_" .. part.name, from = layer.from,
        }
        layer.program.body[#layer.program.body + 1] = statement {
            op = "map", from = layer.from, over = over,
            sets = { { layer.at(out, shifted("i", part.first)), { "read", at(active, "i") } } },
        }
    end
    return out
end

return heads
