-- data: what a network learns from, of a safetensors file or an .npz archive, cut into parts.
local fail = require "base.fail"
local host = require "host"
local layers = require "spec.layers"
local npz = require "import.npz"
local paths = require "base.paths"
local weights = require "weights.weights"

local data = {}

-- data.facts(spec) -> { tokens: are they the input?, input, output: values of a step of x and y, once: is there one y a
-- sequence?, labels: are targets labels? }.
function data.facts(spec)
    local list = spec.layers or { spec }
    local first, once = list[1], false
    for _, layer in ipairs(list) do once = once or layers.once(layer) ~= nil end
    local tokens = first.layer == "embedding"
    return { tokens = tokens, input = tokens and 1 or first.input_size, output = layers.outputs_of(list[#list]),
             once = once, labels = spec.training.loss == "cross_entropy" }
end

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

-- The shape without a last axis of `width` values, which may be left out where that is 1; nil: it is another one.
local function without(shape, rank, width)
    if #shape == rank and shape[rank] == width then return table.move(shape, 1, rank - 1, 1, {}) end
    return #shape == rank - 1 and width == 1 and shape or nil
end

-- The values of a tensor, as float32.
local function values_of(file, path, name)
    local bytes = file:numbers(name)
    return bytes or fail.at(path, name .. ": of a type that cannot be read; float32, uint8, int32 or int64 can")
end

local TEXT_MAX <const> = 1 << 28

-- A text as sequences: as many as a batch has, side by side; each byte of them is to tell the one behind it.
local function text_of(spec, path)
    local facts, training = data.facts(spec), spec.training
    if not facts.tokens or not facts.labels or facts.once then
        fail.at(path, "a text is for networks that begin with an embedding and give something for each step, with "
            .. "loss = \"cross_entropy\"")
    end
    local text, message = host.read(path, TEXT_MAX)
    if not text then fail.at(path, message) end
    local tokens = {}
    for i = 1, training.vocabulary and #training.vocabulary or 256 do
        tokens[training.vocabulary and training.vocabulary:sub(i, i) or string.char(i - 1)] = string.pack("<f", i - 1)
    end
    local count, steps = training.batch, (#text - 1) // training.batch
    if steps < 1 then
        fail.at(path, string.format("%d bytes are too few for %d parts side by side; make `batch` smaller", #text,
            count))
    end
    local values = text:gsub(".", function(byte)
        return tokens[byte] or fail.at(path, string.format("byte %d is not in the vocabulary", byte:byte()))
    end)
    local BYTES <const> = 4
    local x, y = {}, {}
    for n = 1, count do
        local first = (n - 1) * steps
        x[n] = values:sub(BYTES * first + 1, BYTES * (first + steps))
        y[n] = values:sub(BYTES * (first + 1) + 1, BYTES * (first + steps + 1))
    end
    return { count = count, steps = steps, x = table.concat(x), y = table.concat(y), path = path }
end

-- data.read(spec, path) -> { count, steps, x, y, lengths (or nil) }: sequences, steps of each, and the values of all as
-- float32. Errors, the user's: a tensor that is missing or of another shape, a text with other bytes.
function data.read(spec, path)
    if path:find("%.txt$") then return text_of(spec, path) end
    local facts, shapes = data.facts(spec), {}
    local file = weights.open(path, (npz.read(path)))
    for _, tensor in ipairs(file:list()) do shapes[tensor.name] = tensor.shape end
    local input = facts.tokens and "tokens" or "x"
    local function need(name, expected)
        if not shapes[name] then fail.at(path, string.format("there is no %s; expected %s", name, expected)) end
        return shapes[name]
    end
    local function wrong(name, expected)
        fail.at(path, string.format("%s is %s, expected %s; N sequences, T steps", name, shape_text(shapes[name]),
            expected))
    end
    local expected = facts.tokens and "(N, T)" or string.format("(N, T, %d)", facts.input)
    local sizes = without(need(input, expected), 3, facts.input)
    if not sizes then wrong(input, expected) end
    local count, steps = sizes[1], sizes[2]
    if count == 0 or steps == 0 then fail.at(path, input .. " is empty") end
    local own = facts.once and { count } or { count, steps }
    local width = facts.labels and 1 or facts.output
    local words = { "N" }
    if not facts.once then words[2] = "T" end
    if not facts.labels then words[#words + 1] = tostring(width) end
    expected = shape_text(words)
    local targets = without(need("y", expected), #own + 1, width)
    if not targets then wrong("y", expected) end
    for i, size in ipairs(own) do
        if targets[i] ~= size then
            fail.at(path, string.format("y is %s, and %s %s: they have to be of the same sequences%s",
                shape_text(shapes.y), input, shape_text(shapes[input]), facts.once and "" or " and steps"))
        end
    end
    if spec.seq_len ~= "any" and steps ~= spec.seq_len then
        fail.at(path, string.format("%s has %d steps, and the spec seq_len = %d", input, steps, spec.seq_len))
    end
    local lengths = shapes.lengths ~= nil
    if lengths and not spec.lengths then
        fail.at(path, "there are lengths; the spec needs lengths = true")
    elseif lengths and (#shapes.lengths ~= 1 or shapes.lengths[1] ~= count) then
        wrong("lengths", string.format("(%d)", count))
    end
    return { count = count, steps = steps, x = values_of(file, path, input), y = values_of(file, path, "y"),
             lengths = lengths and values_of(file, path, "lengths") or nil, path = path }
end

-- The numbers 1 .. count in an order that depends on the seed alone: xorshift (Marsaglia 2003), Fisher and Yates.
local function shuffled(count, seed)
    local state, list = seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D, {}
    if state == 0 then state = 1 end
    for i = 1, count do list[i] = i end
    for i = count, 2, -1 do
        state = state ~ (state << 13)
        state = state ~ (state >> 7)
        state = state ~ (state << 17)
        local k = (state >> 1) % i + 1
        list[i], list[k] = list[k], list[i]
    end
    return list
end

-- The sequences of those numbers.
local function selected(whole, numbers)
    table.sort(numbers)
    local result = { count = #numbers, steps = whole.steps, path = whole.path }
    for _, name in ipairs { "x", "y", "lengths" } do
        local bytes, pieces = whole[name], {}
        if bytes then
            local size = #bytes // whole.count
            for i, n in ipairs(numbers) do pieces[i] = bytes:sub((n - 1) * size + 1, n * size) end
            result[name] = table.concat(pieces)
        end
    end
    return result
end

-- data.parts(spec) -> the parts { data, validation, test }, the latter two where the spec asks for them, each as
-- data.read gives it. Errors as there, and a part without a sequence.
function data.parts(spec)
    local training, directory = spec.training, (paths.split(spec.path))
    local function path_of(name)
        return name:sub(1, 1) == "/" and name or paths.join(directory, name)
    end
    local whole = data.read(spec, path_of(training.data))
    local order, at, parts = nil, 0, {}
    for _, name in ipairs { "validation", "test" } do
        local wanted = training[name]
        if type(wanted) == "string" then
            parts[name] = data.read(spec, path_of(wanted))
        elseif wanted then
            order = order or shuffled(whole.count, training.seed)
            local count = math.floor(wanted * whole.count + 0.5)
            if count == 0 then
                fail.at(spec.path, string.format("training: %s = %g of %d sequences is none", name, wanted,
                    whole.count))
            end
            parts[name] = selected(whole, table.move(order, at + 1, at + count, 1, {}))
            at = at + count
        end
    end
    if order and at >= whole.count then
        fail.at(spec.path, string.format("training: of %d sequences nothing is left to learn from", whole.count))
    end
    parts.data = order and selected(whole, table.move(order, at + 1, whole.count, 1, {})) or whole
    return parts
end

-- data.text(part) -> its values as the program reads them: x, y, lengths.
function data.text(part) return part.x .. part.y .. (part.lengths or "") end

return data
