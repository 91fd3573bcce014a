-- network: the layers that lead to the outputs of a graph, as a record of import.
local fail = require "base.fail"
local graph = require "import.onnx.graph"
local heads = require "import.heads"
local onnx_heads = require "import.onnx.heads"
local signals = require "import.onnx.signals"

-- The roles of a signal's axes of more than one entry, in their order: "time batch values".
local function arrangement(axes)
    local list = {}
    for _, atoms in ipairs(axes) do
        for _, atom in ipairs(signals.atoms(atoms)) do
            list[#list + 1] = atom.runs and "directions" or atom.values and "values" or atom.role or "values"
        end
    end
    return table.concat(list, " ")
end

local function is_batch_first(text)
    local time, batch = text:find("time", 1, true), text:find("batch", 1, true)
    if not time or not batch then return nil end
    return batch < time
end

-- The layers from x to `top`, and a set of them.
local function chain_to(top)
    local list, set, layer = {}, {}, top
    while layer do
        table.insert(list, 1, layer)
        set[layer] = true
        layer = layer.source.layer
    end
    return list, set
end

-- The layers that an output needs of all: of each run of a state, or the one that gives it.
local function layers_of(signal)
    if signal.what ~= "h" and signal.what ~= "c" then return { signal.layer } end
    local list = {}
    for i, run in ipairs(signal.runs) do list[i] = run.layer end
    return list
end

-- Does a signal give y, and not a state?
local function is_y(value) return value.what == "steps" or value.what == "once" or value.what == "last" end

-- Do two signals have their axes in the same order? One of a single value may have its values nowhere.
local function same_order(a, b)
    if #a ~= #b then return false end
    for i, atoms in ipairs(a) do
        local one, other = arrangement { atoms }, arrangement { b[i] }
        if one ~= other and one .. other ~= "values" then return false end
    end
    return true
end

-- Dense layers that give outputs side by side, behind others of their own or not, become one layer, and each of the
-- outputs knows its channels of y. Returns what keeps them from that, or nil.
local function join_heads(outputs, path)
    local list, of_layer, problem = {}, {}, nil
    for _, output in ipairs(outputs) do
        local value, first = output.value, list[1]
        local layer = is_y(value) and not value.residual and value.layer
        local fits = layer and layer.form == "dense" and not of_layer[layer]
        if fits and first and value.what ~= first.value.what then
            problem = string.format("%s and output %s are not of the same steps; in rnnc outputs are all of each step, "
                .. "or all of one", first.name, output.name)
        elseif fits and (not first or same_order(value.axes, first.value.axes)) then
            list[#list + 1] = { name = "output " .. output.name, text = output.name, layer = layer, value = value }
            of_layer[layer] = list[#list]
        end
    end
    if #list < 2 then return problem end
    local chains = {}
    for i, head in ipairs(list) do chains[i] = chain_to(head.layer) end
    local fine, against = onnx_heads.split(list, chains)
    if not fine then return against end
    local joined, why = onnx_heads.beside(list)
    if not joined then fail.at(path, graph.line(why)) end
    joined.is_outputs = true
    for _, output in ipairs(outputs) do
        local head = of_layer[output.value.layer]
        if head then output.value = signals.with(output.value, { layer = joined, head = head }) end
    end
end

-- The chain that has all that the outputs need.
local function chain_of(outputs, path)
    local longest, set = {}, {}
    for _, output in ipairs(outputs) do
        local layer = output.value.layer
        if not output.value.what or output.value.what == "input" or layer and layer.form == "erf" then
            fail.at(path, graph.line(string.format("output %s is nothing that a network gives", output.name)))
        end
    end
    local problem = join_heads(outputs, path)
    for _, output in ipairs(outputs) do
        local value = output.value
        for _, layer in ipairs(layers_of(value)) do
            if not set[layer] then
                local list, own = chain_to(layer)
                if #list > #longest then longest, set = list, own end
            end
        end
    end
    for _, output in ipairs(outputs) do
        for _, layer in ipairs(layers_of(output.value)) do
            if not set[layer] or is_y(output.value) and layer ~= longest[#longest] then
                fail.at(path, graph.line(string.format("output %s comes of %s, which is not the last of the layers: "
                    .. "%s", output.name, layer.label, problem or "rnnc has one chain of layers, and outputs that are "
                    .. "dense layers side by side")))
            end
        end
    end
    if #longest == 0 then fail.at(path, "its outputs are none of a network") end
    return longest
end

-- Layers of the same kind that follow each other are one of several layers.
local function same_stack(a, b)
    if a.form ~= "rnn" or b.form ~= "rnn" then return false end
    -- Their states are one tensor each.
    if a.fields.initial_state or b.fields.initial_state then return false end
    for key, value in pairs(a.fields) do
        if key ~= "num_layers" and b.fields[key] ~= value then return false end
    end
    for key in pairs(b.fields) do
        if key ~= "num_layers" and a.fields[key] == nil then return false end
    end
    return b.source.what == "steps"
end

-- Appends the tensors of a layer to the record; place: "_l0" behind the names of one that is not `whole`.
local function add_tensors(record, layer, prefix, place)
    for _, weight in ipairs(layer.weights) do
        -- A `whole` one is of all levels together.
        local name = prefix .. weight.name .. (weight.whole and "" or place) .. (weight.suffix or "")
        record.tensors[#record.tensors + 1] = { name = name, shape = weight.tensor.shape, data = weight.tensor.data }
    end
end

-- The dense layers that `joined` stands for, those of an output behind each other, with names and tensors.
local function add_heads(record, joined)
    for _, head in ipairs(joined.heads) do
        head.of_levels = {}
        for level, layer in ipairs(head.levels) do
            local fields = {}
            for key, value in pairs(layer.fields) do fields[key] = value end
            fields.last_step, fields.last_state = nil, nil
            head.of_levels[level] = fields
        end
        local first = head.of_levels[1]
        first.last_step, first.last_state = joined.fields.last_step, joined.fields.last_state
        first.input_size = not record.layers[1] and head.levels[1].input or nil
        head.fields, head.first_fields = head.of_levels[#head.levels], first
    end
    heads.name(joined.heads, record)
    for _, head in ipairs(joined.heads) do
        for level, layer in ipairs(head.levels) do
            local fields = head.of_levels[level]
            fields.prefix = head.fields.name .. "." .. (#head.levels > 1 and level - 1 .. "." or "")
            record.layers[#record.layers + 1] = { form = "dense", fields = fields }
            add_tensors(record, layer, fields.prefix, "")
            record.became[#record.became + 1] = {
                graph.line(string.format("%s of %d -> %d", layer.label, layer.input, layer.outputs)),
                "dense, " .. fields.prefix .. "*",
            }
        end
    end
end

-- The layers of the spec, and the tensors under their names.
local function layers_and_tensors(chain, record)
    local stacks = {}
    for _, layer in ipairs(chain) do
        local last = stacks[#stacks]
        if last and same_stack(last[1], layer) then
            last[#last + 1] = layer
        else
            stacks[#stacks + 1] = { layer }
        end
    end
    for number, stack in ipairs(stacks) do
        local first, fields = stack[1], {}
        local prefix = #stacks > 1 and string.format("layers.%d.", number - 1) or ""
        if number == #stacks and first.is_outputs then
            add_heads(record, first)
            break
        end
        for key, value in pairs(first.fields) do fields[key] = value end
        fields.prefix, fields.num_layers = prefix, first.form == "rnn" and #stack or nil
        if number == 1 and first.form ~= "embedding" then fields.input_size = first.input end
        record.layers[number] = { form = first.form, fields = fields }
        for level, layer in ipairs(stack) do
            local place = first.form == "rnn" and "_l" .. level - 1 or ""
            add_tensors(record, layer, prefix, place)
            record.became[#record.became + 1] = {
                graph.line(string.format("%s of %d -> %d", layer.label, layer.input, layer.outputs)),
                layer.form .. (layer.text or "")
                    .. (#layer.weights > 0 and ", " .. prefix .. (place ~= "" and "*" .. place or "*") or ""),
            }
        end
    end
end

-- Where the rows of a layer's states stand among all: h of each recurrent layer, c of each LSTM.
local function rows_of(chain)
    local rows, total = { h = {}, c = {} }, { h = 0, c = 0 }
    for _, layer in ipairs(chain) do
        if layer.form == "rnn" then
            for _, what in ipairs { "h", "c" } do
                if what == "h" or layer.fields.cell == "lstm" then
                    rows[what][layer] = total[what]
                    total[what] = total[what] + layer.directions
                end
            end
        end
    end
    return rows, total
end

-- States that the program gives.
local function given_states(chain, rows, total, record, path)
    for _, what in ipairs { "h", "c" } do
        local bases, given, missing, owner = {}, {}, {}, nil
        for _, layer in ipairs(chain) do
            local state, row = layer[what .. "0"], rows[what][layer]
            if state then
                local base = row - state.first
                if (bases[state.input] or base) ~= base then
                    fail.at(path, graph.line(string.format("%s: its initial_%s has other rows of input %s than its "
                        .. "place among the layers", layer.label, what, state.input.name)))
                end
                if not bases[state.input] then given[#given + 1] = state.input end
                bases[state.input] = base
            elseif row then
                if layer.fields.initial_state then owner = layer end
                missing[#missing + 1] = layer.label
            end
        end
        if #given > 0 and owner then
            fail.at(path, graph.line(string.format("%s: its initial_%s is in the file, and that of other layers comes "
                .. "from the program, which rnnc has not", owner.label, what)))
        end
        for _, input in ipairs(given) do
            local alone = #given == 1 and #missing == 0 and bases[input] == 0
            input.became = alone and what .. "0"
                or string.format("%s0, its rows from %d of %d on", what, bases[input], total[what])
        end
        if #given > 0 and #missing > 0 then
            record.open[#record.open + 1] = string.format("%s0 has to be 0 for %s, as it is in the file", what,
                graph.line(table.concat(missing, ", ")))
        end
    end
end

local function shape_text(shape)
    local list = {}
    for i, size in ipairs(shape or {}) do list[i] = size and tostring(size) or "?" end
    return "(" .. table.concat(list, ", ") .. ")"
end

local function inputs_of(inputs, record)
    for _, input in ipairs(inputs) do
        local text = graph.line(string.format("input %s %s", input.name, shape_text(input.shape)))
        if input.role == "weights" then
            record.became[#record.became + 1] = { text, "weights, with the values of " .. input.source }
        elseif input.role == "lengths" then
            record.became[#record.became + 1] = { text, "lengths, of the call with lengths" }
            record.open[#record.open + 1] = "behind a length y is 0, also of dense layers"
        elseif input.role then
            record.became[#record.became + 1] = { text, input.became or input.tokens and "tokens" or "x" }
        else
            record.unused[#record.unused + 1] = text .. ", which nothing reads"
        end
    end
end

-- "hn", or which of its rows an output is.
local function state_text(value, rows, total)
    local list, whole = {}, #value.runs == total[value.what]
    for i, run in ipairs(value.runs) do
        list[i] = rows[value.what][run.layer] + run.direction - 1
        whole = whole and list[i] == i - 1
    end
    if whole then return value.what .. "n" end
    return string.format("%sn, its rows %s of %d", value.what, table.concat(list, ", "), total[value.what])
end

-- Tells where the file has axes in another order than rnnc.
local function note_order(record, name, found, wanted)
    if found ~= wanted then
        record.open[#record.open + 1] = graph.line(string.format("%s is (%s) in the file, and (%s) here", name,
            found:gsub(" ", ", "), (wanted:gsub(" ", ", "))))
    end
end

-- "time batch values" without axes of one entry, which stand anywhere.
local function ordered(found, batch_first)
    local list = {}
    for _, role in ipairs(batch_first and { "batch", "time" } or { "time", "batch" }) do
        if found:find(role, 1, true) then list[#list + 1] = role end
    end
    for _, role in ipairs { "directions", "values" } do
        if found:find(role, 1, true) then list[#list + 1] = role end
    end
    return table.concat(list, " ")
end

-- What the outputs became, a pair each; and batch_first and residual of the network.
local function outputs_of(outputs, chain, rows, total, record, x_arrangement)
    local top, batch_first, list = chain[#chain], is_batch_first(x_arrangement), {}
    local y_found, all_last = nil, true
    for _, output in ipairs(outputs) do
        local value = output.value
        if is_y(value) then
            y_found = y_found or arrangement(value.axes)
            all_last = all_last and value.what == "last"
        end
    end
    if batch_first == nil then batch_first = y_found and is_batch_first(y_found) end
    record.fields.batch_first = batch_first or nil
    note_order(record, "x", x_arrangement, ordered(x_arrangement, batch_first))
    for _, output in ipairs(outputs) do
        local value, became = output.value, "y"
        local found = arrangement(value.axes)
        if value.what == "h" or value.what == "c" then
            became = state_text(value, rows, total)
            local wanted = ordered(found:gsub("directions", ""), false)
            if found:find("directions", 1, true) then wanted = "directions " .. wanted end
            note_order(record, "output " .. output.name, found, wanted)
        else
            note_order(record, "output " .. output.name, found, ordered(found, batch_first))
            if value.head then became = heads.text(value.head) end
            if value.what == "last" then became = "the last step of " .. became end
            if value.residual then record.fields.residual = true end
        end
        list[#list + 1] = { graph.line("output " .. output.name), became }
    end
    -- Where the last step alone is wanted, dense layers run on it alone.
    if y_found and all_last and top.form ~= "rnn" then
        local first = #chain
        while first > 1 and chain[first - 1].form ~= "rnn" and chain[first - 1].form ~= "embedding" do
            first = first - 1
        end
        -- A function alone stays on all steps: it is a dense layer that can run once.
        while chain[first] and chain[first].form ~= "dense" do first = first + 1 end
        if first > 1 and chain[first] then
            chain[first].fields.last_step = true
            for _, pair in ipairs(list) do pair[2] = pair[2]:gsub("^the last step of y", "y") end
        end
    end
    return list
end

-- network(outputs, inputs, unused, path) -> the record (see import/readers.lua) of what graph.run found. Errors: layers
-- that are no chain.
return function(outputs, inputs, unused, path)
    local record = { layers = {}, fields = {}, tensors = {}, became = {}, unused = {}, doubts = {}, open = {} }
    local chain = chain_of(outputs, path)
    local x = chain[1].source.input
    local rows, total = rows_of(chain)
    given_states(chain, rows, total, record, path)
    inputs_of(inputs, record)
    local came = outputs_of(outputs, chain, rows, total, record, arrangement(x.axes))
    layers_and_tensors(chain, record)
    table.move(came, 1, #came, #record.became + 1, record.became)
    for _, layer in ipairs(chain) do
        if layer.lengths then record.fields.lengths = true end
        if layer.steps then record.fields.seq_len = layer.steps end
    end
    local time, batch
    for _, atoms in ipairs(x.axes) do
        for _, atom in ipairs(atoms) do
            if atom.role == "time" then time = atom.size elseif atom.role == "batch" then batch = atom.size end
        end
    end
    record.fields.batch = batch
    record.open[#record.open + 1] = not batch and 'the batch: batch = N, or "any"' or nil
    record.open[#record.open + 1] = time and not record.fields.seq_len
        and string.format('the file is for %d steps in a call; seq_len = "any" takes any number', time) or nil
    for _, label in ipairs(unused) do
        record.unused[#record.unused + 1] = label .. ", on which no output depends"
    end
    return record
end
