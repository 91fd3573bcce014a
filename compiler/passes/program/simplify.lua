-- program.simplify: shorter expressions (the rewrites of expressions.lua), and no loop or range of one trip.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"

local simplify = {}

local function is_one(extent) return #extent == 1 and extent[1] == 1 end

-- Without ranges of one trip in the field, whose variable is 0.
local function without_single(s, field)
    local kept, out = {}, s
    for _, range in ipairs(s[field]) do
        if is_one(range[2]) then out = accesses.with(out, range[1], affine.of(0)) else kept[#kept + 1] = range end
    end
    return accesses.changed(out, { [field] = kept })
end

local function simplified(s)
    if s.op == "for" then
        if not is_one(s.extent) then return { s } end
        local out = {}
        for i, inner in ipairs(s.body) do out[i] = accesses.with(inner, s.var, affine.of(0)) end
        return out
    end
    for field, kind in pairs(grammar.statements[s.op]) do
        if kind == "ranges" then s = without_single(s, field) end
    end
    if s.op == "map" then
        local sets = {}
        for i, set in ipairs(s.sets) do sets[i] = { set[1], expressions.simplified(set[2]) } end
        return { accesses.changed(s, { sets = sets }) }
    end
    if s.op == "reduce" then return { accesses.changed(s, { value = expressions.simplified(s.value) }) } end
    return { s }
end

-- simplify.run(program) -> program, checked.
function simplify.run(program)
    return check(accesses.with_body(program, accesses.map_body(program.body, simplified)))
end

return simplify
