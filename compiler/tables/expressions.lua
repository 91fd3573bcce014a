-- expressions: the functions that an update may use, what they cost, and the identities between them.
--
-- Each row: `needs`, the vector operations, and `helpers`, the functions, that the templates (exact.c.t,
-- fast.c.t) build it from; `divisions`, which is what it costs more than arithmetic; `arithmetic`, its
-- other instructions.
local expressions = {}

local exponential = { "sub", "mul", "at_least", "at_most", "scale" }

local function row(helpers, divisions, arithmetic, ...)
    local needs = { ... }
    if #helpers > 0 then table.move(exponential, 1, #exponential, #needs + 1, needs) end
    return { helpers = helpers, divisions = divisions, arithmetic = arithmetic, needs = needs }
end

-- What a fast function needs depends on the target's way to tanh (targets.lua). The divisions of the
-- rational function are hidden behind its arithmetic.
local function fast(arithmetic, ...)
    return { helpers = { "fast" }, divisions = 0, arithmetic = arithmetic, needs = { ... } }
end

expressions.functions = {
    add = row({}, 0, 1, "add"), sub = row({}, 0, 1, "sub"), mul = row({}, 0, 1, "mul"), fma = row({}, 0, 1),
    relu = row({}, 0, 1, "at_least"),
    tanh = row({ "expm1" }, 1, 18, "add", "div"),
    sigmoid = row({ "exp" }, 1, 17, "add", "div"),
    -- The next ones come from the identities below.
    gated = row({ "exp" }, 1, 17, "add", "div"),
    gated_tanh = row({ "exp", "expm1" }, 1, 37, "add", "div"),
    mixed_tanh = row({ "exp", "expm1" }, 1, 39, "add", "div"),
    fast_tanh = fast(14), fast_sigmoid = fast(16), fast_gated = fast(17, "mul"), fast_gated_sum = fast(18, "mul"),
    fast_mixed_tanh = fast(33, "mul"),
}

-- A tree as text: equal trees have equal keys.
function expressions.key(tree)
    if type(tree) ~= "table" then return tostring(tree) end
    local parts = {}
    for i, part in ipairs(tree) do parts[i] = expressions.key(part) end
    return "(" .. table.concat(parts, " ") .. ")"
end

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

-- expressions.simplify(tree, activation) -> the same value by the functions of "exact" or "fast".
function expressions.simplify(tree, activation)
    if type(tree) ~= "table" then return tree end
    for _, identity in ipairs(identities[activation]) do
        local better = identity(tree)
        if better then return expressions.simplify(better, activation) end
    end
    local out = { tree[1] }
    for i = 2, #tree do out[i] = expressions.simplify(tree[i], activation) end
    return out
end

local leaves <const> = { gate = true, input = true, recurrent = true, state = true, new = true }

-- Calls visit(name) for every function of a tree, each time it occurs. Errors: a function without a row here, which
-- no template has.
function expressions.walk(tree, visit)
    if type(tree) ~= "table" then return end
    if leaves[tree[1]] then return end
    if not expressions.functions[tree[1]] then error("no template has a function " .. tostring(tree[1]), 0) end
    visit(tree[1])
    for i = 2, #tree do expressions.walk(tree[i], visit) end
end

return expressions
