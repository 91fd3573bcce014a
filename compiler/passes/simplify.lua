-- simplify: rewrites updates by the functions of the spec's `activation`, so that they divide less often or take fewer
-- instructions. What it leaves has a template: every function of it is a row of functions.lua with `vector`.
local expressions = require "ir.expressions"
local functions = require "tables.functions"

local simplify = {}

simplify.doc = "fewer divisions in the update of a state, or fast functions"

local function is(tree, name) return type(tree) == "table" and tree[1] == name end

-- Is the value there before the gates of the step are?
local function early(tree) return is(tree, "state") or is(tree, "input") or is(tree, "recurrent") end

-- tanh(a) + sigmoid(z) (x - tanh(a)) as name(z, a, x)
local function mixed(name)
    return function(tree)
        local n, product = tree[2], tree[3]
        if is(tree, "add") and is(n, "tanh") and is(product, "mul") and is(product[2], "sigmoid")
            and is(product[3], "sub") and expressions.key(product[3][3]) == expressions.key(n) then
            return { name, product[2][2], n[2], product[3][2] }
        end
    end
end

local function renamed(from, to)
    return function(tree)
        if is(tree, from) then return { to, tree[2] } end
    end
end

-- The identities by the spec's `activation`; the first one that fits is used. Those of `exact` save
-- divisions each: quotients that are multiplied become one. Those of `fast`, where there is none to
-- save, shorten the chain from the gates to the new state.
local identities = {
    exact = {
        mixed "mixed_tanh",
        -- sigmoid(a) tanh(b)
        function(tree)
            if is(tree, "mul") and is(tree[2], "sigmoid") and is(tree[3], "tanh") then
                return { "gated_tanh", tree[2][2], tree[3][2] }
            end
        end,
        -- sigmoid(a) x
        function(tree)
            if is(tree, "mul") and is(tree[2], "sigmoid") then return { "gated", tree[2][2], tree[3] } end
        end,
    },
    fast = {
        mixed "fast_mixed_tanh",
        -- y + sigmoid(a) x
        function(tree)
            local product = tree[3]
            if is(tree, "add") and early(tree[2]) and is(product, "mul") and is(product[2], "sigmoid")
                and early(product[3]) then
                return { "fast_gated_sum", product[2][2], product[3], tree[2] }
            end
        end,
        -- sigmoid(a) x
        function(tree)
            if is(tree, "mul") and is(tree[2], "sigmoid") and early(tree[3]) then
                return { "fast_gated", tree[2][2], tree[3] }
            end
        end,
        -- y + a b
        function(tree)
            if is(tree, "add") and is(tree[3], "mul") then return { "fma", tree[3][2], tree[3][3], tree[2] } end
        end,
        renamed("tanh", "fast_tanh"),
        renamed("sigmoid", "fast_sigmoid"),
    },
}

-- simplify.tree(tree, activation, from) -> the same value by the functions of "exact" or "fast". from: whose tree it
-- is, for messages. Errors: an unknown function or number of arguments; a function that no template has and that
-- means nothing that one has.
function simplify.tree(tree, activation, from)
    local function simplified(part) return simplify.tree(part, activation, from) end
    if expressions.is_leaf(tree) then return tree end
    local row = functions.rows[tree[1]] or error(from .. ": no function " .. tostring(tree[1]), 0)
    if row.arity ~= #tree - 1 then
        error(string.format("%s: %s takes %d, not %d", from, tree[1], row.arity, #tree - 1), 0)
    end
    for _, identity in ipairs(identities[activation]) do
        local better = identity(tree)
        if better then return simplified(better) end
    end
    if row.vector then return expressions.rebuilt(tree, simplified) end
    if row.means then return simplified(expressions.filled(row.means, { table.unpack(tree, 2) })) end
    error(string.format("%s: no template has a function %s", from, tree[1]), 0)
end

local function of_update(trees, activation, from)
    local list = {}
    for i, pair in ipairs(trees) do list[i] = { pair[1], simplify.tree(pair[2], activation, from) } end
    return list
end

function simplify.run(ir)
    for _, stack in ipairs(ir.stacks) do
        for _, scan in ipairs(stack.scans) do
            for _, op in ipairs(scan.body) do
                if op.trees then op.trees = of_update(op.trees, ir.activation, stack.cell) end
            end
        end
    end
    for i, stage in ipairs(ir.stages) do
        if stage.update then stage.update = of_update(stage.update, ir.activation, "layer " .. i) end
    end
    for _, part in ipairs(ir.by_head or {}) do
        if part.update then part.update = of_update(part.update, ir.activation, part.name) end
    end
    return ir
end

return simplify
