-- grammar: what a program is made of, as data, and the one way to make its parts.
--
--   program   { name, symbols = { NAME... }, buffers = { buffer... }, body = { statement... } }
--   buffer    { name, dtype, dims, role, order, drops }
--               dims: extents; order: of the dims in memory, outermost first (nil: as they stand);
--               drops: of a mask, the part of its values that is 0
--   access    { BUFFER, INDEX... }, an index for each dim: an affine form (affine.lua), which may have a field
--               `lookup`, an access to a buffer of i32 whose value is added
--   range     { VARIABLE, EXTENT }: 0 .. EXTENT - 1
--   for       { op = "for", var, extent, step = 1 | -1, body }   step -1: from extent - 1 down to 0
--   product   { op = "product", over = { range... }, sum = { range... }, out, a, b, accumulate }
--               out = (or +=) the sum over `sum` of a * b, for all `over`. W x, its transpose and the outer
--               product differ in which variables are summed over.
--   map       { op = "map", over, sets = { { access, expression }... }, accumulate }
--               sets one after the other, for each point of `over`
--   reduce    { op = "reduce", kind = "sum" | "max", over, sum, out, value }
--
-- Expressions: a number; { "read", access }; { "index", affine form }, its value; { "let", NAME, VALUE, BODY } and in
-- its body { "local", NAME }; { FUNCTION, EXPRESSION... } with a row of functions.lua.
--
-- `from` of a statement is the row or layer that made it, for messages.
local affine = require "ir.affine"

local grammar = {}

grammar.dtypes = { f32 = true, i32 = true }
-- argument and weight: read only, there before; tape: written by another program, read here; result and
-- workspace: written here; seed: an adjoint that the caller gives; mask: factors that are drawn before, which have no
-- adjoint.
grammar.roles = { argument = true, weight = true, seed = true, tape = true, mask = true, result = true,
                  workspace = true }

-- Roles of buffers that hold values before the program starts.
grammar.given = { argument = true, weight = true, seed = true, tape = true, mask = true }

-- grammar.has_adjoint(buffer): is it of numbers by which a program is differentiated?
function grammar.has_adjoint(buffer) return buffer.dtype == "f32" and buffer.role ~= "mask" end

-- By op: field -> kind of what it holds. check.lua walks these; all are needed but those in `optional`.
grammar.statements = {
    ["for"] = { var = "name", extent = "extent", step = "step", body = "body" },
    product = { over = "ranges", sum = "ranges", out = "target", a = "access", b = "access", accumulate = "flag" },
    map = { over = "ranges", sets = "sets", accumulate = "flag" },
    reduce = { kind = "kind", over = "ranges", sum = "ranges", out = "target", value = "expression" },
}
grammar.optional = { accumulate = true }
grammar.kinds = { sum = true, max = true }

-- grammar.access(BUFFER, INDEX...) -> access; indices as affine.of reads them.
function grammar.access(buffer, ...)
    local out = { buffer, ... }
    for i = 2, #out do out[i] = affine.of(out[i]) end
    return out
end

-- grammar.looked_up(access, constant) -> the index that a buffer of i32 holds, plus a constant.
function grammar.looked_up(access, constant) return { constant or 0, lookup = access } end

function grammar.read(...) return { "read", grammar.access(...) } end

function grammar.buffer(name, role, dims, more)
    local out = { name = name, role = role, dtype = more and more.dtype or "f32", dims = {},
                  order = more and more.order, drops = more and more.drops }
    for i, dim in ipairs(dims) do out.dims[i] = affine.of(dim) end
    return out
end

local function ranges(list)
    local out = {}
    for i, range in ipairs(list) do out[i] = { range[1], affine.of(range[2]) } end
    return out
end

-- grammar.statement { op = ..., fields of grammar.statements } -> statement. Errors: an op or a field that is not
-- in the grammar, or one that is missing.
function grammar.statement(given)
    local fields = grammar.statements[given.op] or error("no statement " .. tostring(given.op), 2)
    local out = { op = given.op, from = given.from }
    for field, value in pairs(given) do
        local kind = fields[field]
        if not kind and field ~= "op" and field ~= "from" then
            error(given.op .. " has no field " .. tostring(field), 2)
        end
        if kind == "ranges" then value = ranges(value) end
        if kind == "extent" then value = affine.of(value) end
        out[field] = value
    end
    for field in pairs(fields) do
        if out[field] == nil and not grammar.optional[field] then error(given.op .. " needs " .. field, 2) end
    end
    return out
end

-- grammar.find(program, name) -> the buffer of that name, or nil.
function grammar.find(program, name)
    for _, buffer in ipairs(program.buffers) do
        if buffer.name == name then return buffer end
    end
end

return grammar
