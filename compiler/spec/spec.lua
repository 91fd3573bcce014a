-- spec: from the text of a spec to the table that the compiler works on.
--
-- Everything that is wrong is found in one go and raised as a user's mistake, a line each.
local define = require "spec.define"
local fail = require "base.fail"
local fields = require "spec.fields"
local forms = require "spec.forms"
local heads = require "spec.heads"
local host = require "host"
local layers = require "spec.layers"
local constructors = require "spec.constructors"
local scan = require "spec.scan"
local targets = require "tables.targets"
local training = require "spec.training"

local TEXT_MAX <const> = 65536

-- Limits on products of sizes: with them every count of bytes stays far inside 64 bits.
local WEIGHT_BYTES_MAX <const> = 1 << 40
local VALUES_MAX <const> = 1 << 40

local spec = {}

-- Bytes that the weights of a recurrent layer take at most. Sizes are within the limits of their rows, so
-- nothing here overflows 64 bits.
local function bytes_of(layer)
    if layer.layer == "embedding" then
        return layer.num_embeddings and layer.dim and 4 * layer.num_embeddings * layer.dim
    end
    if layer.layer == "flatten" then return 0 end
    local i = layer.input_size
    if layer.layer == "activation" or layer.layer == "scale" then return i and 4 * 2 * i end
    if layer.layer == "dense" then return layer.units and i and 4 * layer.units * (i + 1) end
    local directions = layer.bidirectional and 2 or 1
    local h, count = layer.hidden_size, layer.num_layers
    return h and i and count
        and 4 * 4 * directions * (h * (i + h + 2) + (count - 1) * h * ((directions + 1) * h + 2))
end

-- Can what residual says be added to y? first: the first layer; input, output: values of a step, nil where unknown.
local function check_residual(result, first, input, output, line, report)
    local residual = result.residual
    if not residual then return end
    local function error_at(format, ...)
        report.error(line, string.format("residual = %s: " .. format, residual, ...))
    end
    if first.layer == "embedding" then
        error_at("tokens cannot be added to y")
    elseif residual == true and input and output and input ~= output then
        error_at("x has %d values in a step and y %d; they have to be as many, or give residual the number of the "
            .. "first values that are added, at most %d", input, output, math.min(input, output))
    elseif residual ~= true and input and output and residual > math.min(input, output) then
        error_at("x has %d values in a step and y %d, so at most %d can be added", input, output,
            math.min(input, output))
    end
    for _, layer in ipairs(result.layers or {}) do
        local once = layers.once(layer)
        if once then error_at("y has the last step only; leave residual or %s out", once) end
    end
end

-- What one field alone cannot tell: products of sizes, names that meet, options that exclude each other.
local function check_whole(result, line_of, report)
    local list = result.layers or { result }
    local bytes, widest = 0, 1
    for _, layer in ipairs(list) do
        bytes = bytes + (bytes_of(layer) or 0)
        widest = math.max(widest, layer.input_size or 1, layers.outputs_of(layer) or 1)
    end
    if bytes > WEIGHT_BYTES_MAX then
        report.error(line_of.hidden_size or line_of[""], string.format(
            "the network is too large: its weights could take %d GB, and the limit is %d GB",
            bytes >> 30, WEIGHT_BYTES_MAX >> 30))
    end
    if math.type(result.seq_len) == "integer" and math.type(result.batch) == "integer" then
        local values = result.seq_len * result.batch * widest
        if values > VALUES_MAX then
            report.error(line_of.seq_len or line_of[""], string.format(
                "a call is too large: x or y would have %d values, and the limit is %d", values, VALUES_MAX))
        end
    end
    if not list[1] then return end
    if #list == 1 and list[1].layer == "embedding" then
        report.error(line_of.layers, "layers: an embedding alone only looks up rows of its table; "
            .. "add an rnn { ... } or a dense { ... }")
    end
    local alone = true
    for _, layer in ipairs(list) do alone = alone and (layer.layer == "activation" or layer.layer == "scale") end
    if alone then
        report.error(line_of.layers, "layers: functions of x alone are no network; add an rnn { ... } or a "
            .. "dense { ... }")
    end
    local first, last = list[1], list[#list]
    local input, output = first.input_size, layers.outputs_of(last)
    check_residual(result, first, input, output, line_of.residual, report)
    local streams, why = spec.can_stream(result)
    if result.streaming and not streams then
        report.error(line_of.streaming, "streaming = true: " .. spec.no_streaming[why])
    end
end

-- Why there can be no NAME_step.
spec.no_streaming = {
    bidirectional = "a bidirectional layer reads the sequence from its end, so it has to be there as a whole; "
        .. "only one direction can be streamed",
    reverse = "a layer with direction = \"reverse\" reads the sequence from its end, so it has to be there as a whole; "
        .. "only the forward direction can be streamed",
    last_step = "a layer with last_step = true waits for the end of the sequence; take last_step out and use the "
        .. "output of the step that you want",
    last_state = "a layer with last_state = true waits for the end of the sequence; take last_state out and use the "
        .. "output of the step that you want",
    flatten = "a flatten waits for all steps of the sequence; only a network without one can be streamed",
    batch = "a stream's state has room for a fixed number of sequences; give batch a number",
}

-- spec.can_stream(spec) -> true, or false and a key of spec.no_streaming.
function spec.can_stream(result)
    for _, layer in ipairs(result.layers or { result }) do
        if layer.bidirectional then return false, "bidirectional" end
        if layer.direction == "reverse" then return false, "reverse" end
        local once = layers.once(layer)
        if once then return false, once end
    end
    if result.batch == "any" then return false, "batch" end
    return true
end

-- Tensors of two layers may not have one name.
local function check_prefixes(list, lines, report)
    local seen = {}
    for i, layer in ipairs(list) do
        local own = layers.tensor(layer)
        local name = own and (layer.prefix or "") .. own
        if name and seen[name] then
            report.error(lines[i].prefix, string.format(
                "layer %d: its tensors would have the names of layer %d's (%s); give each a prefix of its own",
                layer.number, seen[name], name))
        end
        if name then seen[name] = seen[name] or layer.number end
    end
end

-- The best target that this machine can run, in place of "native", and is it one that others may lack?
local function resolve(list)
    if list[1] ~= "native" then return list, false end
    local cpu, best = host.cpu(), nil
    for _, name in ipairs(targets.order) do
        local runs = true
        for _, need in ipairs(targets[name].needs) do runs = runs and cpu[need] end
        if runs then best = name end
    end
    return { best }, #targets[best].needs > 0
end

-- The value of an option in place of the field: "a,b" is a list.
local function override(given, options)
    if options.target then
        local list = {}
        for name in (options.target .. ","):gmatch("([^,]*),") do list[#list + 1] = name end
        given.target = #list == 1 and list[1] or list
    end
    -- Where there is no operating system there is a small processor, unless a spec says which.
    if options.freestanding and given.target == nil then given.target = "scalar" end
    if options.weights then given.weights = options.weights end
end

local function directory_of(path) return path:match("^(.*/)[^/]*$") or "" end

-- Where the text gives the network: the call of its form, or nothing.
local function place_of(calls, form)
    for _, wanted in ipairs { form or "model", "rnn" } do
        for _, call in ipairs(calls) do
            if call.form == wanted then return call end
        end
    end
    return calls[1] or { fields = {} }
end

-- spec.from_text(text, file, options) -> spec, notes. `file` is the path for messages, and what
-- weights are relative to; options may override `target` and `weights` (relative to the current
-- directory then), and have a list `define` of NAME=VALUE. notes are lines for the user that are no errors.
-- spec.residual is a number of values then, or false; spec.heads: of a model with several outputs, their places in y,
-- { name, first, width }; spec.bound: is the code for CPUs like this one only? spec.text: `text` as it was read.
function spec.from_text(text, file, options)
    options = options or {}
    text = text:gsub("^\239\187\191", "")
    if text:sub(1, 1) == "\27" then fail.at(file, "this is compiled Lua; a spec is a text") end
    local defined = define.read(options.define)
    local given, message, line = host.sandbox(text, host.resource("compiler/spec/sandbox.lua"), defined,
        constructors.rows)
    local calls = scan(text)
    local place = place_of(calls, given and given.form)
    if not given then
        -- 0: in the line of `rnn` or `model`, if there is one.
        if line == 0 then line = place.line end
        local python = message:find("')' expected near '='", 1, true)
        fail.with { fail.line(file, line, "error", forms.one_line(message)
            .. (python and "; fields stand in braces: rnn { input_size = ..., hidden_size = ... }" or "")) }
    end
    define.check(defined, given.asked)
    override(given.fields, options)
    local expanded
    local report, context = forms.reporter(file), { file = file, options = options, label = "" }
    local result, line_of = forms.read(fields[given.form], given.fields, place, context, report)
    local dropping = { { result, line_of, "" } }
    if given.form == "model" then
        local lines, sources
        result.layers, lines, sources = layers.read(result, calls, place, context, report)
        check_prefixes(result.layers, lines, report)
        -- Layers with mistakes of their own need not fit together.
        if report.count == 0 then
            result.layers, lines, result.heads = heads.join(result.layers, lines, sources, result.outputs, report,
                line_of.outputs)
            if result.heads[1] then check_prefixes(result.layers, lines, report) end
        end
        result.layers, lines = layers.fold(result.layers, lines)
        for i, layer in ipairs(result.layers) do
            dropping[i] = { layer, lines[i], string.format("layer %d: ", layer.number) }
        end
    end
    check_whole(result, line_of, report)
    result.training = training.read(result, calls, place, line_of.training, report)
    report.raise()
    -- Where each layer stands, for what is said about its weights.
    result.lines = {}
    if result.layers or layers.merges(result) then
        local lines = {}
        for i, entry in ipairs(dropping) do lines[i] = entry[2][""] end
        expanded, result.lines = layers.expanded(result.layers or { result }, lines)
    else
        result.lines[1] = line_of[""]
    end

    local streams, why = spec.can_stream(result)
    if result.streaming == nil then result.streaming = streams end
    result.no_streaming = spec.no_streaming[why]
    local notes = {}
    for _, entry in ipairs(dropping) do
        local layer, lines, label = entry[1], entry[2], entry[3]
        if (layer.dropout or 0) > 0 and layer.num_layers == 1 then
            notes[#notes + 1] = fail.line(file, lines.dropout, "note", label
                .. "dropout acts between layers and there is one layer, so it had no effect in training either")
        end
    end
    for i in ipairs(result.layers or {}) do
        local words, field = layers.note(result.layers, i)
        if words then
            notes[#notes + 1] = fail.line(file, dropping[i][2][field], "note", dropping[i][3] .. words)
        end
    end
    result.layers = expanded
    result.target, result.bound = resolve(result.target)
    if result.residual == true then
        result.residual = layers.outputs_of(result.layers and result.layers[#result.layers] or result)
    end
    result.path, result.source, result.text = file, file:match("([^/]*)$"), text
    if result.weights then
        local relative = not options.weights and result.weights:sub(1, 1) ~= "/"
        result.weights_path = (relative and directory_of(file) or "") .. result.weights
    end
    return result, notes
end

-- spec.load(path, options) -> as spec.from_text, from a file.
function spec.load(path, options)
    local text, message = host.read(path, TEXT_MAX)
    local kind = host.file_kind(path)
    if kind then
        fail.at(path, "a spec is a few lines of Lua, and this looks like " .. kind:match("^[^;]*"))
    end
    if not text then
        local hint = message:find("more than", 1, true) and "; is this a spec? A spec is a few lines of Lua" or ""
        fail.at(path, message .. hint)
    end
    return spec.from_text(text, path, options)
end

return spec
