-- weights: does a safetensors file hold the weights of a network?
local fail = require "base.fail"
local hints = require "weights.weight_hints"
local host = require "host"
local lower = require "passes.lower"
local nearest = require "base.nearest"
local signs = require "weights.weight_signs"
local weight_map = require "weights.weight_map"

local weights = {}

local READABLE <const> = { F64 = true, F32 = true, F16 = true, BF16 = true }

-- What rnnc.h has room for, less its terminator.
local NAME_MAX <const> = 119

-- A misspelt name is looked for among so many that it takes no time.
local PAIRS_MAX <const> = 10000

-- So many names of tensors without use are told.
local SHOWN_MAX <const> = 12

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

local function shape_of(weight) return weight.cols > 0 and { weight.rows, weight.cols } or { weight.rows } end

-- PyTorch draws weights within this bound, but for an embedding, whose values are normal; weights
-- of functions are near 1 mostly.
local function bound_of(item, own)
    if own:find("^norm_") then return 1.0 end
    if item.layer == "embedding" or item.layer == "activation" then return 1.0 end
    return 1.0 / math.sqrt(item.layer == "dense" and item.input_size or item.hidden_size)
end

-- What all values of a tensor are before it is trained, if they are not drawn: of norms as of torch.nn.LayerNorm; or
-- nil.
local function start_of(own)
    return own:find("^norm_weight_") and 1.0 or own:find("^norm_bias_") and 0.0 or nil
end

-- What a tensor of several heads is made of: those of each head.
local function parts_of(weight)
    local list = {}
    for _, head in ipairs(weight.item.heads or {}) do
        local matrix = weight.own == "weight"
        if matrix or head.bias then
            list[#list + 1] = {
                name = head.prefix .. weight.own, own = weight.own, rows = head.rows, cols = matrix and head.cols or 0,
                row = head.row, column = matrix and head.column or 0, layer = weight.layer, bound = weight.bound,
                item = { layer = "dense", input_size = head.cols, units = head.rows },
            }
        end
    end
    return list[1] and list
end

-- weights.expected(spec) -> the tensors in the order of the network: { name, rows, cols (0: a vector),
-- own (the name within its layer), layer (its number), item (its fields), bound (of random values), start (the first
-- value of each, or nil: they are random) }, and of the layer of several heads `parts`, the heads' own tensors, each
-- with the place of its first value, row and column.
-- Names have the layer's prefix, not the model's.
function weights.expected(spec)
    local list, all, number = {}, lower.run(spec).weights, 0
    for i, item in ipairs(spec.layers or { spec }) do
        local prefix = spec.layers and item.prefix or ""
        for _ = 1, hints.count(item) do
            number = number + 1
            local weight = all[number]
            local own = weight.name:sub(#prefix + 1)
            list[number] = {
                name = weight.name, rows = weight.rows, cols = weight.cols, own = own, layer = i, item = item,
                bound = bound_of(item, own), start = start_of(own),
            }
            list[number].parts = parts_of(list[number])
            if #weight.name > NAME_MAX then
                fail.at(spec.source, string.format("the name %s has %d characters, and the limit is %d; shorten "
                    .. "the prefix of layer %d", weight.name, #weight.name, NAME_MAX, i))
            end
        end
    end
    assert(number == #all, "the layers have other weights than the network")
    return list
end

-- weights.tensors(expected) -> those of a file that it is made of: each, or its parts.
function weights.tensors(expected)
    local list = {}
    for _, weight in ipairs(expected) do
        for _, tensor in ipairs(weight.parts or { weight }) do list[#list + 1] = tensor end
    end
    return list
end

-- weights.open(path [, bytes]) -> a safetensors file, or its bytes as such a file, or a user's mistake.
function weights.open(path, bytes)
    local file, message
    if bytes then
        file, message = host.safetensors_memory(bytes)
    else
        file, message = host.safetensors(path)
    end
    if file then return file end
    -- The message may begin with the path already.
    fail.at(path, message:sub(1, #path + 2) == path .. ": " and message:sub(#path + 3) or message)
end

-- The tensors of a file under the names that `map` gives them: { name, file_name, shown, dtype, shape }.
local function tensors_of(spec, file)
    local list, names = file:list(), {}
    for i, tensor in ipairs(list) do names[i] = tensor.name end
    local renamed = weight_map.apply(spec.map, names, spec.weights_path)
    for i, tensor in ipairs(list) do
        tensor.file_name, tensor.name = tensor.name, renamed[i]
        tensor.shown = tensor.name == tensor.file_name and tensor.name
            or string.format("%s (which map makes %s)", tensor.file_name, tensor.name)
    end
    return list
end

-- What is wrong with the weights that are needed, through report(text); returns those that are missing.
local function check_needed(spec, expected, tensors, report)
    local missing = {}
    for _, weight in ipairs(weights.tensors(expected)) do
        local name = spec.prefix .. weight.name
        local tensor, shape = tensors[name], shape_of(weight)
        if not tensor then
            missing[#missing + 1] = weight
            report(name .. " is missing, expected " .. shape_text(shape))
        else
            weight.file_name = tensor.file_name
            -- A square matrix of another order would pass as right.
            local order = tensor.name ~= tensor.file_name and shape[2] and signs.order(tensor.file_name)
            if order then
                report(tensor.shown .. " is " .. order)
            elseif shape_text(tensor.shape) ~= shape_text(shape) then
                local function found(own)
                    local other = tensors[name:sub(1, -#weight.own - 1) .. own]
                    return other and other.shape
                end
                report(tensor.shown .. " is " .. shape_text(tensor.shape) .. ", expected " .. shape_text(shape)
                    .. hints.of_shape(weight, tensor.shape, found))
            end
            if not READABLE[tensor.dtype] then
                report(tensor.shown .. " is of type " .. tensor.dtype .. ", expected F32, F64, F16 or BF16")
            end
        end
    end
    return missing
end

-- Tensors that no layer needs: those that belong to one all the same, which are mistakes, as
-- { own, layer, item, shape }, and the names of the others under the prefix.
local function check_unneeded(spec, expected, list, report)
    local needed, extra, others = {}, {}, {}
    for _, weight in ipairs(weights.tensors(expected)) do needed[spec.prefix .. weight.name] = true end
    for _, tensor in ipairs(list) do
        local name = tensor.name
        if not needed[name] and name:sub(1, #spec.prefix) == spec.prefix then
            local owner = hints.owner(spec, name:sub(#spec.prefix + 1))
            if owner then
                owner.shape = tensor.shape
                extra[#extra + 1] = owner
                report(tensor.shown .. " " .. shape_text(tensor.shape) .. " is of no use to this network")
            else
                others[#others + 1] = tensor.file_name
            end
        end
    end
    return extra, others
end

-- A layer that shares the embedding's table may have that in the file once more. As a table of its own it would be
-- another network. Reports it if so; drops its name from `others` if not.
local function check_shared(spec, file, expected, tensors, others, report)
    for _, item in ipairs(spec.layers or {}) do
        local copy = item.tied and tensors[spec.prefix .. (item.prefix or "") .. "weight"]
        if copy and copy.file_name ~= expected[1].file_name then
            local shape = shape_text(copy.shape)
            local function hash(file_name)
                local first = expected[1]
                local loaded, message = host.weights(file, { { name = first.name, rows = first.rows, cols = first.cols,
                                                               file_name = file_name } })
                return loaded and host.weights_hash(loaded) or fail.at(spec.weights_path, message)
            end
            local same = shape == shape_text(shape_of(expected[1])) and READABLE[copy.dtype]
                and hash(copy.file_name) == hash(expected[1].file_name)
            if not same then
                report(string.format("%s %s is another table than %s, which tied = true takes for it; leave tied out",
                    copy.shown, shape, expected[1].file_name))
            end
            for i, name in ipairs(others) do
                if name == copy.file_name then table.remove(others, i) break end
            end
        end
    end
end

-- The errors with the remedies in front: what to change is in the spec's line of the layer, or in the file.
local function with_hints(errors, spec, list, missing, extra)
    local lines = {}
    for _, hint in ipairs(hints.of_groups(spec, list, missing, extra)) do
        lines[#lines + 1] = fail.line(hint.line and spec.path or spec.weights_path, hint.line, "note", hint.text)
    end
    for _, hint in ipairs(#missing > 0 and signs.of_file(list) or {}) do
        lines[#lines + 1] = fail.line(spec.weights_path, nil, "note", hint)
    end
    table.move(errors, 1, #errors, #lines + 1, lines)
    if spec.path and weights.is_random(spec.weights_path) then
        lines[#lines + 1] = fail.line(spec.weights_path, nil, "note", "these are random weights; rnnc init "
            .. "--weights-only " .. spec.path .. " makes new ones that fit")
    end
    return lines
end

-- weights.check(spec) -> an open file with all weights of `spec`, notes, and weights.expected(spec) with
-- the file_name of each. Raises every tensor that is missing, misshapen, of another type, or one of these
-- layers that the network does not have.
function weights.check(spec)
    local path = spec.weights_path
    local file, expected = weights.open(path, spec.weights_bytes), weights.expected(spec)
    local list, tensors, lines = tensors_of(spec, file), {}, {}
    for _, tensor in ipairs(list) do tensors[tensor.name] = tensor end
    local function report(text) lines[#lines + 1] = fail.line(path, nil, "error", text) end

    local missing = check_needed(spec, expected, tensors, report)
    local extra, others = check_unneeded(spec, expected, list, report)
    for _, weight in ipairs(#missing * #others <= PAIRS_MAX and missing or {}) do
        local near = nearest(weight.name, others)
        if near then report("did you mean " .. weight.name .. " where the file has " .. near .. "?") end
    end
    if #lines == 0 then check_shared(spec, file, expected, tensors, others, report) end
    if #lines > 0 then fail.with(with_hints(lines, spec, list, missing, extra)) end
    table.sort(others)
    local notes = {}
    if #others > 0 then
        local more = #others > SHOWN_MAX and string.format(" and %d others", #others - SHOWN_MAX) or ""
        notes[1] = fail.line(path, nil, "note",
            "not used: " .. table.concat(others, ", ", 1, math.min(#others, SHOWN_MAX)) .. more)
    end
    return file, notes, expected
end

-- weights.load(spec) -> the weights as host.pack wants them, and notes.
function weights.load(spec)
    local file, notes, expected = weights.check(spec)
    local loaded, message = host.weights(file, expected)
    if not loaded then fail.at(spec.weights_path, message) end
    if message > 0 then
        notes[#notes + 1] = fail.line(spec.weights_path, nil, "note",
            message .. " of the weights are NaN or infinite")
    end
    return loaded, notes
end

-- weights.random(spec, seed, command) -> weights, as those of weights.load. `command` is for errors.
function weights.random(spec, seed, command)
    local drawn, message = host.random_weights(weights.expected(spec), seed)
    return drawn or fail.at(command, message)
end

-- weights.random_file(spec, command) -> the bytes of a safetensors file that fits `spec`, with random weights.
function weights.random_file(spec, command)
    local list = weights.tensors(weights.expected(spec))
    for _, weight in ipairs(list) do weight.name = (spec.prefix or "") .. weight.name end
    local drawn, message = host.random_weights(list, 1)
    return drawn and host.safetensors_text(drawn) or fail.at(command, message)
end

-- weights.is_random(path) -> did random_file make that file?
function weights.is_random(path)
    local file = host.safetensors(path)
    return file ~= nil and file:metadata("weights") == "random"
end

return weights
