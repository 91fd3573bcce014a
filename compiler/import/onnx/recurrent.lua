-- recurrent: the operators RNN, LSTM and GRU.
--
-- W (directions, gates * hidden, input), R (directions, gates * hidden, hidden), B (directions, 2 * gates * hidden: of
-- W, then of R); gates of an LSTM i o f c, of a GRU z r h. Layout 0 has X (time, batch, input), Y (time, directions,
-- batch, hidden), states (directions, batch, hidden); layout 1 the batch first in each, and directions third in Y.
local constants = require "import.onnx.constants"
local dimensions = require "import.onnx.dimensions"
local features = require "import.onnx.features"
local functions = require "import.onnx.functions"
local signals = require "import.onnx.signals"
local tensors = require "import.tensors"

-- cell: what rnnc calls it; order: where PyTorch's gates stand among ONNX's; functions: f, g and h of ONNX, each the
-- field of a spec and ONNX's default, which is PyTorch's.
local cells <const> = {
    RNN = { cell = "rnn", order = { 1 }, functions = { { "nonlinearity", "tanh" } }, text = "" },
    LSTM = { cell = "lstm", order = { 1, 3, 4, 2 }, text = ", gates i o f c as i f g o",
             functions = { { "gate_activation", "sigmoid" }, { "candidate_activation", "tanh" },
                           { "output_activation", "tanh" } } },
    GRU = { cell = "gru", order = { 2, 1, 3 }, text = ", gates z r h as r z n",
            functions = { { "gate_activation", "sigmoid" }, { "candidate_activation", "tanh" } } },
}

-- Attributes that ask for what rnnc has not.
local function refuse_others(node, direction)
    node:check(direction == "forward" or direction == "reverse" or direction == "bidirectional",
        "has a direction %q", direction)
    node:check(node:attribute("input_forget", "i", 0) == 0, "has input_forget, which rnnc has not")
end

-- Input i as a constant of floats of that shape.
local function weight(node, i, name, ...)
    local constant = node:constant(i, name)
    node:check(constant.data and tensors.is(constant, ...), "its %s is %s, and %s is expected", name,
        constant.data and tensors.shape_text(constant.shape) or "of whole numbers", tensors.shape_text { ... })
    return constant
end

-- Rows first to first + count - 1 (from 0) of direction `d` of a constant, gates in PyTorch's order.
local function rows(constant, d, first, count, order)
    local one = constants.slice(constants.slice(constant, 1, d, 1), 2, first, count)
    return tensors.gates({ shape = table.move(one.shape, 2, #one.shape, 1, {}), data = one.data }, order)
end

-- The tensors of the layer in PyTorch's order of names, and whether there are biases.
local function weights_of(node, row, sizes)
    local order, hidden, list = row.order, sizes.hidden, {}
    local total = #order * hidden
    local w = weight(node, 2, "W", sizes.directions, total, sizes.input)
    local r = weight(node, 3, "R", sizes.directions, total, hidden)
    local b = node.values[4] and weight(node, 4, "B", sizes.directions, 2 * total)
    -- ONNX has the peepholes of i, o and f.
    local p = row.cell == "lstm" and node.values[8] and weight(node, 8, "P", sizes.directions, 3 * hidden)
    if p and constants.is_zero(p) then p = nil end
    node:spend(constants.count(w) + constants.count(r))
    for d = 0, sizes.directions - 1 do
        local suffix = d == 1 and "_reverse" or ""
        list[#list + 1] = { name = "weight_ih", suffix = suffix, tensor = rows(w, d, 0, total, order) }
        list[#list + 1] = { name = "weight_hh", suffix = suffix, tensor = rows(r, d, 0, total, order) }
        if b then
            list[#list + 1] = { name = "bias_ih", suffix = suffix, tensor = rows(b, d, 0, total, order) }
            list[#list + 1] = { name = "bias_hh", suffix = suffix, tensor = rows(b, d, total, total, order) }
        end
        for i, gate in ipairs(p and { "i", "o", "f" } or {}) do
            list[#list + 1] = { name = "weight_c" .. gate, suffix = suffix,
                                tensor = rows(p, d, (i - 1) * hidden, hidden, { 1 }) }
        end
    end
    return list, b ~= nil, p and true or nil
end

-- A state that is in the file, as a tensor (directions, hidden) for all sequences; nil: it is 0.
local function recorded_state(node, value, what, layer, batch_axis)
    node:spend(constants.count(value))
    if constants.is_zero(value) then return nil end
    local wanted = { layer.directions, layer.directions, layer.hidden }
    wanted[batch_axis] = value.shape[batch_axis]
    node:check(value.data and tensors.is(value, table.unpack(wanted)), "its initial_%s is no state of its size", what)
    local known = math.type(wanted[batch_axis]) == "integer" and wanted[batch_axis] or 1
    local first = constants.slice(value, batch_axis, 0, 1)
    for b = 1, known - 1 do
        node:check(constants.slice(value, batch_axis, b, 1).data == first.data,
            "its initial_%s is in the file and differs between sequences, which rnnc has not", what)
    end
    return { shape = { layer.directions, layer.hidden }, data = first.data }
end

-- The state that the program gives, { input, first } of its rows; or nil and that of the file, nil: it is 0.
local function initial(node, i, what, layer, batch_axis)
    local value = node.values[i]
    if not value then return nil end
    if not value.what then return nil, recorded_state(node, value, what, layer, batch_axis) end
    node:check(value.what == "input" and #value.axes == 3, "its initial_%s is no input of the graph", what)
    local input, role = value.input, what .. "0"
    node:check(not input.role or input.role == role, "its initial_%s is input %s, which is %s already", what,
        input.name, input.role or "")
    input.role = role
    features.bind(node, value.axes[batch_axis], "batch")
    local rows_axis = 3 - batch_axis
    local part, hidden = value.part, dimensions.of(value.axes[3])
    node:check((math.type(hidden) ~= "integer" or hidden == layer.hidden)
        and dimensions.of(value.axes[rows_axis]) == layer.directions
        and not (part and part.atom ~= input.axes[rows_axis][1]), "its initial_%s is no state of its size", what)
    return { input = input, first = part and part.first or 0 }
end

-- Puts states that are in the file among the weights; what one state lacks is 0.
local function put_states(node, layer, h, c, given)
    if not h and not c then return end
    node:check(not given, "has one initial state in the file and one from the program, which rnnc has not")
    local directions, hidden = layer.directions, layer.fields.hidden_size
    local function put(name, state)
        local zeros = tensors.zeros(directions * hidden)
        layer.weights[#layer.weights + 1] = {
            name = name, whole = true, tensor = { shape = { directions, hidden }, data = (state or zeros).data },
        }
    end
    layer.fields.initial_state = true
    put("h0", h)
    if layer.fields.cell == "lstm" then put("c0", c) end
end

-- The lengths of the sequences, if the program gives them.
local function lengths(node, time)
    local value = node.values[5]
    if not value then return nil end
    if value.what then
        node:check(value.what == "input" and not value.part and (value.input.role or "lengths") == "lengths",
            "its sequence_lens is no input of the graph")
        value.input.role = "lengths"
        return value.input
    end
    for _, length in ipairs(node:check(value.ints, "its sequence_lens has no whole numbers")) do
        node:check(dimensions.equal(length, time),
            "its sequence_lens are in the file, and not all steps; rnnc has them from the program")
    end
    return nil
end

local function recurrent(node)
    local row, layout = cells[node.op], node:attribute("layout", "i", 0)
    node:check(layout == 0 or layout == 1, "has a layout %d", layout)
    local x = node:check(node.values[1], "has no X")
    node:check(x.what and #x.axes == 3, "its X is no sequence of three axes")
    local time_axis, batch_axis = layout == 0 and 1 or 2, layout == 0 and 2 or 1
    local source, input = features.read(node, x, 3)
    node:check(source.what == "steps", "reads one step of what the layer before gives")
    features.bind(node, source.axes[time_axis], "time")
    features.bind(node, source.axes[batch_axis], "batch")
    local direction = node:attribute("direction", "s", "forward")
    refuse_others(node, direction)
    local r = node:constant(3, "R")
    local hidden = r.shape[3]
    node:check(#r.shape == 3 and hidden > 0, "its R is %s instead of a matrix for each direction",
        tensors.shape_text(r.shape))
    node:check(node:attribute("hidden_size", "i", hidden) == hidden, "has a hidden_size other than its R")
    local directions = direction == "bidirectional" and 2 or 1
    local sizes = { directions = directions, hidden = hidden, input = input }
    local list, bias, peepholes = weights_of(node, row, sizes)
    local h0, own_h = initial(node, 6, "h", sizes, layout == 0 and 2 or 1)
    local c0, own_c
    if row.cell == "lstm" then c0, own_c = initial(node, 7, "c", sizes, layout == 0 and 2 or 1) end
    -- The default of rnnc is left out.
    local reset_after
    if row.cell == "gru" and node:attribute("linear_before_reset", "i", 0) == 0 then reset_after = false end
    local layer = {
        form = "rnn", label = node.label, source = source, input = input, outputs = hidden * directions,
        directions = directions, weights = list, h0 = h0, c0 = c0,
        lengths = lengths(node, dimensions.of(source.axes[time_axis])),
        fields = {
            cell = row.cell, hidden_size = hidden, bias = bias, bidirectional = directions == 2,
            direction = direction == "reverse" and "reverse" or nil, reset_after = reset_after,
            peepholes = peepholes,
        },
        text = row.text,
    }
    functions.put(node, row.functions, directions, layer.fields)
    put_states(node, layer, own_h, own_c, h0 or c0)
    local runs = {}
    for d = 1, directions do runs[d] = { layer = layer, direction = d } end
    local values, both = { size = hidden, values = true, name = "values" }, { signals.runs_atom(directions) }
    local time, batch = source.axes[time_axis], source.axes[batch_axis]
    local function signal(what, axes)
        return { what = what, layer = layer, runs = runs, width = hidden, axes = axes }
    end
    if layout == 0 then
        return signal("steps", { time, both, batch, { values } }), signal("h", { both, batch, { values } }),
            row.cell == "lstm" and signal("c", { both, batch, { values } }) or nil
    end
    return signal("steps", { batch, time, both, { values } }), signal("h", { batch, both, { values } }),
        row.cell == "lstm" and signal("c", { batch, both, { values } }) or nil
end

return { RNN = recurrent, LSTM = recurrent, GRU = recurrent }
