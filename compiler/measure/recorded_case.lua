-- recorded_case: a safetensors file with the weights, inputs and outputs of a network, to verify it with.
local fail = require "base.fail"
local network = require "measure.network"
local weights = require "weights.weights"

local recorded_case = {}

-- The sizes that a file of tests/cases states in its metadata, for a spec of one recurrent layer.
local function stated(spec)
    return {
        I = spec.input_size, H = spec.hidden_size, L = spec.num_layers,
        D = spec.bidirectional and 2 or 1, bias = spec.bias and 1 or 0,
        batch_first = spec.batch_first and 1 or 0,
        cell = spec.nonlinearity and spec.cell .. "_" .. spec.nonlinearity or spec.cell,
    }
end

-- The tensors that the network's call needs: { name, how many axes }.
local function needed(spec)
    local layers = spec.layers or { spec }
    local list = { layers[1].layer == "embedding" and { "tokens", 2 } or { "x", 3 } }
    list[2] = { "y", layers[#layers].layer == "dense" and 2 or 3 }
    for _, state in ipairs(network.states(spec)) do
        list[#list + 1] = { state .. "n", spec.layers and 1 or 3 }
    end
    return list
end

local axes_text <const> = { [2] = " with two axes", [3] = " with three axes" }

local function check_tensors(spec, path, shapes)
    for _, tensor in ipairs(needed(spec)) do
        local name, least = tensor[1], tensor[2]
        local shape = shapes[name]
        if not shape or #shape < least or (least == 3 and #shape > 3) then
            fail.at(path, "a recorded case needs a tensor " .. name .. (axes_text[least] or ""))
        end
    end
    local states = network.states(spec)
    if #states == 2 and (shapes.h0 == nil) ~= (shapes.c0 == nil) then
        fail.at(path, "a recorded case of lstm needs both h0 and c0, or neither")
    end
end

-- The numbers in the metadata `lengths`, or nil: all sequences have all steps.
local function lengths_of(file)
    local text, list = file:metadata("lengths"), {}
    for word in (text or ""):gmatch("%d+") do list[#list + 1] = math.tointeger(tonumber(word)) end
    return text and list
end

-- recorded_case.apply(spec, path) -> the run { seq_len, batch, initial, lengths, file } of a case. From now
-- on the weights of the spec are those of the case, without the model's prefix and without map.
function recorded_case.apply(spec, path)
    local file, shapes, lines = weights.open(path), {}, {}
    for _, tensor in ipairs(file:list()) do shapes[tensor.name] = tensor.shape end
    check_tensors(spec, path, shapes)
    if not spec.layers then
        local wanted = stated(spec)
        for _, key in ipairs { "cell", "I", "H", "L", "D", "bias", "batch_first" } do
            local recorded = file:metadata(key)
            if recorded and recorded ~= tostring(wanted[key]) then
                lines[#lines + 1] = fail.line(path, nil, "error", string.format(
                    "the case has %s = %s, the spec %s", key, recorded, wanted[key]))
            end
        end
    end
    local x, lengths = shapes.x or shapes.tokens, lengths_of(file)
    local seq_len, batch = x[1], x[2]
    if spec.batch_first then seq_len, batch = batch, seq_len end
    for _, pair in ipairs { { "seq_len", seq_len }, { "batch", batch } } do
        if spec[pair[1]] ~= "any" and spec[pair[1]] ~= pair[2] then
            lines[#lines + 1] = fail.line(path, nil, "error", string.format(
                "the case has %s = %d, the spec %d", pair[1], pair[2], spec[pair[1]]))
        end
    end
    if lengths and not spec.lengths then
        lines[#lines + 1] = fail.line(path, nil, "error", "the case has sequences of different lengths; the spec "
            .. "needs lengths = true")
    elseif lengths and #lengths ~= batch then
        lines[#lines + 1] = fail.line(path, nil, "error", string.format(
            "the case has %d lengths for %d sequences", #lengths, batch))
    end
    if #lines > 0 then fail.with(lines) end
    spec.weights, spec.weights_path, spec.weights_bytes, spec.prefix, spec.map = path, path, nil, "", nil
    return { seq_len = seq_len, batch = batch, initial = shapes.h0 ~= nil, lengths = lengths or false, file = file }
end

return recorded_case
