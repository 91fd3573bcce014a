-- program.strip: strip-mining: a loop of a fixed extent in pieces of at most `size` trips, in the same order; chunks
-- of time.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local grammar = require "ir.grammar"

local strip = {}

-- The loop over `count` trips from `first` on as a loop of its own.
local function piece(loop, inner, first, count)
    local body = {}
    local at = affine.add(first, affine.of(inner))
    for i, s in ipairs(loop.body) do body[i] = accesses.with(s, loop.var, at) end
    return grammar.statement { op = "for", from = loop.from, var = inner, extent = count, step = loop.step,
        body = body }
end

-- strip.run(program, var, size) -> program, checked: loops over `var` whose extent is a number above `size` become
-- loops over var_piece and var_in, and one over what is left.
function strip.run(program, var, size)
    local function change(s)
        if s.op ~= "for" or s.var ~= var or #s.extent > 1 or s.extent[1] <= size then return { s } end
        local pieces, left = s.extent[1] // size, s.extent[1] % size
        local outer, inner = var .. "_piece", var .. "_in"
        local out = { grammar.statement { op = "for", from = s.from, var = outer, extent = pieces, step = s.step,
            body = { piece(s, inner, { 0, { outer, size } }, size) } } }
        if left > 0 then table.insert(out, s.step == 1 and 2 or 1, piece(s, inner, { pieces * size }, left)) end
        return out
    end
    return check(accesses.with_body(program, accesses.map_body(program.body, change)))
end

return strip
