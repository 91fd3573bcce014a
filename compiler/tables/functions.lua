-- functions: every function that an expression may use, a row each. There is no default: functions.of("x") of
-- an unknown x is an error, whoever asks.
--
-- Of every function:
-- arity        how many arguments
-- value        in double precision, a Lua function; NaN stays NaN
-- derivative   by argument, an expression of { "arg", N } and { "value" }, which is the function's own value
-- means        instead of value and derivative: the expression that it abbreviates. A function without `vector` that
--              means something is computed as that
-- range        { least, most } of the value for any arguments; nil: not bounded
-- cost         { divisions, arithmetic }: instructions on a vector, apart from loads
-- c            plain C of it: {1} ... are the arguments, {f} is f in float and nothing in double
-- level        how tightly that C binds: 1 comparison and ?:, 2 sum, 3 product, 4 a call or a name
-- tight        by argument, how tightly it has to bind (a call's: not at all)
-- named        that argument is written more than once and has to be a name
-- test         of a function that is 1 or 0: the condition alone; `if_test` of select: with such a condition
--
-- Of those that templates have on whole vectors, as TYPE_NAME(...):
-- vector       what the templates build it from: `needs`, operations of the target's prelude, and `helpers`, functions
--              of exact.c.t ("exp", "expm1") or fast.c.t ("fast")
-- ulps         the largest error of that in units of the last place, where no argument is beyond the range that a
--              helper ends at; test_generated_accuracy.c measures it
-- absolute     besides, of a value that may be small beside what it is made of: that times |x|, at least 1, at most 8
-- bound        instead of ulps: the field of a target's `fast` (targets.lua) that says how far off it is, times what
--              it is multiplied by
--
-- Derivatives at a kink are PyTorch's: relu'(0) = 0.
local functions = {}

local function arg(n) return { "arg", n } end

local own <const> = { "value" }
local magnitude <const> = { "at_least", arg(1), { "neg", arg(1) } }

-- exp(a) - 1 and log(1 + a) of a >= 0 without a loss of digits, by what Lua has (W. Kahan).
local function expm1(a)
    local e = math.exp(a)
    if e == 1 then return a end
    return e - 1 == -1 and -1.0 or (e - 1) * a / math.log(e)
end

local function log1p(a)
    local u = 1 + a
    return u == 1 and a or math.log(u) * a / (u - 1)
end

local function vector(...) return { needs = { ... }, helpers = {} } end

-- What exp and expm1 of exact.c.t use, and what is built from them.
local function of_exponentials(...)
    return { needs = { "sub", "mul", "at_least", "at_most", "scale", "add", "div" }, helpers = { ... } }
end

-- The same of what divides nothing.
local function of_expm1()
    return { needs = { "sub", "mul", "at_least", "at_most", "scale", "add" }, helpers = { "expm1" } }
end

-- What a fast function needs besides depends on the target's way to tanh (targets.lua). The divisions of the rational
-- function are hidden behind its arithmetic.
local function fast(...) return { needs = { ... }, helpers = { "fast" } } end

-- sigmoid(gate) x and sigmoid(gate) h + (1 - sigmoid(gate)) tanh(x) for (gate, x, h)
local gated <const> = { "mul", { "sigmoid", arg(1) }, arg(2) }
local mixed_tanh <const> = { "add", { "tanh", arg(2) },
                             { "mul", { "sigmoid", arg(1) }, { "sub", arg(3), { "tanh", arg(2) } } } }

functions.rows = {
    add = { arity = 2, value = function(a, b) return a + b end, derivative = { 1, 1 }, cost = { 0, 1 },
            c = "{1} + {2}", level = 2, tight = { 2, 3 }, vector = vector "add", ulps = 0.5 },
    sub = { arity = 2, value = function(a, b) return a - b end, derivative = { 1, -1 }, cost = { 0, 1 },
            c = "{1} - {2}", level = 2, tight = { 2, 3 }, vector = vector "sub", ulps = 0.5 },
    mul = { arity = 2, value = function(a, b) return a * b end, derivative = { arg(2), arg(1) }, cost = { 0, 1 },
            c = "{1} * {2}", level = 3, tight = { 3, 4 }, vector = vector "mul", ulps = 0.5 },
    div = { arity = 2, value = function(a, b) return a / b end, cost = { 1, 0 }, c = "{1} / {2}", level = 3,
            tight = { 3, 4 }, vector = vector "div", ulps = 0.5,
            derivative = { { "div", 1, arg(2) }, { "neg", { "div", own, arg(2) } } } },
    neg = { arity = 1, value = function(a) return -a end, derivative = { -1 }, cost = { 0, 1 }, c = "-{1}", level = 3,
            tight = { 4 } },
    fma = { arity = 3, means = { "add", { "mul", arg(1), arg(2) }, arg(3) }, cost = { 0, 1 }, vector = vector(),
            ulps = 1 },
    exp = { arity = 1, value = math.exp, derivative = { own }, range = { 0, math.huge }, cost = { 0, 16 },
            c = "exp{f}({1})", level = 4 },
    log = { arity = 1, value = math.log, derivative = { { "div", 1, arg(1) } }, cost = { 1, 16 },
            c = "log{f}({1})", level = 4 },
    sqrt = { arity = 1, value = math.sqrt, derivative = { { "div", 0.5, own } }, range = { 0, math.huge },
             cost = { 1, 4 }, c = "sqrt{f}({1})", level = 4 },
    less = { arity = 2, value = function(a, b) return a < b and 1 or 0 end, derivative = { 0, 0 }, range = { 0, 1 },
             cost = { 0, 1 }, c = "{1} < {2} ? 1.0{f} : 0.0{f}", test = "{1} < {2}", level = 1, tight = { 2, 2 } },
    equal = { arity = 2, value = function(a, b) return a == b and 1 or 0 end, derivative = { 0, 0 }, range = { 0, 1 },
              cost = { 0, 1 }, c = "{1} == {2} ? 1.0{f} : 0.0{f}", test = "{1} == {2}", level = 1,
              tight = { 2, 2 } },
    -- a where c > 0, else b
    select = { arity = 3, value = function(c, a, b) if c > 0 then return a end return b end, cost = { 0, 1 },
               derivative = { 0, { "less", 0, arg(1) }, { "sub", 1, { "less", 0, arg(1) } } },
               c = "{1} > 0.0{f} ? {2} : {3}", if_test = "{1} ? {2} : {3}", level = 1, tight = { 2, 2, 2 } },
    relu = { arity = 1, value = function(a) if a < 0 then return 0.0 end return a end, range = { 0, math.huge },
             derivative = { { "less", 0, arg(1) } }, cost = { 0, 1 }, c = "{1} < 0.0{f} ? 0.0{f} : {1}", level = 1,
             named = 1, vector = vector "at_least", ulps = 0 },
    -- The larger, the smaller of a limit and x; NaN if x is NaN.
    at_least = { arity = 2, value = function(limit, x) if x < limit then return limit end return x end, cost = { 0, 1 },
                 derivative = { { "less", arg(2), arg(1) }, { "less", arg(1), arg(2) } }, c = "{2} < {1} ? {1} : {2}",
                 level = 1, tight = { 2, 2 }, named = 2, vector = vector "at_least", ulps = 0 },
    at_most = { arity = 2, value = function(limit, x) if x > limit then return limit end return x end, cost = { 0, 1 },
                derivative = { { "less", arg(1), arg(2) }, { "less", arg(2), arg(1) } }, c = "{2} > {1} ? {1} : {2}",
                level = 1, tight = { 2, 2 }, named = 2, vector = vector "at_most", ulps = 0 },
    tanh = { arity = 1, range = { -1, 1 }, cost = { 1, 18 }, c = "tanh{f}({1})", level = 4,
             vector = of_exponentials "expm1", ulps = 4,
             derivative = { { "sub", 1, { "mul", own, own } } },
             -- by expm1, which Lua does not have: a series where exp(2a) - 1 would cancel
             value = function(a)
                 if a ~= a then return a end
                 local x = math.abs(a)
                 if x < 0.02 then
                     local s = a * a
                     return a * (1 + s * (-1 / 3 + s * (2 / 15 + s * (-17 / 315 + s * 62 / 2835))))
                 end
                 local e = math.exp(-2 * x)
                 return (a < 0 and -1 or 1) * (1 - e) / (1 + e)
             end },
    sigmoid = { arity = 1, value = function(a) return 1 / (1 + math.exp(-a)) end, range = { 0, 1 }, cost = { 1, 17 },
                derivative = { { "mul", own, { "sub", 1, own } } }, c = "1.0{f} / (1.0{f} + exp{f}(-{1}))", level = 3,
                tight = { 4 }, vector = of_exponentials "exp", ulps = 4 },
    -- Functions of PyTorch by its formulas.
    elu = { arity = 2, cost = { 0, 21 }, value = function(a, alpha) return a > 0 and a or alpha * expm1(a) end,
            derivative = { { "select", arg(1), 1, { "mul", arg(2), { "exp", { "at_most", 0, arg(1) } } } },
                           { "select", arg(1), 0, { "sub", { "exp", { "at_most", 0, arg(1) } }, 1 } } },
            c = "{1} > 0.0{f} ? {1} : {2} * expm1{f}({1})", level = 1, tight = { 2, 3 }, named = 1,
            vector = of_expm1(), ulps = 4 },
    -- G. Klambauer et al. 2017
    selu = { arity = 1, cost = { 0, 22 }, vector = of_expm1(), ulps = 5,
             means = { "mul", 1.0507009873554805, { "elu", arg(1), 1.6732632423543772 } } },
    leaky_relu = { arity = 2, cost = { 0, 3 }, vector = vector("at_least", "at_most"), ulps = 1,
                   means = { "select", arg(1), arg(1), { "mul", arg(2), arg(1) } } },
    softplus = { arity = 1, range = { 0, math.huge }, cost = { 1, 28 }, derivative = { { "sigmoid", arg(1) } },
                 value = function(a) return a > 0 and a + log1p(math.exp(-a)) or log1p(math.exp(a)) end,
                 c = "fmax{f}({1}, 0.0{f}) + log1p{f}(exp{f}(-fabs{f}({1})))", level = 2, named = 1,
                 vector = of_exponentials "exp", ulps = 4 },
    -- 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x: the series, and beyond 2 the continued fraction
    -- (Abramowitz and Stegun 7.1.5, 7.1.14)
    erf = { arity = 1, range = { -1, 1 }, cost = { 1, 40 }, c = "erf{f}({1})", level = 4,
            derivative = { { "mul", 2 / math.sqrt(math.pi), { "exp", { "neg", { "mul", arg(1), arg(1) } } } } },
            value = function(a)
                local x = math.abs(a)
                if x ~= x then return a end
                if x > 6 then return a < 0 and -1.0 or 1.0 end
                local sum, term = x, x
                if x < 2 then
                    for n = 1, 40 do
                        term = -term * x * x / n
                        sum = sum + term / (2 * n + 1)
                    end
                    sum = sum * 2 / math.sqrt(math.pi)
                else
                    local below = 0
                    for k = 120, 1, -1 do below = k / 2 / (x + below) end
                    sum = 1 - math.exp(-x * x) / math.sqrt(math.pi) / (x + below)
                end
                return a < 0 and -sum or sum
            end },
    -- D. Hendrycks, K. Gimpel 2016
    gelu = { arity = 1, cost = { 1, 27 }, vector = of_exponentials "exp", ulps = 4, absolute = 1e-7,
             means = { "mul", { "mul", 0.5, arg(1) }, { "add", 1, { "erf", { "mul", math.sqrt(0.5), arg(1) } } } } },
    gelu_tanh = { arity = 1, cost = { 1, 21 }, vector = of_exponentials "exp", ulps = 4, absolute = 1e-7,
                  means = { "mul", arg(1), { "sigmoid", { "mul", 2 * math.sqrt(2 / math.pi),
                      { "add", arg(1), { "mul", 0.044715, { "mul", arg(1), { "mul", arg(1), arg(1) } } } } } } } },
    silu = { arity = 1, means = { "mul", { "sigmoid", arg(1) }, arg(1) }, cost = { 1, 17 },
             vector = of_exponentials "exp", ulps = 4 },
    affine = { arity = 3, means = { "add", { "mul", arg(2), arg(1) }, arg(3) }, cost = { 0, 1 }, vector = vector(),
               ulps = 1, absolute = 1.2e-7 },
    hard_sigmoid = { arity = 3, cost = { 0, 3 }, vector = vector("at_least", "at_most"), ulps = 1, absolute = 6e-8,
                     means = { "at_most", 1, { "relu", { "affine", arg(1), arg(2), arg(3) } } } },
    hard_tanh = { arity = 3, cost = { 0, 2 }, vector = vector("at_least", "at_most"), ulps = 0,
                  means = { "at_most", arg(3), { "at_least", arg(2), arg(1) } } },
    -- between -limit and limit
    clip = { arity = 2, cost = { 0, 3 }, means = { "at_least", { "neg", arg(2) }, { "at_most", arg(2), arg(1) } },
             vector = vector("sub", "at_least", "at_most"), ulps = 0 },
    softsign = { arity = 1, range = { -1, 1 }, cost = { 1, 3 }, value = function(a) return a / (1 + math.abs(a)) end,
                 derivative = { { "div", 1, { "mul", { "add", 1, magnitude }, { "add", 1, magnitude } } } },
                 c = "{1} / (1.0{f} + fabs{f}({1}))", level = 3, named = 1,
                 vector = vector("add", "sub", "div", "at_least"), ulps = 2 },
    relu6 = { arity = 1, cost = { 0, 2 }, means = { "at_most", 6, { "relu", arg(1) } },
              vector = vector("at_least", "at_most"), ulps = 0 },
    hard_swish = { arity = 1, cost = { 0, 4 }, means = { "mul", { "hard_sigmoid", arg(1), 1 / 6, 0.5 }, arg(1) },
                   vector = vector("mul", "at_least", "at_most"), ulps = 3, absolute = 6e-8 },
    mish = { arity = 1, cost = { 1, 21 }, means = { "mul", arg(1), { "tanh", { "softplus", arg(1) } } },
             vector = { needs = { "sub", "mul", "at_most", "scale", "add", "div" }, helpers = { "exp" } }, ulps = 5 },
    -- What passes make of sums, products and the functions above, to divide less or to be sooner ready.
    gated = { arity = 2, means = gated, cost = { 1, 17 }, vector = of_exponentials "exp", ulps = 4 },
    gated_tanh = { arity = 2, means = { "mul", { "sigmoid", arg(1) }, { "tanh", arg(2) } }, cost = { 1, 37 },
                   vector = of_exponentials("exp", "expm1"), ulps = 5 },
    mixed_tanh = { arity = 3, means = mixed_tanh, cost = { 1, 39 }, vector = of_exponentials("exp", "expm1"),
                   ulps = 7 },
    -- activation = "fast"
    fast_tanh = { arity = 1, means = { "tanh", arg(1) }, cost = { 0, 14 }, vector = fast(), bound = "tanh" },
    fast_sigmoid = { arity = 1, means = { "sigmoid", arg(1) }, cost = { 0, 16 }, vector = fast(), bound = "sigmoid" },
    fast_gated = { arity = 2, means = gated, cost = { 0, 17 }, vector = fast "mul", bound = "sigmoid" },
    fast_gated_sum = { arity = 3, means = { "add", arg(3), gated }, cost = { 0, 18 }, vector = fast "mul",
                       bound = "sigmoid" },
    fast_mixed_tanh = { arity = 3, means = mixed_tanh, cost = { 0, 33 }, vector = fast "mul", bound = "tanh" },
}

-- functions.of(name) -> its row. Errors: no such function.
function functions.of(name)
    return functions.rows[name] or error("no function " .. tostring(name), 2)
end

-- functions.names() -> all names, in alphabetical order.
function functions.names()
    local list = {}
    for name in pairs(functions.rows) do list[#list + 1] = name end
    table.sort(list)
    return list
end

return functions
