-- weights: does a safetensors file hold the weights of a network?
local cells = require "cells"
local fail = require "fail"
local host = require "host"
local nearest = require "nearest"

local weights = {}

local READABLE <const> = { F64 = true, F32 = true, F16 = true, BF16 = true }

-- What host functions need to know of a spec.
function weights.config(spec)
    return {
        constant = cells.of(spec).constant, input_size = spec.input_size, hidden_size = spec.hidden_size,
        num_layers = spec.num_layers, bias = spec.bias, batch_first = spec.batch_first,
        bidirectional = spec.bidirectional,
    }
end

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

local function shape_of(expected) return { expected.rows, expected.cols } end

local function is_recurrent(name)
    return name:find("^weight_[ih]h_l%d+$") or name:find("^weight_[ih]h_l%d+_reverse$")
        or name:find("^bias_[ih]h_l%d+$") or name:find("^bias_[ih]h_l%d+_reverse$")
end

-- Why a whole group of tensors may be missing: what in the spec or the file to look at.
local function hints(spec, tensors, missing, extra)
    local list = {}
    local function any(names, pattern)
        for _, name in ipairs(names) do
            if name:find(pattern) then return true end
        end
    end
    local first = tensors[spec.prefix .. "weight_ih_l0"]
    if not first then
        for name in pairs(tensors) do
            local prefix = name:match("^(.*)weight_ih_l0$")
            if prefix and (not list.prefix or prefix < list.prefix) then list.prefix = prefix end
        end
        if list.prefix then return { 'the file has weights under prefix = "' .. list.prefix .. '"' } end
    end
    if any(missing, "^bias") and not any(extra, "^bias") and any(missing, "^bias_ih_l0$") then
        list[#list + 1] = "bias = false would do without biases"
    end
    if any(extra, "^bias_ih_l0$") then list[#list + 1] = "they need bias = true" end
    if any(extra, "_reverse$") then list[#list + 1] = "those that end in _reverse need bidirectional = true" end
    local layers = 0
    for _, name in ipairs(extra) do
        layers = math.max(layers, 1 + (tonumber(name:match("_l(%d+)")) or 0))
    end
    if layers > spec.num_layers then list[#list + 1] = "they need num_layers = " .. layers end
    return list
end

-- The sizes that a tensor weight_ih_l0 of another shape belongs to.
local function size_hint(spec, name, shape)
    local gates = #cells.of(spec).gates
    if name == "weight_hh_l0" and #shape == 2 then
        -- The rows of all gates for as many units as there are columns: which cell has so many?
        for _, cell in ipairs { "rnn", "gru", "lstm" } do
            local count = #cells.of({ cell = cell, nonlinearity = "tanh" }).gates
            if count ~= gates and shape[1] == count * shape[2] then
                return string.format("; these are weights of cell = %q with hidden_size = %d", cell, shape[2])
            end
        end
    end
    if name ~= "weight_ih_l0" or #shape ~= 2 then return "" end
    if shape[1] % gates ~= 0 then return "" end
    return string.format("; the file is of input_size = %d, hidden_size = %d", shape[2], shape[1] // gates)
end

-- weights.open(path) -> a safetensors file, or a user's mistake.
function weights.open(path)
    local file, message = host.safetensors(path)
    if file then return file end
    -- The message may begin with the path already.
    fail.at(path, message:sub(1, #path + 2) == path .. ": " and message:sub(#path + 3) or message)
end

-- weights.check(spec) -> an open file with all weights of `spec`, and notes. Raises every tensor that
-- is missing, misshapen, of another type, or a recurrent weight that the network does not have.
function weights.check(spec)
    local path = spec.weights_path
    local file = weights.open(path)
    local tensors, expected, lines, missing = {}, {}, {}, {}
    for _, tensor in ipairs(file:list()) do tensors[tensor.name] = tensor end
    local function report(text) lines[#lines + 1] = fail.line(path, nil, "error", text) end

    for _, weight in ipairs(host.expected_weights(weights.config(spec))) do
        local name = spec.prefix .. weight.name
        local tensor, shape = tensors[name], shape_of(weight)
        expected[name] = true
        if not tensor then
            missing[#missing + 1] = weight.name
            report(name .. " is missing, expected " .. shape_text(shape))
        else
            if shape_text(tensor.shape) ~= shape_text(shape) then
                report(name .. " is " .. shape_text(tensor.shape) .. ", expected " .. shape_text(shape)
                    .. size_hint(spec, weight.name, tensor.shape))
            end
            if not READABLE[tensor.dtype] then
                report(name .. " is of type " .. tensor.dtype .. ", expected F32, F64, F16 or BF16")
            end
        end
    end

    local extra, others = {}, {}
    for _, tensor in ipairs(file:list()) do
        local name = tensor.name
        if not expected[name] then
            local inside = name:sub(1, #spec.prefix) == spec.prefix
            local own = name:sub(#spec.prefix + 1)
            if inside and is_recurrent(own) then
                extra[#extra + 1] = own
                report(name .. " " .. shape_text(tensor.shape) .. " is of no use to this network")
            elseif inside then
                others[#others + 1] = name
            end
        end
    end
    for _, name in ipairs(missing) do
        local near = nearest(name, others)
        if near and #lines > 0 then
            report("did you mean " .. name .. " where the file has " .. near .. "?")
        end
    end
    if #lines > 0 then
        for _, hint in ipairs(hints(spec, tensors, missing, extra)) do
            lines[#lines + 1] = fail.line(path, nil, "note", hint)
        end
        fail.with(lines)
    end
    table.sort(others)
    local notes = {}
    if #others > 0 then
        notes[1] = fail.line(path, nil, "note", "not used: " .. table.concat(others, ", "))
    end
    return file, notes
end

-- weights.load(spec) -> the weights as host.pack wants them, and notes.
function weights.load(spec)
    local file, notes = weights.check(spec)
    local loaded, message = host.weights(file, weights.config(spec), spec.prefix)
    if not loaded then fail.at(spec.weights_path, message) end
    if message > 0 then
        notes[#notes + 1] = fail.line(spec.weights_path, nil, "note",
            message .. " of the weights are NaN or infinite")
    end
    return loaded, notes
end

return weights
