-- affine: sums of whole multiples of loop variables and symbols, and a constant: what indices and extents are.
--
-- { CONSTANT, { NAME, FACTOR }, ... }, names in alphabetical order, no factor 0.
local affine = {}

local function of_terms(constant, factors)
    local names, out = {}, { constant }
    for name, factor in pairs(factors) do
        if factor ~= 0 then names[#names + 1] = name end
    end
    table.sort(names)
    for i, name in ipairs(names) do out[i + 1] = { name, factors[name] } end
    return out
end

local function parse(text)
    local constant, factors, rest = 0, {}, text:gsub("%s", "")
    rest = rest:gsub("([-+]?)([^-+]+)", function(sign, term)
        local factor, name = term:match("^(%d+)%*([%a_][%w_]*)$")
        if not factor then factor, name = "1", term:match("^[%a_][%w_]*$") end
        local value = math.tointeger(tonumber(name and factor or term))
            or error("not an index: " .. text)
        if sign == "-" then value = -value end
        if name then factors[name] = (factors[name] or 0) + value else constant = constant + value end
        return ""
    end)
    if rest ~= "" or text == "" then error("not an index: " .. text) end
    return of_terms(constant, factors)
end

-- affine.of(value) -> the form. value: an integer, a text such as "2*t + j - 1", or a form already.
-- Errors: anything else.
function affine.of(value)
    if math.type(value) == "integer" then return { value } end
    if type(value) == "string" then return parse(value) end
    if type(value) == "table" and math.type(value[1]) == "integer" then return value end
    error("not an index: " .. tostring(value))
end

-- affine.add(a, b, factor) -> a + factor * b; factor: 1 without it.
function affine.add(a, b, factor)
    local factors = {}
    factor = factor or 1
    for i = 2, #a do factors[a[i][1]] = a[i][2] end
    for i = 2, #b do factors[b[i][1]] = (factors[b[i][1]] or 0) + factor * b[i][2] end
    return of_terms(a[1] + factor * b[1], factors)
end

-- affine.substitute(a, name, b) -> a with b in the place of a variable.
function affine.substitute(a, name, b)
    for i = 2, #a do
        if a[i][1] == name then return affine.add(affine.add(a, { 0, a[i] }, -1), b, a[i][2]) end
    end
    return a
end

-- affine.factor(a, name) -> what the variable is multiplied by, 0 if it does not occur.
function affine.factor(a, name)
    for i = 2, #a do
        if a[i][1] == name then return a[i][2] end
    end
    return 0
end

-- affine.value(a, values) -> an integer; values: by name. Errors: a name without a value.
function affine.value(a, values)
    local sum = a[1]
    for i = 2, #a do
        sum = sum + a[i][2] * (values[a[i][1]] or error("no value of " .. a[i][1]))
    end
    return sum
end

-- affine.text(a) -> "2*t + j - 1", what affine.of reads.
function affine.text(a)
    local out = {}
    local function put(value, name)
        local size = math.abs(value)
        local word = not name and tostring(size) or size == 1 and name or size .. "*" .. name
        out[#out + 1] = (#out == 0 and (value < 0 and "-" or "") or (value < 0 and " - " or " + ")) .. word
    end
    for i = 2, #a do put(a[i][2], a[i][1]) end
    if a[1] ~= 0 or #out == 0 then put(a[1]) end
    return table.concat(out)
end

return affine
