-- shapes: operators that move values, of constants and of signals.
--
-- A row is a function (node) -> the outputs; input i is node.values[i].
local constants = require "import.onnx.constants"
local dimensions = require "import.onnx.dimensions"
local signals = require "import.onnx.signals"

local operators = {}

local function shape_of(value) return value.what and signals.shape(value) or value.shape end

-- The integers of an input, from opset `since` on, or of the attribute before; nil: neither is there.
local function list_of(node, i, name, since)
    if node.opset < since then return node:attribute(name, "ints") end
    if not node.values[i] then return nil end
    local constant = node:constant(i, name)
    return node:check(constant.ints, "its %s are no integers", name)
end

local function numbers(node, list, name)
    for _, value in ipairs(list) do
        node:check(math.type(value) == "integer", "its %s depend on what the network is given", name)
    end
    return list
end

-- What became of a signal, or the line that says why nothing can.
local function moved(node, signal, message)
    return signal or node:bad("%s, which rnnc has not", message)
end

local function identity(node) return node:check(node.values[1], "has no input") end

operators.Identity = identity

-- In inference it does nothing; its mask is of no use.
function operators.Dropout(node)
    if node.values[3] then
        local training = node:constant(3, "training_mode")
        node:check(constants.is_zero(training), "drops values out, as in training")
    end
    return identity(node)
end

-- Numbers stay what they are: float32 here, or whole.
function operators.Cast(node)
    local to, value = node:attribute("to", "i", 0), identity(node)
    local is_float = to == 1 or to == 10 or to == 11 or to == 16
    if not value.what and is_float ~= (value.data ~= nil) then
        node:check(not is_float, "makes floats of whole numbers, which rnnc has not")
        node:spend(constants.count(value))
        local list = {}
        for at = 1, #value.data, 4 do
            local number = string.unpack("<f", value.data, at)
            list[#list + 1] = node:check(math.tointeger(number < 0 and math.ceil(number) or math.floor(number)),
                "makes whole numbers of %g", number)
        end
        return { shape = value.shape, ints = list }
    end
    return value
end

function operators.Constant(node)
    local tensor = node.attributes.value and node:attribute("value", "t")
    if tensor then
        node:check(not tensor.external, "has its values in another file")
        local constant, message = constants.of(tensor)
        return constant or node:bad("its value %s", message)
    end
    if node.attributes.value_int then return constants.ints({ node:attribute("value_int", "i") }, true) end
    return constants.ints(node:check(node.attributes.value_ints and node:attribute("value_ints", "ints"),
        "has a value of a kind that rnnc does not read"))
end

function operators.Shape(node)
    local shape = shape_of(identity(node))
    local rank = #shape
    local first, last = node:attribute("start", "i", 0), node:attribute("end", "i", rank)
    local function clamp(at) return math.max(0, math.min(rank, at < 0 and at + rank or at)) end
    return constants.ints(table.move(shape, clamp(first) + 1, clamp(last), 1, {}))
end

function operators.Transpose(node)
    local value, order = identity(node), {}
    local rank, given = #shape_of(value), node:attribute("perm", "ints")
    local seen = {}
    for i = 1, rank do
        order[i] = given and node:axis(given[i], rank) or rank + 1 - i
        node:check(not seen[order[i]] and not (given and #given ~= rank), "has no permutation")
        seen[order[i]] = true
    end
    if value.what then return signals.transpose(value, order) end
    node:spend(constants.count(value))
    return constants.transpose(value, order)
end

-- The axes of a list, rising, from 1.
local function axes_of(node, list, rank)
    local axes, seen = {}, {}
    for i, axis in ipairs(numbers(node, list, "axes")) do
        axes[i] = node:axis(axis, rank)
        node:check(not seen[axes[i]], "has an axis twice")
        seen[axes[i]] = true
    end
    table.sort(axes)
    return axes, seen
end

function operators.Squeeze(node)
    local value = identity(node)
    local shape, list = shape_of(value), list_of(node, 2, "axes", 13)
    if not list then
        list = {}
        for i, size in ipairs(shape) do
            if size == 1 then list[#list + 1] = i - 1 end
        end
    end
    local axes, gone = axes_of(node, list, #shape)
    if value.what then return moved(node, signals.squeeze(value, axes)) end
    local rest = {}
    for i, size in ipairs(shape) do
        node:check(not gone[i] or size == 1, "squeezes axis %d, which is not of size 1", i - 1)
        if not gone[i] then rest[#rest + 1] = size end
    end
    return constants.with_shape(value, rest)
end

function operators.Unsqueeze(node)
    local value = identity(node)
    local list = node:check(list_of(node, 2, "axes", 13), "has no axes")
    local rank = #shape_of(value) + #list
    node:check(rank <= constants.RANK_MAX, "makes more than 8 axes")
    local axes = axes_of(node, list, rank)
    if value.what then return signals.unsqueeze(value, axes) end
    local shape = { table.unpack(value.shape) }
    for _, axis in ipairs(axes) do table.insert(shape, axis, 1) end
    return constants.with_shape(value, shape)
end

-- The new shape of a constant: its values stay as many.
local function reshape_constant(node, value, target)
    local rest, product = nil, 1
    for i, size in ipairs(target) do
        node:check(size, "has a shape that cannot be told")
        if size == -1 then
            node:check(not rest, "has two sizes of -1")
            rest = i
        else
            product = node:check(dimensions.multiply(product, size), "has a shape that cannot be told")
        end
    end
    local whole = 1
    for _, size in ipairs(value.shape) do
        whole = node:check(dimensions.multiply(whole, size), "has a shape that cannot be told")
    end
    if rest then
        target[rest] = node:check(product ~= 0 and dimensions.divide(whole, product), "has a shape of another size")
        product = node:check(dimensions.multiply(product, target[rest]), "has a shape of another size")
    end
    node:check(dimensions.equal(product, whole), "has a shape of another size")
    return constants.with_shape(value, target)
end

local function reshape(node, value, target)
    node:check(#target <= constants.RANK_MAX, "makes more than 8 axes")
    if value.what then return moved(node, signals.reshape(value, target)) end
    return reshape_constant(node, value, target)
end

function operators.Reshape(node)
    local value, target = identity(node), {}
    local list, shape = node:check(list_of(node, 2, "shape", 5), "has no shape"), shape_of(value)
    local keeps_zero = node:attribute("allowzero", "i", 0) ~= 0
    for i, size in ipairs(list) do
        if size == 0 and not keeps_zero then size = node:check(shape[i], "keeps an axis that is not there") end
        node:check(math.type(size) ~= "integer" or size >= -1, "has a size below 0")
        target[i] = size
    end
    return reshape(node, value, target)
end

function operators.Flatten(node)
    local value = identity(node)
    local shape = shape_of(value)
    local axis = node:attribute("axis", "i", 1)
    axis = axis < 0 and axis + #shape or axis
    node:check(axis >= 0 and axis <= #shape, "has no axis %d", axis)
    local sizes = { 1, 1 }
    for i, size in ipairs(shape) do
        local half = i <= axis and 1 or 2
        sizes[half] = node:check(dimensions.multiply(sizes[half], size), "has a shape that cannot be told")
    end
    return reshape(node, value, sizes)
end

-- The inputs as they are, all constants or all signals.
local function parts_of(node)
    local list, what = {}, nil
    for i = 1, node.input_count do
        local value = node:check(node.values[i], "has an input that is left out")
        node:check(i == 1 or (value.what ~= nil) == what, "puts numbers beside what the network gives")
        list[i], what = value, value.what ~= nil
    end
    node:check(#list > 0, "has no input")
    return list, what
end

function operators.Concat(node)
    local list, are_signals = parts_of(node)
    local axis = node:axis(node:attribute("axis", "i", 1), #shape_of(list[1]))
    if are_signals then return moved(node, signals.concat(list, axis)) end
    for _, constant in ipairs(list) do node:spend(constants.count(constant)) end
    return constants.concat(list, axis) or node:bad("its inputs do not fit side by side")
end

-- Entries first to last of an axis (from 1).
local function part(node, value, axis, first, count, step, keep)
    if value.what then
        local last = dimensions.add(first, dimensions.subtract(count, 1))
        node:check(last, "takes a part that cannot be told")
        return moved(node, signals.slice(value, axis, first, last, step, keep))
    end
    node:spend(constants.count(value))
    local taken = constants.slice(value, axis, first, count, step)
    if keep then return taken end
    local shape = { table.unpack(taken.shape) }
    table.remove(shape, axis)
    return constants.with_shape(taken, shape)
end

-- A place along an axis as Slice has it: negative ones count from the end, and those beyond are the ends.
local function place(node, at, size)
    if math.type(at) ~= "integer" then return at end
    if at < 0 then at = node:check(dimensions.add(size, at), "takes a part that cannot be told") end
    if math.type(at) == "integer" and math.type(size) == "integer" then return math.max(0, math.min(at, size)) end
    -- Ends are mostly the largest number that there is.
    if math.type(at) == "integer" and at > 1 << 30 then return size end
    return at
end

function operators.Slice(node)
    local value = identity(node)
    local since <const> = 10
    local starts, ends = list_of(node, 2, "starts", since), list_of(node, 3, "ends", since)
    local axes, steps = list_of(node, 4, "axes", since), node.opset >= since and list_of(node, 5, "steps", since)
    node:check(starts and ends and #starts == #ends, "has no starts and ends")
    node:check(not (axes and #axes ~= #starts) and not (steps and #steps ~= #starts), "has lists of different lengths")
    for i in ipairs(starts) do
        local shape = shape_of(value)
        local axis, step = node:axis(axes and axes[i] or i - 1, #shape), steps and steps[i] or 1
        local size = shape[axis]
        local can_step = not value.what and math.type(step) == "integer" and step > 1
        node:check(step == 1 or can_step and math.type(size) == "integer",
            "takes steps of %s, which rnnc has not", dimensions.text(step))
        local first, behind = place(node, starts[i], size), place(node, ends[i], size)
        local count = dimensions.subtract(behind, first)
        if math.type(count) == "integer" and step > 1 then count = (count + step - 1) // step end
        node:check(count and not (math.type(count) == "integer" and count < 0), "takes a part that cannot be told")
        local whole = first == 0 and step == 1 and dimensions.equal(count, size)
        local known = math.type(size) == "integer" and math.type(first) == "integer" and math.type(count) == "integer"
        node:check(whole or value.what or known, "takes a part that cannot be told")
        if not whole then
            node:check(count ~= 0 or not value.what, "takes nothing of axis %d", axis - 1)
            value = part(node, value, axis, first, count, step, true)
        end
    end
    return value
end

function operators.Split(node)
    local value = identity(node)
    local shape = shape_of(value)
    local axis, first, results = node:axis(node:attribute("axis", "i", 0), #shape), 0, {}
    local sizes, whole = list_of(node, 2, "split", 13), shape[axis]
    node:check(math.type(whole) == "integer", "splits axis %d, whose size is not known", axis - 1)
    if not sizes then
        sizes = {}
        local size = (whole + node.output_count - 1) // math.max(node.output_count, 1)
        for i = 1, node.output_count do sizes[i] = math.min(size, whole - size * (i - 1)) end
    end
    local total = 0
    for _, size in ipairs(numbers(node, sizes, "sizes")) do
        node:check(size > 0, "splits into a part of nothing")
        total = total + size
    end
    node:check(total == whole, "splits axis %d into parts of another size", axis - 1)
    for i, size in ipairs(sizes) do
        -- Parts that nobody asks for need not be there.
        local wanted = node.names[i] ~= nil and node.names[i] ~= ""
        if wanted then results[i] = part(node, value, axis, first, size, 1, true) end
        first = first + size
    end
    return table.unpack(results, 1, #sizes)
end

-- One entry of an axis, or several of a constant.
function operators.Gather(node)
    local value, indices = identity(node), node:constant(2, "indices")
    local shape = shape_of(value)
    local axis = node:axis(node:attribute("axis", "i", 0), #shape)
    node:check(indices.ints and #indices.shape <= 1, "has indices that are no list of whole numbers")
    local size, scalar = shape[axis], #indices.shape == 0
    node:check(value.what == nil or #indices.ints == 1, "takes several parts of axis %d, which rnnc has not", axis - 1)
    local taken = {}
    for i, index in ipairs(indices.ints) do
        if math.type(index) == "integer" and index < 0 then
            index = node:check(dimensions.add(size, index), "takes a part that cannot be told")
        end
        local inside = math.type(index) ~= "integer" or math.type(size) ~= "integer" or index >= 0 and index < size
        node:check(inside, "takes entry %s of an axis of %s", tostring(index), dimensions.text(size))
        node:check(value.what or math.type(index) == "integer" and math.type(size) == "integer",
            "takes a part that cannot be told")
        taken[i] = part(node, value, axis, index, 1, 1, not scalar)
    end
    if #taken == 1 then return taken[1] end
    return #taken > 0 and constants.concat(taken, axis) or node:bad("takes nothing")
end

-- A constant in a larger shape, in which its axes of 1 are repeated.
local function expanded(node, value, target)
    local shape, rank = { table.unpack(value.shape) }, math.max(#value.shape, #target)
    node:check(rank <= constants.RANK_MAX, "makes more than 8 axes")
    for _ = #shape + 1, rank do table.insert(shape, 1, 1) end
    value = constants.with_shape(value, shape)
    for axis = rank, 1, -1 do
        local wanted, size = target[axis - rank + #target] or 1, shape[axis]
        if not dimensions.equal(wanted, size) and wanted ~= 1 then
            node:check(size == 1, "makes axis %d of %s into one of %s", axis - 1, dimensions.text(size),
                dimensions.text(wanted))
            if math.type(wanted) == "integer" then
                node:check(wanted > 0 and wanted < 1 << 31, "makes an axis of %d", wanted)
                node:spend(constants.count(value) * wanted)
                value = constants.repeated(value, axis, wanted)
            else
                -- One value stands for all.
                local grown = { table.unpack(value.shape) }
                grown[axis] = wanted
                value = constants.with_shape(value, grown)
            end
        end
    end
    return value
end

function operators.Expand(node)
    local value, target = identity(node), node:check(list_of(node, 2, "shape", 8), "has no shape")
    if value.what then
        local shape = signals.shape(value)
        for i, size in ipairs(target) do
            local own = shape[i - #target + #shape]
            node:check(size == 1 or own and dimensions.equal(own, size), "repeats what the network gives")
        end
        return value
    end
    return expanded(node, value, target)
end

function operators.ConstantOfShape(node)
    local target = node:check(list_of(node, 1, "shape", 0), "has no shape")
    local value = { shape = {}, data = "\0\0\0\0" }
    if node.attributes.value then
        local constant, message = constants.of(node:attribute("value", "t"))
        value = node:check(constant, "its value %s", message)
        node:check(constants.count(value) == 1, "its value is not one number")
        value = constants.with_shape(value, {})
    end
    return expanded(node, value, target)
end

return operators
