-- minimax: computes the constants of templates/fast_lookup.c.t and templates/fast_rational.c.t.
--
--     lua5.4 tests/minimax/minimax.lua                 prints them, with the error of each fit
--     lua5.4 tests/minimax/minimax.lua FILE lookup     checks that FILE has those of the lookup
--     lua5.4 tests/minimax/minimax.lua FILE rational   ... of the rational function
--
-- Both fit tanh with the least maximum error, by Lawson's iteration: a least-squares fit over many
-- points, weighted again and again with its own errors (C. L. Lawson 1961; J. R. Rice, K. H. Usow,
-- "The Lawson algorithm and extensions", 1968). The fits are in double precision, 30 times more
-- exact than the floats to which the constants are rounded.

-- Where tanh becomes 1: the lookup's error there is 1 - tanh(7.5) = 6.1e-7. The rational function
-- ends where it has come within 2e-7 of 1, which its rounding errors need to stay below 1.
local LOOKUP_END <const> = 7.5
local RATIONAL_END <const> = 7.1
local PIECES <const> = 32

local function tanh(x)
    -- The series up to x^9 is exact to 1e-16 there, where 1 - exp(-2x) is not.
    local z = x * x
    if x < 0.02 then return x * (1 - z / 3 * (1 - z * 2 / 5 * (1 - z * 17 / 42 * (1 - z * 62 / 153)))) end
    local e = math.exp(-2 * x)
    return (1 - e) / (1 + e)
end

-- The x that minimises |A x - b| by modified Gram-Schmidt, done twice for orthogonality. Columns of A.
local function least_squares(columns, b)
    local n, m, r, y = #columns, #b, {}, {}
    local function dot(u, v)
        local sum = 0
        for i = 1, m do sum = sum + u[i] * v[i] end
        return sum
    end
    local function subtract(u, factor, v)
        for i = 1, m do u[i] = u[i] - factor * v[i] end
    end
    for j = 1, n do
        r[j] = {}
        for k = 1, j - 1 do r[k][j] = 0 end
        for _ = 1, 2 do
            for k = 1, j - 1 do
                local part = dot(columns[k], columns[j])
                r[k][j] = r[k][j] + part
                subtract(columns[j], part, columns[k])
            end
        end
        local length = math.sqrt(dot(columns[j], columns[j]))
        r[j][j] = length
        for i = 1, m do columns[j][i] = columns[j][i] / length end
        y[j] = dot(columns[j], b)
        subtract(b, y[j], columns[j])
    end
    for j = n, 1, -1 do
        for k = j + 1, n do y[j] = y[j] - r[j][k] * y[k] end
        y[j] = y[j] / r[j][j]
    end
    return y
end

-- fit(lo, hi, above, below, relative) -> coefficients, largest error. tanh over [lo, hi] as the sum of
-- c[j] above[j](x), divided by 1 + the sum of c[#above + j] below[j](x); the error is relative or not.
local function fit(lo, hi, above, below, relative)
    local points, rounds = 400, 80
    local x, f, lawson, denominator, error_at = {}, {}, {}, {}, {}
    for i = 1, points do
        x[i] = lo + (hi - lo) * (1 - math.cos(math.pi * (i - 0.5) / points)) / 2
        f[i], lawson[i], denominator[i] = tanh(x[i]), 1, 1
    end
    local c, worst
    for _ = 1, rounds do
        local columns, b = {}, {}
        for j = 1, #above + #below do columns[j] = {} end
        for i = 1, points do
            local weight = math.sqrt(lawson[i]) / (denominator[i] * (relative and f[i] or 1))
            for j, term in ipairs(above) do columns[j][i] = term(x[i]) * weight end
            for j, term in ipairs(below) do columns[#above + j][i] = -f[i] * term(x[i]) * weight end
            b[i] = f[i] * weight
        end
        c, worst = least_squares(columns, b), 0
        for i = 1, points do
            local numerator = 0
            denominator[i] = 1
            for j, term in ipairs(above) do numerator = numerator + c[j] * term(x[i]) end
            for j, term in ipairs(below) do denominator[i] = denominator[i] + c[#above + j] * term(x[i]) end
            error_at[i] = math.abs(numerator / denominator[i] - f[i]) / (relative and f[i] or 1)
            worst = math.max(worst, error_at[i])
        end
        local sum = 0
        for i = 1, points do
            lawson[i] = lawson[i] * (error_at[i] / worst + 1e-6)
            sum = sum + lawson[i]
        end
        for i = 1, points do lawson[i] = lawson[i] * points / sum end
    end
    return c, worst
end

local function power(n) return function(x) return x ^ n end end

-- The cubic of each piece: { c0, c1, c2, c3 }. Where 2 + 6/end x lies in [2, 8), its exponent and the
-- first four bits of its mantissa number the pieces. The first one begins with 0, for relative error.
local function lookup()
    local pieces, errors = {}, {}
    local scale = 6 / LOOKUP_END
    for k = 0, PIECES - 1 do
        local width = k < 16 and 1 / 8 or 1 / 4
        local from = k < 16 and k * width or 2 + (k - 16) * width
        local above = { power(0), power(1), power(2), power(3) }
        if k == 0 then table.remove(above, 1) end
        local c, worst = fit(from / scale, (from + width) / scale, above, {}, k == 0)
        if k == 0 then table.insert(c, 1, 0.0) end
        pieces[k + 1], errors[k + 1] = c, worst
    end
    return pieces, errors
end

-- tanh x = x (p0 + p1 z + p2 z^2 + p3 z^3) / (1 + q1 z + q2 z^2 + q3 z^3), z = x^2. Fitted with Chebyshev
-- polynomials of z, which are far from dependent on each other, and expanded.
local function rational()
    local half = RATIONAL_END ^ 2 / 2
    local chebyshev = { { 1 }, { -1, 1 / half } }
    for n = 3, 4 do
        local before, last, polynomial = chebyshev[n - 2], chebyshev[n - 1], {}
        for i = 1, n do
            polynomial[i] = 2 * ((last[i - 1] or 0) / half - (last[i] or 0)) - (before[i] or 0)
        end
        chebyshev[n] = polynomial
    end
    local function value(polynomial, z)
        local sum = 0
        for i = #polynomial, 1, -1 do sum = sum * z + polynomial[i] end
        return sum
    end
    local above, below = {}, {}
    for n = 1, 4 do above[n] = function(x) return x * value(chebyshev[n], x * x) end end
    for n = 1, 3 do below[n] = function(x) return value(chebyshev[n + 1], x * x) - chebyshev[n + 1][1] end end
    local c, worst = fit(1e-6, RATIONAL_END, above, below, false)
    local p, q = { 0, 0, 0, 0 }, { 1, 0, 0, 0 }
    for n = 1, 4 do
        for i, factor in ipairs(chebyshev[n]) do
            p[i] = p[i] + c[n] * factor
            if n > 1 and i > 1 then q[i] = q[i] + c[3 + n] * factor end
        end
    end
    return p, q, worst
end

-- As in C, rounded to float.
local function literal(value)
    local text = string.format("%.9g", string.unpack("f", string.pack("f", value)))
    return text .. (text:find("[.e]") and "f" or ".0f")
end

-- The literals of a list, `width` a line.
local function lines(list, width)
    local out = {}
    for i = 1, #list, width do
        local words = {}
        for j = i, math.min(i + width - 1, #list) do words[#words + 1] = literal(list[j]) end
        out[#out + 1] = table.concat(words, ", ") .. ","
    end
    return out
end

local constants = {
    lookup = function()
        local pieces = lookup()
        local list = {}
        for d = 1, 4 do
            for k = 1, PIECES do list[#list + 1] = pieces[k][d] end
        end
        return list
    end,
    -- In pairs, as Estrin's scheme takes them.
    rational = function()
        local p, q = rational()
        return { p[2], p[1], p[4], p[3], q[2], q[4], q[3] }
    end,
}

-- Every constant stands in the text, in this order, as a float that differs in the last bit at most.
local function check(text, list)
    local at = 1
    for i, wanted in ipairs(list) do
        local found
        repeat
            local from, to, number = text:find("(%-?%d+%.?%d*e?%-?%d*)f", at)
            if not from then error(string.format("constant %d is not there: %s", i, literal(wanted)), 0) end
            found = math.abs(tonumber(number) - wanted) <= 1.2e-7 * math.abs(wanted)
            at = to + 1
        until found
    end
end

if arg[1] then
    local file = assert(io.open(arg[1]))
    check(file:read("a"), constants[arg[2]]())
    file:close()
else
    local pieces, errors = lookup()
    for d = 1, 4 do
        local column = {}
        for k = 1, PIECES do column[k] = pieces[k][d] end
        print("{\n" .. table.concat(lines(column, 6), "\n") .. "\n},")
    end
    print("first piece: relative error", errors[1])
    table.sort(errors, function(a, b) return a > b end)
    print("other pieces: error", errors[2])
    local p, q, worst = rational()
    print("p\t" .. table.concat(lines(p, 4)))
    print("q\t" .. table.concat(lines(q, 4)))
    print("error", worst)
end
