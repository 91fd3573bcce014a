-- signals: values of a graph that depend on its inputs, as what they are of the network.
--
-- A signal is { what, layer, input, runs, axes, width }:
--   what   "input": of the graph, before it is known what for; "steps": x, or what a layer gives, over time; "last":
--          that at the last step; "once": of a layer that runs once a sequence; "h", "c": states after the last step
--   layer  that gives it (see network.lua); nil: an input of the graph
--   input  of the graph, see graph.lua; part: { atom, first, count }, what has been taken of it
--   runs   of a recurrent layer, and of states: { layer, direction }, a list; each has `width` values
--   axes   a list of atoms for each (see dimensions.lua), the first the outermost; one of size 1 may have none. The
--          values of a layer are an atom too (values), and so are its runs (runs), where there are several.
-- What moves a signal gives a new one with the same atoms in other places, or nil and why rnnc has no such thing.
local dimensions = require "import.onnx.dimensions"

local signals = {}

-- signals.with(signal, changes) -> a copy with other fields.
function signals.with(signal, changes)
    local copy = {}
    for key, value in pairs(signal) do copy[key] = value end
    for key, value in pairs(changes) do copy[key] = value end
    return copy
end

-- signals.shape(signal) -> its dimensions.
function signals.shape(signal)
    local shape = {}
    for i, atoms in ipairs(signal.axes) do shape[i] = dimensions.of(atoms) end
    return shape
end

-- signals.atoms(axis) -> those that are not of size 1.
function signals.atoms(axis)
    local list = {}
    for _, atom in ipairs(axis) do
        if atom.size ~= 1 then list[#list + 1] = atom end
    end
    return list
end

-- signals.runs_atom(count) -> the atom of `count` runs; nil for one.
function signals.runs_atom(count) return count > 1 and { size = count, runs = true, name = "directions" } or nil end

function signals.transpose(signal, order)
    local axes = {}
    for i, axis in ipairs(order) do axes[i] = signal.axes[axis] end
    return signals.with(signal, { axes = axes })
end

function signals.squeeze(signal, list)
    local gone, axes = {}, {}
    for _, axis in ipairs(list) do
        if dimensions.of(signal.axes[axis]) ~= 1 then
            return nil, string.format("squeezes axis %d, whose size is not 1", axis - 1)
        end
        gone[axis] = true
    end
    for i, atoms in ipairs(signal.axes) do
        if not gone[i] then axes[#axes + 1] = atoms end
    end
    return signals.with(signal, { axes = axes })
end

-- list: the places of the new axes in the result, rising.
function signals.unsqueeze(signal, list)
    local axes = { table.unpack(signal.axes) }
    for _, axis in ipairs(list) do table.insert(axes, axis, {}) end
    return signals.with(signal, { axes = axes })
end

-- Takes atoms from one end of `flat` until they make up `wanted`.
local function take(flat, wanted, from_end)
    local taken = {}
    while not (#taken > 0 and dimensions.equal(dimensions.of(taken), wanted)) do
        local place = from_end and #flat or 1
        local atom = flat[place]
        if not atom or wanted == 1 and atom.size ~= 1 then break end
        table.remove(flat, place)
        table.insert(taken, from_end and 1 or #taken + 1, atom)
    end
    return dimensions.equal(dimensions.of(taken), wanted) and taken or nil
end

-- target: dimensions, -1 for what is left; a dimension that cannot be told (false) is that too.
function signals.reshape(signal, target)
    local flat, axes, rest = {}, {}, nil
    for _, atoms in ipairs(signal.axes) do table.move(atoms, 1, #atoms, #flat + 1, flat) end
    for i, size in ipairs(target) do
        if not size or size == -1 then
            if rest then return nil, "two sizes of its new shape are open" end
            rest = i
        end
    end
    local function one(i, from_end)
        axes[i] = take(flat, target[i], from_end)
        return axes[i] ~= nil
    end
    for i = 1, (rest or #target + 1) - 1 do
        if not one(i, false) then return nil, "its new shape cuts through an axis" end
    end
    for i = #target, (rest or #target) + 1, -1 do
        if not one(i, true) then return nil, "its new shape cuts through an axis" end
    end
    if rest then
        axes[rest] = flat
    elseif #signals.atoms(flat) > 0 then
        return nil, "its new shape is of another size"
    end
    return signals.with(signal, { axes = axes })
end

-- The runs first to last (from 1), along an axis that has them alone; keep: the axis stays.
local function choose_runs(signal, axis, first, last, keep)
    local axes = { table.unpack(signal.axes) }
    local runs = table.move(signal.runs, first, last, 1, {})
    axes[axis] = { signals.runs_atom(#runs) }
    if not keep then table.remove(axes, axis) end
    return signals.with(signal, { axes = axes, runs = runs })
end

-- Is the axis one of several runs?
local function has_runs(signal, axis)
    local atoms = signals.atoms(signal.axes[axis])
    return #atoms == 1 and atoms[1].runs
end

-- A part of an input that is no more than its name yet: which it is, its user has to know.
local function part_of_input(signal, axis, first, last, keep)
    local atoms = signals.atoms(signal.axes[axis])
    if signal.part or #atoms ~= 1 then return nil, "takes a part of a part" end
    local count = dimensions.subtract(last, first)
    local axes = { table.unpack(signal.axes) }
    axes[axis] = { { size = count + 1, name = "part" } }
    if not keep then table.remove(axes, axis) end
    return signals.with(signal, { axes = axes, part = { atom = atoms[1], first = first, count = count + 1 } })
end

-- signals.slice(signal, axis, first, last, step, keep): entries first to last (dimensions, from 0, within the axis);
-- keep: false takes the axis away, as Gather by one index does.
function signals.slice(signal, axis, first, last, step, keep)
    local size = dimensions.of(signal.axes[axis])
    local atom = signals.atoms(signal.axes[axis])[1]
    local behind = dimensions.add(last, 1) or 0
    if step == 1 and first == 0 and dimensions.equal(behind, size) then
        return keep and signal or signals.squeeze(signal, { axis })
    end
    local known = math.type(first) == "integer" and math.type(last) == "integer"
    if has_runs(signal, axis) and step == 1 and known then
        return choose_runs(signal, axis, first + 1, last + 1, keep)
    end
    if signal.what == "input" and step == 1 and known then return part_of_input(signal, axis, first, last, keep) end
    local is_end = dimensions.equal(first, last) and dimensions.equal(behind, size)
    if atom and atom.role == "time" and is_end and signal.what == "steps" and signal.layer then
        local axes = { table.unpack(signal.axes) }
        axes[axis] = {}
        if not keep then table.remove(axes, axis) end
        return signals.with(signal, { what = "last", axes = axes })
    end
    return nil, string.format("takes a part of axis %d, which is of %s", axis - 1, dimensions.text(size))
end

-- The atom of values that stands along an axis behind the runs of a signal, or false where the runs are alone; nil:
-- something else is there.
local function values_along(signal, axis)
    local atoms = signals.atoms(signal.axes[axis])
    if #signal.runs > 1 then
        if not (atoms[1] and atoms[1].runs) then return nil end
        table.remove(atoms, 1)
    end
    if #atoms == 0 then return false end
    return #atoms == 1 and atoms[1].values and atoms[1] or nil
end

-- signals.concat(list, axis): runs side by side, of states or of both directions of a layer.
function signals.concat(list, axis)
    local first, runs = list[1], {}
    if #list == 1 then return first end
    local values = first.runs and values_along(first, axis)
    for _, signal in ipairs(list) do
        local state = signal.what == "h" or signal.what == "c"
        local fits = signal.what == first.what and signal.runs and #signal.axes == #first.axes
            and signal.width == first.width and (state or signal.layer == first.layer)
        local own = fits and values_along(signal, axis)
        if not fits or own == nil or not own ~= not values then
            return nil, "puts side by side what rnnc has not there"
        end
        for i, atoms in ipairs(signal.axes) do
            if i ~= axis and not dimensions.equal(dimensions.of(atoms), dimensions.of(first.axes[i])) then
                return nil, "puts tensors of different shapes side by side"
            end
        end
        table.move(signal.runs, 1, #signal.runs, #runs + 1, runs)
    end
    local axes = { table.unpack(first.axes) }
    axes[axis] = { signals.runs_atom(#runs), values or nil }
    return signals.with(first, { axes = axes, runs = runs })
end

return signals
