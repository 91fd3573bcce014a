-- arithmetic: operators on whole numbers, by which exporters work out shapes.
--
-- A row is a function (node) -> the output, a constant.
local dimensions = require "import.onnx.dimensions"

local operators = {}

-- Arithmetic of whole numbers, of two lists of which one may be a single number.
local function arithmetic(name, compute)
    operators[name] = function(node)
        local a, b = node:constant(1, "first number"), node:constant(2, "second number")
        node:check(a.ints and b.ints, "of numbers that are no part of the network, which rnnc does not compute")
        local larger = #a.ints >= #b.ints and a or b
        local same = #a.ints == #b.ints and #a.shape == #b.shape
        node:check(same or #a.ints == 1 or #b.ints == 1, "of lists of different sizes")
        node:spend(#larger.ints)
        local list = {}
        for i in ipairs(larger.ints) do
            local result = compute(a.ints[#a.ints == 1 and 1 or i], b.ints[#b.ints == 1 and 1 or i])
            list[i] = node:check(result, "depends on what the network is given")
        end
        return { shape = #a.shape >= #b.shape and #a.ints >= #b.ints and a.shape or larger.shape, ints = list }
    end
end

arithmetic("Sub", dimensions.subtract)
arithmetic("Div", dimensions.divide)
arithmetic("Add", dimensions.add)
arithmetic("Mul", dimensions.multiply)

-- Sizes that are not known yet may be equal: that cannot be told.
arithmetic("Equal", function(a, b)
    if dimensions.equal(a, b) then return 1 end
    return math.type(a) == "integer" and math.type(b) == "integer" and 0 or nil
end)

local function compare(test)
    return function(a, b)
        return math.type(a) == "integer" and math.type(b) == "integer" and (test(a, b) and 1 or 0) or nil
    end
end

arithmetic("Less", compare(function(a, b) return a < b end))
arithmetic("Greater", compare(function(a, b) return a > b end))
arithmetic("And", compare(function(a, b) return a ~= 0 and b ~= 0 end))
arithmetic("Or", compare(function(a, b) return a ~= 0 or b ~= 0 end))

function operators.Not(node)
    local value, list = node:constant(1, "value"), {}
    node:check(value.ints, "of numbers that are no part of the network")
    for i, entry in ipairs(value.ints) do
        node:check(math.type(entry) == "integer", "depends on what the network is given")
        list[i] = entry == 0 and 1 or 0
    end
    return { shape = value.shape, ints = list }
end

return operators
