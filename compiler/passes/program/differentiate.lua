-- program.differentiate: from a forward program that keeps what it computes to the backward program, which adds up the
-- adjoint of every buffer of numbers: d_NAME has the shape of NAME. Reverse mode: statements and loops in reverse
-- order, each adding, from the adjoint of what it wrote, to the adjoints of what it read.
--
-- What the forward program wrote is tape here. The caller gives d_ of its results (role seed); d_ of its arguments and
-- weights are the results. It is right for programs where no value is written twice, as lower's are, and those of
-- passes that only move statements; a max sends its adjoint to every value that is equal to it.
local accesses = require "ir.accesses"
local check = require "ir.check"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"

local differentiate = {}

local statement = grammar.statement

local function adjoint_of(access) return { "d_" .. access[1], table.unpack(access, 2) } end

local roles <const> = { argument = "result", weight = "result", result = "seed", workspace = "workspace" }

-- Statements that add adjoints: one map for each, so that a read of a buffer twice adds up twice.
local function add_maps(out, over, found, from)
    for _, pair in ipairs(found) do
        out[#out + 1] = statement { op = "map", from = from, over = over, accumulate = true,
                                    sets = { { adjoint_of(pair[1]), pair[2] } } }
    end
end

-- Reads of whole numbers and masks have no adjoint.
local function of_numbers(program, found)
    local list = {}
    for _, pair in ipairs(found) do
        if grammar.has_adjoint(grammar.find(program, pair[1][1])) then list[#list + 1] = pair end
    end
    return list
end

local function joined(a, b) return table.move(b, 1, #b, #a + 1, table.move(a, 1, #a, 1, {})) end

local rules = {}

function rules.product(_, s, out)
    local seed = adjoint_of(s.out)
    local all = joined(s.over, s.sum)
    for _, pair in ipairs { { s.b, s.a }, { s.a, s.b } } do
        local target, other = pair[1], pair[2]
        -- Variables that the target does not name are summed over.
        local over, sum = {}, {}
        for _, range in ipairs(all) do
            local used = accesses.names_variable(target, range[1])
            table.insert(used and over or sum, range)
        end
        out[#out + 1] = statement { op = "product", from = s.from, over = over, sum = sum, out = adjoint_of(target),
                                    a = other, b = seed, accumulate = true }
    end
end

function rules.map(program, s, out)
    for i = #s.sets, 1, -1 do
        local found = {}
        expressions.adjoints(s.sets[i][2], { "read", adjoint_of(s.sets[i][1]) }, found)
        add_maps(out, s.over, of_numbers(program, found), s.from)
    end
end

function rules.reduce(program, s, out)
    local seed, found = { "read", adjoint_of(s.out) }, {}
    if s.kind == "max" then seed = { "mul", seed, { "equal", s.value, { "read", s.out } } } end
    expressions.adjoints(s.value, seed, found)
    add_maps(out, joined(s.over, s.sum), of_numbers(program, found), s.from)
end

local function reversed(program, body)
    local out = {}
    for i = #body, 1, -1 do
        local s = body[i]
        if s.op == "for" then
            out[#out + 1] = statement { op = "for", from = s.from, var = s.var, extent = s.extent, step = -s.step,
                                        body = reversed(program, s.body) }
        else
            rules[s.op](program, s, out)
        end
    end
    return out
end

local function zero(buffer)
    local over, target = {}, { buffer.name }
    for i, dim in ipairs(buffer.dims) do
        over[i] = { "i" .. i, dim }
        target[i + 1] = { 0, { "i" .. i, 1 } }
    end
    return statement { op = "map", over = over, sets = { { target, 0 } } }
end

-- differentiate.run(program) -> the backward program, checked.
function differentiate.run(program)
    local out = { name = "backward", symbols = program.symbols, buffers = {}, body = {} }
    for _, b in ipairs(program.buffers) do
        local role = grammar.given[b.role] and b.role or "tape"
        out.buffers[#out.buffers + 1] = { name = b.name, dtype = b.dtype, dims = b.dims, order = b.order, role = role }
        if grammar.has_adjoint(b) then
            local adjoint = { name = "d_" .. b.name, dtype = b.dtype, dims = b.dims, order = b.order,
                              role = roles[b.role] or error("differentiate: a buffer of role " .. b.role, 0) }
            out.buffers[#out.buffers + 1] = adjoint
            if adjoint.role ~= "seed" then out.body[#out.body + 1] = zero(adjoint) end
        end
    end
    for _, s in ipairs(reversed(program, program.body)) do out.body[#out.body + 1] = s end
    return check(out)
end

return differentiate
