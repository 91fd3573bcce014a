-- graph: runs the nodes of a graph, as far as its outputs need them, on constants and signals.
local constants = require "import.onnx.constants"
local fail = require "base.fail"
local files = require "import.onnx.files"

local graph = {}

-- Values that folding constants may make; weights are moved a few times.
local VALUES_FREE <const> = 1 << 23

-- If nodes that are decided, each of which looks for what its branch needs.
local BRANCHES_MAX <const> = 64

-- Bytes of a name or of a message with names.
local TEXT_MAX <const> = 300

-- graph.line(text) -> a text of a file for a message: short, and on one line.
function graph.line(text)
    return ((#text > TEXT_MAX and text:sub(1, TEXT_MAX) .. "..." or text):gsub("[%c\127]", "?"))
end

local function bad(run, text) fail.at(run.path, graph.line(text)) end

-- "node /lstm/LSTM (LSTM)", or by its place from 0.
local function label_of(node, index)
    return graph.line(string.format("node %s (%s)", node.name ~= "" and node.name or index - 1, node.op))
end

-- What an operator has of its node: `bad(message)` ends the reading with a line that names it.
local Node = {}
Node.__index = Node

function Node:bad(message, ...)
    bad(self.run, self.label .. ": " .. (select("#", ...) > 0 and string.format(message, ...) or message))
end

-- node:check(condition, message, ...): bad(message, ...) unless the condition holds.
function Node:check(condition, message, ...)
    if not condition then self:bad(message, ...) end
    return condition
end

-- node:attribute(name, key, default) -> attributes.name.key: i, f, s, t, g, ints, floats, strings.
function Node:attribute(name, key, default)
    local attribute = self.attributes[name]
    if attribute == nil then return default end
    -- An empty list has no entries in the file.
    if attribute[key] == nil and (key == "ints" or key == "floats" or key == "strings") then return {} end
    self:check(attribute[key] ~= nil, "its attribute %s has another type than it has to have", name)
    return attribute[key]
end

-- node:spend(count): `count` values more are made of constants.
function Node:spend(count)
    self.run.budget = self.run.budget - (count or math.huge)
    self:check(self.run.budget >= 0, "makes constants that are much larger than the file")
end

-- node:axis(value, rank) -> an axis from 1; negative ones count from the end.
function Node:axis(axis, rank)
    local inside = math.type(axis) == "integer" and axis >= -rank and axis < rank
    self:check(inside, "has an axis %s of %d", tostring(axis), rank)
    return (axis < 0 and axis + rank or axis) + 1
end

-- node:constant(i, what) -> input i, which has to be known before the network runs; weights that are inputs of the
-- graph are read from the files of a test beside it.
function Node:constant(i, what)
    local value = self.values[i]
    self:check(value, "has no %s", what)
    if value.what == "input" and not value.part and not value.input.role then
        local constant, source = files.recorded(self.run.path, value.input)
        self:check(constant, "its %s is input %s of the graph, whose values are not in the file; put them beside it as "
            .. "input_%d.pb", what, value.input.name, value.input.index - 1)
        value.input.role, value.input.source = "weights", source
        self.run.recorded[value.input] = constant
        return constant
    end
    if value.what == "input" and self.run.recorded[value.input] then return self.run.recorded[value.input] end
    return self:check(not value.what and value, "its %s depends on what the network is given", what)
end

local function lookup(scope, name)
    while scope do
        local value = scope.values[name]
        if value ~= nil then return value end
        scope = scope.parent
    end
    return nil
end

local function define(run, scope, name, value, what)
    if scope.values[name] ~= nil then bad(run, string.format("%s: there is a %q already", what, name)) end
    scope.values[name] = value
end

-- The scope of a graph: its initialisers, and which node makes what.
local function scope_of(run, source, parent)
    local scope = { values = {}, parent = parent, nodes = source.nodes, makers = {}, done = {} }
    for _, tensor in ipairs(source.initializers) do
        local constant, message = constants.of(files.resolved(run.path, tensor, run.read))
        -- One that is not of use is not missed.
        define(run, scope, tensor.name, constant or { message = message }, "initializers")
    end
    for index, node in ipairs(source.nodes) do
        for place, name in ipairs(node.outputs) do
            if name ~= "" then
                if scope.makers[name] or scope.values[name] ~= nil then
                    bad(run, string.format("%s: there is a %q already", label_of(node, index), name))
                end
                scope.makers[name] = { index = index, place = place }
            end
        end
    end
    return scope
end

local evaluate

-- The value of a branch, whose output is one of its own or of the graph around it.
local function run_branch(node, scope)
    local condition = node:constant(1, "condition")
    local run = node.run
    run.branches = run.branches + 1
    node:check(run.branches <= BRANCHES_MAX, "is one If too many")
    node:check(condition.ints and #condition.ints == 1, "its condition is no boolean")
    node:check(math.type(condition.ints[1]) == "integer", "its condition depends on what the network is given")
    local branch = node:attribute(condition.ints[1] ~= 0 and "then_branch" or "else_branch", "g")
    node:check(branch, "has no such branch")
    local inner, names = scope_of(run, branch, scope), {}
    for i, output in ipairs(branch.outputs) do names[i] = output.name end
    evaluate(run, inner, names)
    local results = {}
    for i, name in ipairs(names) do results[i] = lookup(inner, name) end
    return results
end

local function run_node(run, scope, index)
    local source = scope.nodes[index]
    local node = setmetatable({
        run = run, label = label_of(source, index), op = source.op, attributes = source.attributes,
        opset = run.opset, values = {}, input_count = #source.inputs,
        output_count = #source.outputs, names = source.outputs,
    }, Node)
    node:check(source.domain == "" or source.domain == "ai.onnx",
        "is of domain %q; rnnc knows operators of ONNX itself", source.domain)
    local results
    for i, name in ipairs(source.inputs) do
        if name ~= "" then
            local value = lookup(scope, name)
            node:check(value ~= nil, "its input %q is made behind it", name)
            node:check(not value.message, "its input %q %s", name, value.message)
            node.values[i] = value
        end
    end
    if source.op == "If" then
        results = run_branch(node, scope)
    else
        results = table.pack(run.operate(node))
    end
    for i, name in ipairs(source.outputs) do
        if name ~= "" then
            node:check(results[i], "has no output %d", i - 1)
            define(run, scope, name, results[i], node.label)
        end
    end
    scope.done[index] = true
end

-- Runs those nodes that the names need, in the order of the graph.
function evaluate(run, scope, names)
    local waiting, wanted, order, outer = {}, {}, {}, {}
    table.move(names, 1, #names, 1, waiting)
    while #waiting > 0 do
        local name = table.remove(waiting)
        local maker = scope.values[name] == nil and name ~= "" and scope.makers[name]
        if maker and not wanted[maker.index] and not scope.done[maker.index] then
            local node = scope.nodes[maker.index]
            wanted[maker.index] = true
            order[#order + 1] = maker.index
            table.move(node.inputs, 1, #node.inputs, #waiting + 1, waiting)
        elseif not maker and name ~= "" and scope.values[name] == nil then
            outer[#outer + 1] = name
        end
    end
    if scope.parent then
        if #outer > 0 then evaluate(run, scope.parent, outer) end
    end
    for _, name in ipairs(outer) do
        if lookup(scope, name) == nil then
            bad(run, string.format("%q is used, and nothing makes it", name))
        end
    end
    table.sort(order)
    for _, index in ipairs(order) do run_node(run, scope, index) end
end

-- The inputs of the graph that have no values in it, as signals: an atom for each axis.
local function define_inputs(run, scope, source)
    for index, input in ipairs(source.inputs) do
        if scope.values[input.name] == nil then
            if scope.makers[input.name] then bad(run, string.format("inputs: there is a %q already", input.name)) end
            input.index, input.axes = index, {}
            run.inputs[#run.inputs + 1] = input
            local axes = input.axes
            for i, size in ipairs(input.shape or {}) do
                -- Sizes of 0 and below stand for unknown ones in some files.
                local known = math.type(size) == "integer" and size > 0 and size or nil
                axes[i] = { { size = known, name = type(size) == "string" and size or "axis " .. i - 1 } }
            end
            if #axes > constants.RANK_MAX then
                bad(run, string.format("input %s has more than 8 axes", input.name))
            end
            define(run, scope, input.name, { what = "input", input = input, axes = axes,
                message = not input.shape and "has no shape in the file" or nil }, "inputs")
        end
    end
end

-- graph.run(model, path, operate) -> the values of its outputs, { name, value }; its inputs, with `role` ("x", "h0",
-- "c0", "lengths", "weights": read from the file `source`; nil: of no use); the nodes that had no part in it.
-- operate(node): an operator's outputs. Errors: what rnnc has not, what is missing, or there twice.
function graph.run(model, path, operate)
    local source = model.graph
    local run = {
        path = path, operate = operate, opset = model.opsets[""] or model.opsets["ai.onnx"], inputs = {},
        recorded = {}, read = {}, budget = VALUES_FREE, branches = 0,
    }
    for _, tensor in ipairs(source.initializers) do run.budget = run.budget + 4 * #(tensor.data or "") end
    local scope, names, outputs = scope_of(run, source), {}, {}
    define_inputs(run, scope, source)
    for i, output in ipairs(source.outputs) do
        if output.name == "" then bad(run, string.format("outputs: number %d has no name", i - 1)) end
        names[i] = output.name
    end
    evaluate(run, scope, names)
    for i, name in ipairs(names) do outputs[i] = { name = name, value = lookup(scope, name) } end
    local unused = {}
    for index, node in ipairs(source.nodes) do
        if not scope.done[index] then unused[#unused + 1] = label_of(node, index) end
    end
    return outputs, run.inputs, unused
end

return graph
