-- gelu: GELU as exporters write it where the operator Gelu is not there yet, x (1 + Erf(x / sqrt 2)) / 2 with its
-- products in any order. A part of it is the signal of a layer of form "erf", which nothing but the next part reads.
local signals = require "import.onnx.signals"

local gelu = {}

local NEAR <const> = 1e-6

-- The signal of a part: `layer` with what has been done to it.
local function with(signal, layer, done)
    local made = { form = "erf", label = layer.label, of = layer.of, plus = layer.plus, half = layer.half,
                   times = layer.times, fields = {}, weights = {}, source = layer.source, input = layer.input,
                   outputs = layer.outputs }
    if done then made[done] = true end
    return signals.with(signal, { layer = made })
end

-- A layer that multiplies with one number.
local function is_times(layer, number)
    local scale = layer and layer.form == "scale" and not layer.fields.shift and layer.fields.scale
    return math.type(scale) == "float" and math.abs(scale - number) < NEAR
end

-- gelu.erf(node) -> Erf of a signal. An error of the node: it is of something else than x / sqrt 2.
function gelu.erf(node)
    local signal = node.values[1]
    node:check(signal and signal.what and is_times(signal.layer, math.sqrt(0.5)) and signal.layer.of.layer,
        "is of what GELU has not under it, x / sqrt(2) of what a layer gives; rnnc has it in GELU alone")
    return with(signal, signal.layer)
end

-- gelu.is(signal) -> is it a part of GELU?
function gelu.is(signal) return signal ~= nil and signal.layer ~= nil and signal.layer.form == "erf" end

-- gelu.finished(signal) -> what it is GELU of, once all of it is there.
function gelu.finished(signal)
    local layer = signal.layer
    return layer.plus and layer.half and layer.times and layer.of or nil
end

-- gelu.with_number(signal, what, number) -> the part with 1 added ("plus") or half of it ("half"); nil: another number.
function gelu.with_number(signal, what, number)
    local layer = signal.layer
    if number ~= (what == "plus" and 1 or 0.5) or layer[what] or what == "half" and not layer.plus then return nil end
    return with(signal, layer, what)
end

-- gelu.with_signal(part, other) -> the part times x, or times x / 2; nil: it is another signal.
function gelu.with_signal(part, other)
    local layer, x = part.layer, part.layer.of.layer
    if not layer.plus or layer.times then return nil end
    if other.layer == x then return with(part, layer, "times") end
    if is_times(other.layer, 0.5) and other.layer.of.layer == x and not layer.half then
        local whole = with(part, layer, "times")
        return with(whole, whole.layer, "half")
    end
end

return gelu
