-- features: what a layer reads of a signal: all values of a step, side by side.
local dimensions = require "import.onnx.dimensions"
local signals = require "import.onnx.signals"

local features = {}

-- Are the runs all those of the signal's layer, in order?
local function all_runs(signal)
    if not signal.runs then return true end
    local layer = signal.runs[1].layer
    if #signal.runs ~= layer.directions then return false end
    for direction, run in ipairs(signal.runs) do
        if run.layer ~= layer or run.direction ~= direction then return false end
    end
    return true
end

-- Do the atoms of an axis hold what a layer gives, in its order?
local function in_order(signal, atoms)
    local place = 1
    if #(signal.runs or {}) > 1 then
        if not (atoms[1] and atoms[1].runs) then return false end
        place = 2
    end
    if signal.width ~= 1 then
        if not (atoms[place] and atoms[place].values) then return false end
        place = place + 1
    end
    return #atoms == place - 1
end

-- features.are_all_steps(signal, axis) -> does an axis have the steps of a layer, and the values of each, side by side?
function features.are_all_steps(signal, axis)
    local first = signals.atoms(signal.axes[axis])[1]
    return signal.layer ~= nil and signal.what == "steps" and first ~= nil and first.role == "time"
end

-- All steps side by side are a layer `flatten`, one for all that read it.
local function flattened(node, signal, axis, width)
    local atoms, layer = signals.atoms(signal.axes[axis]), signal.layer
    local steps = table.remove(atoms, 1).size
    node:check(in_order(signal, atoms), "reads all steps side by side in another order than the layer before gives")
    layer.flat = layer.flat or {
        form = "flatten", label = "all steps of " .. layer.label, source = signal, input = width // steps,
        outputs = width, steps = steps, weights = {}, fields = {},
    }
    local axes = { table.unpack(signal.axes) }
    axes[axis] = { { size = width, values = true, name = "values" } }
    return { what = "once", layer = layer.flat, width = width, axes = axes }
end

-- features.read(node, signal, axis) -> the signal with `what` known, as a layer reads it along an axis, and its width.
-- An error of the node: it is a part of what the network has, or in another order.
function features.read(node, signal, axis)
    node:check(signal and signal.what, "reads numbers of the file; it has to read what the network is given")
    node:check(not (signal.layer and signal.layer.form == "erf"),
        "reads what Erf gives, which rnnc has as a part of GELU alone")
    node:check(not signal.residual, "follows a sum with x, which rnnc has at the end only")
    node:check(signal.what ~= "c", "reads the state c of an LSTM, which no layer here does")
    local width = dimensions.of(signal.axes[axis])
    node:check(math.type(width) == "integer" or not features.are_all_steps(signal, axis), "reads all steps side by "
        .. "side, and the file does not tell how many there are; export the network for a fixed number of steps")
    node:check(math.type(width) == "integer", "reads an axis whose size the file does not tell")
    if signal.what == "input" then
        local input = signal.input
        node:check(not signal.part, "reads a part of input %s", input.name)
        local free = not input.role or input.role == "x"
        node:check(free, "reads input %s, which is %s already", input.name, input.role or "")
        node:check(#signals.atoms(signal.axes[axis]) <= 1, "reads several axes of input %s as one", input.name)
        input.role = "x"
        return signals.with(signal, { what = "steps" }), width
    end
    if signal.what == "h" then signal = signals.with(signal, { layer = signal.runs[1].layer }) end
    if signal.layer then
        node:check(all_runs(signal),
            "reads a part of what a recurrent layer gives, which rnnc has not")
        if features.are_all_steps(signal, axis) then return flattened(node, signal, axis, width), width end
        node:check(in_order(signal, signals.atoms(signal.axes[axis])),
            "reads values in another order than the layer before gives")
    end
    return signal, width
end

-- features.bind(node, atoms, role): an axis is of time or of the batch.
function features.bind(node, atoms, role)
    local list = signals.atoms(atoms)
    node:check(#list <= 1, "has several axes as its %s", role)
    local atom = list[1]
    -- Axes of one entry are any; the first to ask says.
    if #list == 0 and #atoms == 1 then atoms[1].role = atoms[1].role or role end
    if atom then
        node:check((atom.role or role) == role and not atom.runs and not atom.values, "has an axis of %s as its %s",
            atom.role or atom.name or "values", role)
        atom.role = role
    end
end

return features
