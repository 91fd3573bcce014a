-- recorded_case: a safetensors file, or an .npz archive, with inputs and outputs of a network, and what else it has, to
-- verify it with.
local fail = require "base.fail"
local network = require "measure.network"
local npz = require "import.npz"
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

local function check_stated(spec, file, report)
    if spec.layers then return end
    local wanted = stated(spec)
    for _, key in ipairs { "cell", "I", "H", "L", "D", "bias", "batch_first" } do
        local recorded = file:metadata(key)
        if recorded and recorded ~= tostring(wanted[key]) then
            report(string.format("the case has %s = %s, the spec %s", key, recorded, wanted[key]))
        end
    end
end

-- The steps and sequences of the case: of x (T, B, I), (T, I) or, where I is 1, (T, B) or (T); of tokens (T, B) or (T).
-- Without B there is one sequence; with batch_first B stands before T.
local function sizes_of(spec, path, shapes)
    local first = (spec.layers or { spec })[1]
    local embeds = first.layer == "embedding"
    local name, width = embeds and "tokens" or "x", embeds and 1 or first.input_size
    local shape = shapes[name] and table.move(shapes[name], 1, #shapes[name], 1, {})
    local expected = embeds and "(T, B) or (T)" or string.format("(T, B, %d) or (T, %d)", width, width)
    if not shape then fail.at(path, "a recorded case needs a tensor " .. name .. " " .. expected) end
    if not embeds and shape[#shape] == width and #shape > 1 then
        shape[#shape] = nil
    elseif width > 1 then
        shape = {}
    end
    if #shape < 1 or #shape > 2 then
        fail.at(path, string.format("%s is (%s), expected %s; T steps, B sequences", name,
            table.concat(shapes[name], ", "), expected))
    end
    if #shape == 1 then return shape[1], 1 end
    if spec.batch_first then return shape[2], shape[1] end
    return shape[1], shape[2]
end

-- Types of a safetensors file that are read as float32.
local FLOATS <const> = { F64 = true, F32 = true, F16 = true, BF16 = true }

local function is_float(dtype) return FLOATS[dtype] == true end

local function check_types(dtypes, report)
    for _, name in ipairs { "x", "y", "h0", "c0", "hn", "cn" } do
        if dtypes[name] and not is_float(dtypes[name]) then
            report(string.format("%s is of type %s; write it as float32", name, dtypes[name]))
        end
    end
end

-- The numbers of steps in the metadata `lengths` or in a tensor of that name, or nil: all sequences have all steps, or
-- they are reported to be none.
local function lengths_of(file, shapes, dtypes, batch, report)
    local text, list = file:metadata("lengths"), {}
    for word in (text or ""):gmatch("%d+") do list[#list + 1] = math.tointeger(tonumber(word)) end
    if text then return list end
    if not shapes.lengths then return nil end
    if #shapes.lengths ~= 1 or shapes.lengths[1] ~= batch then
        return report(string.format("lengths is (%s), and (%d) is expected, a number of steps for each sequence",
            table.concat(shapes.lengths, ", "), batch))
    end
    local bytes = file:numbers("lengths")
    if not bytes then
        return report(string.format("lengths are of type %s; write them as int32, int64 or float32", dtypes.lengths))
    end
    for at = 1, #bytes, 4 do list[#list + 1] = math.tointeger((string.unpack("<f", bytes, at))) or -1 end
    return list
end

-- What one call takes of `total`: what the spec says, if the case is so many calls of it; nil: it is not.
local function of_one_call(fixed, total, can_repeat)
    if fixed == "any" or fixed == total then return total end
    return can_repeat and total % fixed == 0 and fixed or nil
end

local function check_lengths(spec, run, report)
    local lengths = run.lengths
    if not lengths then return end
    if not spec.lengths then
        report "the case has sequences of different lengths; the spec needs lengths = true"
    elseif #lengths ~= run.batch then
        report(string.format("the case has %d lengths for %d sequences", #lengths, run.batch))
    else
        for _, length in ipairs(lengths) do
            if length < 0 or length > run.seq_len then
                report(string.format("a sequence of %d steps, of which there are %d", length, run.seq_len))
            end
        end
    end
end

-- Takes the weights from the case, without the model's prefix and without map, if it has any of them.
-- bytes: of the case as a safetensors file, nil: it is one.
local function choose_weights(spec, path, shapes, bytes)
    for _, weight in ipairs(weights.tensors(weights.expected(spec))) do
        if shapes[weight.name] then
            spec.weights, spec.weights_path, spec.weights_bytes, spec.prefix, spec.map = path, path, bytes, "", nil
            return
        end
    end
    if not spec.weights then
        fail.at(path, "there are no weights in the case, and the spec names none; write weights = \"...\" there")
    end
end

-- recorded_case.apply(spec, path) -> the run { seq_len, batch, call_len, call_batch, initial, lengths, file } of a
-- case: x, or tokens, and y; of weights, h0, c0, hn, cn and lengths what there is. A case of more steps or sequences
-- than the spec has is run by several calls, with the states carried. From now on the spec has the weights of the case,
-- if there are some. What the case and the spec do not agree on is an error.
function recorded_case.apply(spec, path)
    local bytes = npz.read(path)
    local file, shapes, dtypes, lines = weights.open(path, bytes), {}, {}, {}
    local function report(text) lines[#lines + 1] = fail.line(path, nil, "error", text) end
    for _, tensor in ipairs(file:list()) do shapes[tensor.name], dtypes[tensor.name] = tensor.shape, tensor.dtype end
    check_types(dtypes, report)
    check_stated(spec, file, report)
    local seq_len, batch = sizes_of(spec, path, shapes)
    if not shapes.y then report "a recorded case needs a tensor y" end
    local run = { seq_len = seq_len, batch = batch, file = file,
                  lengths = lengths_of(file, shapes, dtypes, batch, report) or false }
    run.call_len = of_one_call(spec.seq_len, seq_len, network.carries(spec) and not run.lengths)
    run.call_batch = of_one_call(spec.batch, batch, true)
    for _, size in ipairs { { "seq_len", run.call_len, seq_len }, { "batch", run.call_batch, batch } } do
        if not size[2] then
            report(string.format("the case has %s = %d, the spec %d", size[1], size[3], spec[size[1]]))
        end
    end
    check_lengths(spec, run, report)
    local states = network.states(spec)
    for _, state in ipairs(states) do
        run.initial = run.initial or shapes[state .. "0"] ~= nil
    end
    for _, state in ipairs(run.initial and states or {}) do
        if not shapes[state .. "0"] then report("a recorded case of lstm needs both h0 and c0, or neither") end
    end
    run.initial = run.initial or false
    if #lines > 0 then fail.with(lines) end
    choose_weights(spec, path, shapes, bytes)
    return run
end

return recorded_case
