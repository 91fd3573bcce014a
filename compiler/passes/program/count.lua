-- program.count: how many operations a program does and how much its buffers hold.
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local functions = require "tables.functions"

local count = {}

local function trips(ranges, symbols)
    local n = 1
    for _, range in ipairs(ranges) do n = n * affine.value(range[2], symbols) end
    return n
end

-- Calls of functions that cost a division or more than one instruction, by name.
local function add_calls(tree, n, calls)
    expressions.walk(expressions.expanded(tree), function(part)
        local row = type(part) == "table" and functions.rows[part[1]]
        if row and row.cost[1] * 10 + row.cost[2] > 1 then calls[part[1]] = (calls[part[1]] or 0) + n end
    end)
end

-- count.run(program, symbols) -> { multiply_adds = of the products, calls = { FUNCTION = how often }, bytes = by role
-- }. symbols: their values. f32 and i32 take 4 bytes a value.
function count.run(program, symbols)
    local out = { multiply_adds = 0, calls = {}, bytes = {} }
    local function visit(body, n)
        for _, s in ipairs(body) do
            if s.op == "for" then
                visit(s.body, n * affine.value(s.extent, symbols))
            elseif s.op == "product" then
                out.multiply_adds = out.multiply_adds + n * trips(s.over, symbols) * trips(s.sum, symbols)
            elseif s.op == "reduce" then
                add_calls(s.value, n * trips(s.over, symbols) * trips(s.sum, symbols), out.calls)
            else
                for _, set in ipairs(s.sets) do add_calls(set[2], n * trips(s.over, symbols), out.calls) end
            end
        end
    end
    visit(program.body, 1)
    for _, buffer in ipairs(program.buffers) do
        local size = 4
        for _, dim in ipairs(buffer.dims) do size = size * affine.value(dim, symbols) end
        out.bytes[buffer.role] = (out.bytes[buffer.role] or 0) + size
    end
    return out
end

return count
