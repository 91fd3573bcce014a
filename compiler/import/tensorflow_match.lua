-- tensorflow_match: the nodes of a GraphDef, and which of them compute a cell.
--
-- A place is { node, port }: an output of a node. What reads "NAME:1" reads port 1 of the node NAME, "NAME" its port 0;
-- "^NAME" only waits for it.
local fail = require "base.fail"
local host = require "host"

local match = {}

-- So many nodes in a row may hand a value on.
local STEPS_MAX <const> = 64

-- What hands its first input on as it is.
local silent <const> = { Identity = true, Enter = true, StopGradient = true }

-- match.graph(file, named) -> graph: nodes, by name (graph.nodes) and in order (graph.list); graph.raw(text) -> the
-- place of an input, graph.past(place) -> the place past nodes that only hand it on, nil if there is none;
-- graph.place(text) -> both; graph.bad(node, message) ends the reading. named(node) -> its name in a message.
function match.graph(file, named)
    local list, reason = host.graph(file.bytes)
    if not list then fail.at(file.path, "is no graph of TensorFlow that can be read: " .. reason) end
    local graph = { list = list, nodes = {}, path = file.path, named = named }
    function graph.bad(node, message) fail.at(file.path, named(node) .. " " .. message) end
    for _, node in ipairs(list) do
        if graph.nodes[node.name] then graph.bad(node, "is there twice") end
        graph.nodes[node.name] = node
    end
    function graph.raw(text)
        if not text or text:sub(1, 1) == "^" then return nil end
        local port = text:sub(-3):match(":(%d%d?)$")
        local node = graph.nodes[port and text:sub(1, -#port - 2) or text]
        return node and { node = node, port = math.tointeger(tonumber(port or 0)) } or nil
    end
    function graph.past(place)
        for _ = 1, STEPS_MAX do
            if not place or not silent[place.node.op] then return place end
            place = graph.raw(place.node.inputs[1])
        end
        return nil
    end
    function graph.place(text) return graph.past(graph.raw(text)) end
    return graph
end

function match.same(a, b) return a.node == b.node and a.port == b.port end

-- Nodes that nobody reads and that are no output.
local idle <const> = { Const = true, Placeholder = true, NoOp = true }

-- match.output(graph) -> the place of the one output. Errors: there are several, or none.
function match.output(graph)
    local read, found = {}, nil
    for _, node in ipairs(graph.list) do
        for _, text in ipairs(node.inputs) do
            local place = graph.raw(text)
            if place then read[place.node] = true end
        end
    end
    for _, node in ipairs(graph.list) do
        if not read[node] and not idle[node.op] then
            if found then
                fail.at(graph.path, string.format("its graph has several outputs, %s and %s; freeze it for one",
                    graph.named(found), graph.named(node)))
            end
            found = node
        end
    end
    if not found then fail.at(graph.path, "its graph has no output") end
    return graph.past({ node = found, port = 0 }) or graph.bad(found, "hands on what is not there")
end

-- A pattern is a text, the name under which a place is kept (the same place each time), or { operation, patterns of
-- its inputs }; { "port", n, name } is port n of the node that is kept. The two inputs of a sum or product stand in
-- any order.
local either <const> = { Add = { Add = true, AddV2 = true }, Mul = { Mul = true } }

local function matches(graph, place, pattern, kept)
    if type(pattern) == "string" then
        if kept[pattern] then return match.same(kept[pattern], place) end
        kept[pattern] = place
        return true
    end
    if pattern[1] == "port" then
        return place.port == pattern[2] and matches(graph, { node = place.node, port = 0 }, pattern[3], kept)
    end
    local node, names = place.node, either[pattern[1]]
    if not (names and names[node.op] or node.op == pattern[1]) or place.port ~= 0 then return false end
    if node.flags.transpose_a or node.flags.transpose_b then return false end
    local inputs = {}
    for i = 2, #pattern do
        inputs[i] = graph.place(node.inputs[i - 1])
        if not inputs[i] then return false end
    end
    for turn = 1, names and 2 or 1 do
        local own, all = {}, true
        for name, value in pairs(kept) do own[name] = value end
        for i = 2, #pattern do
            all = all and matches(graph, inputs[turn == 1 and i or 5 - i], pattern[i], own)
        end
        if all then
            for name, value in pairs(own) do kept[name] = value end
            return true
        end
    end
    return false
end

local function sums(x, h, kernel, bias)
    return { "BiasAdd", { "MatMul", { "ConcatV2", x, h, "axis " .. kernel }, kernel }, bias }
end

-- rnn_cell_impl.py: new_c = c sigmoid(f + forget) + sigmoid(i) tanh(j), new_h = tanh(new_c) sigmoid(o).
local lstm <const> = {
    { "Mul", { "Tanh", "new_c" }, { "Sigmoid", { "port", 3, "split" } } },
    new_c = { "Add", { "Mul", "c", { "Sigmoid", { "Add", { "port", 2, "split" }, "forget" } } },
              { "Mul", { "Sigmoid", { "port", 0, "split" } }, { "Tanh", { "port", 1, "split" } } } },
    split = { "Split", "dimension", sums("x", "h", "kernel", "bias") },
}

-- new_h = u h + (1 - u) tanh(candidate of x and r h), r and u the halves of a sigmoid.
local gru <const> = {
    { "Add", { "Mul", { "port", 1, "split" }, "h" },
      { "Mul", { "Sub", "one", { "port", 1, "split" } }, { "Tanh", "candidate" } } },
    candidate = sums("x", { "Mul", { "port", 0, "split" }, "h" }, "own", "own_bias"),
    split = { "Split", "dimension", { "Sigmoid", sums("x", "h", "kernel", "bias") } },
}

local function cell(graph, place, patterns, order)
    local kept = {}
    if not matches(graph, place, patterns[1], kept) then return nil end
    for _, name in ipairs(order) do
        if not matches(graph, kept[name], patterns[name], kept) then return nil end
    end
    return kept
end

-- match.lstm(graph, place) -> the places { x, h, c, new_c, kernel, bias, forget } of a BasicLSTMCell that gives the
-- place as its output, nil: it is none.
function match.lstm(graph, place) return cell(graph, place, lstm, { "new_c", "split" }) end

-- match.gru(graph, place) -> the places { x, h, kernel, bias, own, own_bias (of the candidate), one } of a GRUCell.
function match.gru(graph, place) return cell(graph, place, gru, { "split", "candidate" }) end

return match
