-- pytorch: what torch.save and torch.jit.save write: a zip with a pickle, data.pkl, that names tensors, and their
-- values in data/0, data/1, ...
local fail = require "base.fail"
local host = require "host"
local kinds = require "import.pickle_kinds"
local pickle = require "import.pickle"
local state_dict = require "import.state_dict"
local torch_tensors = require "import.torch_tensors"
local torchscript = require "import.torchscript"

-- Where training programs keep the state_dict in a checkpoint, the likeliest first; others are looked at too.
local keys <const> = {
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "params", "weights",
}

-- Dicts within dicts are looked at so deep, and so many.
local DEPTH_MAX <const>, DICTS_MAX <const> = 4, 1000

-- Has the dict a tensor of a recurrent layer among its values?
local function has_recurrent(key, value) return kinds.is(value, "TENSOR") and key:find "weight_ih" ~= nil end

-- Or a matrix, of a linear layer?
local function has_linear(key, value)
    return kinds.is(value, "TENSOR") and key:find "weight$" ~= nil and #value.shape == 2
        or key:find "_packed_params%._packed_params$" ~= nil
end

local function has_layer(dict, is_of_layer)
    for key, value in kinds.each(dict) do
        if type(key) == "string" and is_of_layer(key, value) then return true end
    end
    return false
end

local function rank(key)
    for i, known in ipairs(keys) do
        if known == key then return i end
    end
    return #keys + 1
end

-- The dicts with such a layer in `value`, { dict, place, rank }, the likeliest first.
local function find(value, is_of_layer)
    -- Dicts that need no second look.
    local found, seen, count = {}, {}, 0
    local function look(at, place, depth, order)
        if not kinds.is(at, "DICT") or depth > DEPTH_MAX or seen[at] or count >= DICTS_MAX then return end
        seen[at], count = true, count + 1
        if has_layer(at, is_of_layer) then
            found[#found + 1] = { dict = at, place = place, rank = order, number = #found }
            return
        end
        for key, entry in kinds.each(at) do
            if type(key) == "string" then
                look(entry, place == "" and key or place .. "." .. key, depth + 1, math.max(order, rank(key)))
            end
        end
    end
    look(value, "", 1, 0)
    table.sort(found, function(a, b)
        if a.rank ~= b.rank then return a.rank < b.rank end
        return a.number < b.number
    end)
    return found
end

-- The keys of a dict, for one in which there is nothing.
local function shown(dict)
    local names = {}
    for key in kinds.each(dict) do
        if #names == 6 then
            names[#names + 1] = "..."
            break
        end
        names[#names + 1] = type(key) == "string" and key or tostring(key)
    end
    return #names == 0 and "it is empty" or "it has " .. table.concat(names, ", ")
end

-- The one state_dict of what was saved. Errors: there is none.
local function choose(value, path, record)
    local found = find(value, has_recurrent)
    if #found == 0 then found = find(value, has_linear) end
    if #found == 0 then
        fail.at(path, "there are no weights of a recurrent network in it (weight_ih_l0, weight_hh_l0); "
            .. (kinds.is(value, "DICT") and shown(value) or "what was saved is no state_dict"))
    end
    local chosen = found[1]
    if chosen.place ~= "" then record.became[1] = { "the checkpoint's " .. chosen.place, "what is imported" } end
    for i = 2, #found do
        record.doubts[#record.doubts + 1] = string.format("which network of the checkpoint is wanted: %s is taken, "
            .. "%s is another", chosen.place, found[i].place)
    end
    return chosen.dict
end

-- A state_dict's tensors by name. Linear layers of torch.ao.nn.quantized have a pair (weight, bias) instead of two.
local function tensors_of(dict)
    local list = {}
    for key, value in kinds.each(dict) do
        local packed = type(key) == "string" and key:match "^(.*)_packed_params%._packed_params$"
        if packed and kinds.is(value, "TUPLE") and kinds.is(value[1], "TENSOR") then
            list[#list + 1] = { name = packed .. "weight", tensor = value[1] }
            if kinds.is(value[2], "TENSOR") then list[#list + 1] = { name = packed .. "bias", tensor = value[2] } end
        elseif type(key) == "string" and kinds.is(value, "TENSOR") then
            list[#list + 1] = { name = key, tensor = value }
        end
    end
    return list
end

local function read(file)
    local path = file.path
    if not file.bytes:find "^PK" then
        fail.at(path, "is a pickle without a zip, as torch.save wrote before PyTorch 1.6; write it again in Python: "
            .. 'torch.save(torch.load("old.pt"), "new.pt")')
    end
    local archive, message = host.zip(file.bytes)
    if not archive then fail.at(path, message) end
    local root
    for _, member in ipairs(archive:list()) do root = root or member.name:match "^([^/]+/)data%.pkl$" end
    if not root then fail.at(path, "there is no data.pkl in the archive") end
    local function member(name)
        local bytes, why = archive:read(root .. name)
        return bytes or fail.at(path, why)
    end
    if archive:read(root .. "byteorder") == "big" then
        fail.at(path, "its numbers are big-endian; save it on a little-endian machine")
    end
    local value = pickle.load(member "data.pkl", path, "data.pkl")
    local record = { became = {}, unused = {}, doubts = {} }
    local reader = torch_tensors.reader(path, #file.bytes, member, record)
    if kinds.is(value, "OBJECT") then return torchscript.read(value, archive, root, reader, path, record) end
    return state_dict.record(reader(tensors_of(choose(value, path, record))), path, true, record)
end

return {
    format = "a checkpoint of PyTorch",
    -- A pickle begins with its protocol, then a magic number in old files or a dict in those of others.
    can_read = function(file)
        return file.bytes:find "^PK\3\4" ~= nil and file.bytes:find("/data.pkl", 1, true) ~= nil
            or file.bytes:find "^\x80[\2-\5][\x8a}c(\x95]" ~= nil
    end,
    read = read,
}
