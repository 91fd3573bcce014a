-- strides: how far apart in memory what a statement touches is from one value of a variable to the next: a number times
-- symbols, { number, symbols }, as "T B" of T * B.
local affine = require "ir.affine"
local grammar = require "ir.grammar"

local strides = {}

strides.ZERO = { number = 0, symbols = "" }

local ZERO <const> = strides.ZERO

-- strides.times(a, b) -> a * b.
function strides.times(a, b)
    local list = {}
    for word in (a.symbols .. " " .. b.symbols):gmatch("%S+") do list[#list + 1] = word end
    table.sort(list)
    local number = a.number * b.number
    return { number = number, symbols = number == 0 and "" or table.concat(list, " ") }
end

local times = strides.times

-- strides.monomial(extent) -> an extent that is a number or a symbol; or nil.
function strides.monomial(extent)
    if #extent == 1 then return { number = extent[1], symbols = "" } end
    if #extent == 2 and extent[1] == 0 then return { number = extent[2][2], symbols = extent[2][1] } end
end

local monomial = strides.monomial

function strides.same(a, b) return a.number == b.number and a.symbols == b.symbols end

function strides.is_one(m) return m.number == 1 and m.symbols == "" end

-- strides.text(m) -> it in C.
function strides.text(m)
    if m.symbols == "" then return tostring(m.number) end
    local words = m.symbols:gsub(" ", " * ")
    return m.number == 1 and words or words .. " * " .. m.number
end

-- strides.of(program, access, var) -> how far apart the places for one value of the variable and the next are; or nil:
-- that is not told.
function strides.of(program, access, var)
    local buffer = grammar.find(program, access[1])
    local stride, found = { number = 1, symbols = "" }, nil
    for k = #buffer.dims, 1, -1 do
        local dim = buffer.order and buffer.order[k] or k
        local index = access[dim + 1]
        local factor = affine.factor(index, var)
        if index.lookup and strides.of(program, index.lookup, var) ~= ZERO then return nil end
        if factor ~= 0 then
            if found or not stride or factor < 0 then return nil end
            found = times(stride, { number = factor, symbols = "" })
        end
        local extent = monomial(buffer.dims[dim])
        stride = stride and extent and times(stride, extent)
    end
    return found or ZERO
end

-- strides.is_uniform(program, tree, var) -> is the value the same for all of the variable?
function strides.is_uniform(program, tree, var)
    if type(tree) == "number" then return true end
    if tree[1] == "local" then return false end
    if tree[1] == "index" then return affine.factor(tree[2], var) == 0 end
    if tree[1] == "read" then
        local stride = strides.of(program, tree[2], var)
        return stride and stride.number == 0 or false
    end
    for i = 2, #tree do
        if not strides.is_uniform(program, tree[i], var) then return false end
    end
    return true
end

return strides
