-- expressions: the functions that an update may use, what they cost, and the identities between them.
--
-- Each row: `needs`, the vector operations and helpers that templates/activations.c.t builds it from;
-- `divisions`, which is what it costs more than arithmetic; `arithmetic`, its other instructions.
local expressions = {}

local exponential = { "sub", "mul", "at_least", "at_most", "power_of_two" }

local function row(helpers, divisions, arithmetic, ...)
    local needs = { ... }
    if #helpers > 0 then table.move(exponential, 1, #exponential, #needs + 1, needs) end
    return { helpers = helpers, divisions = divisions, arithmetic = arithmetic, needs = needs }
end

expressions.functions = {
    add = row({}, 0, 1, "add"), sub = row({}, 0, 1, "sub"), mul = row({}, 0, 1, "mul"),
    relu = row({}, 0, 1, "at_least"),
    tanh = row({ "expm1" }, 1, 18, "add", "div"),
    sigmoid = row({ "exp" }, 1, 17, "add", "div"),
    -- The next ones come from the identities below.
    gated = row({ "exp" }, 1, 17, "add", "div"),
    gated_tanh = row({ "exp", "expm1" }, 1, 37, "add", "div"),
    mixed_tanh = row({ "exp", "expm1" }, 1, 39, "add", "div"),
}

-- A tree as text: equal trees have equal keys.
function expressions.key(tree)
    if type(tree) ~= "table" then return tostring(tree) end
    local parts = {}
    for i, part in ipairs(tree) do parts[i] = expressions.key(part) end
    return "(" .. table.concat(parts, " ") .. ")"
end

local function is(tree, name) return type(tree) == "table" and tree[1] == name end

-- Every identity saves a division: quotients that are multiplied become one.
local identities = {
    -- tanh(a) + sigmoid(z) (x - tanh(a))
    function(tree)
        local n, product = tree[2], tree[3]
        if is(tree, "add") and is(n, "tanh") and is(product, "mul") and is(product[2], "sigmoid")
            and is(product[3], "sub") and expressions.key(product[3][3]) == expressions.key(n) then
            return { "mixed_tanh", product[2][2], n[2], product[3][2] }
        end
    end,
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
}

-- expressions.simplify(tree) -> the same value with fewer divisions.
function expressions.simplify(tree)
    if type(tree) ~= "table" then return tree end
    for _, identity in ipairs(identities) do
        local better = identity(tree)
        if better then return expressions.simplify(better) end
    end
    local out = { tree[1] }
    for i = 2, #tree do out[i] = expressions.simplify(tree[i]) end
    return out
end

-- Calls visit(name) for every function of a tree, each time it occurs.
function expressions.walk(tree, visit)
    if type(tree) ~= "table" then return end
    if expressions.functions[tree[1]] then visit(tree[1]) end
    for i = 2, #tree do expressions.walk(tree[i], visit) end
end

return expressions
