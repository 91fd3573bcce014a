-- slopes: nn.PReLU in a state_dict, a vector `weight` without a bias. It stands behind the layer whose name comes
-- before its own in the same module, as in a Sequential, or that stands before it in a file that keeps the order.
local tensors = require "import.tensors"

local slopes = {}

-- Numbers in names are padded to so many digits before they are compared.
local DIGITS_MAX <const> = 20

-- "net.10." behind "net.2.".
local function key_of(prefix)
    return (prefix:gsub("%d+", function(digits) return ("0"):rep(DIGITS_MAX - #digits) .. digits end))
end

local function parent_of(prefix) return prefix:match "^(.-)[^.]*%.$" or "" end

-- slopes.take(list) -> the vectors of a list of tensors { name, shape, data } that may be slopes, which leave the list,
-- each with its `prefix` and, as `behind`, the prefix of the tensor that stood in front of it.
function slopes.take(list)
    local count, found, kept, before = {}, {}, {}, nil
    for _, tensor in ipairs(list) do
        local prefix = tensor.name:match "^(.*%.)[^.]*$" or ""
        count[prefix] = (count[prefix] or 0) + 1
    end
    for _, tensor in ipairs(list) do
        local prefix = tensor.name:match "^(.*%.)[^.]*$" or ""
        if #tensor.shape == 1 and prefix ~= "" and tensor.name == prefix .. "weight" and count[prefix] == 1 then
            tensor.prefix, tensor.behind = prefix, before
            found[#found + 1] = tensor
        else
            before, kept[#kept + 1] = prefix, tensor
        end
    end
    for i = 1, #list do list[i] = kept[i] end
    return found
end

-- slopes.layer(tensor, width) -> the layer of the slopes of a PReLU that reads `width` values, and its tensor: none for
-- one slope, which is a number; nil: it has another number of them, or one that a spec cannot have.
function slopes.layer(tensor, width)
    local count = tensor.shape[1]
    if count == 1 then
        local alpha = string.unpack("<f", tensor.data)
        if not (alpha >= -1000 and alpha <= 1000) then return nil end
        return { form = "activation", fields = { activation = "leaky_relu", alpha = alpha } }
    end
    if count ~= width then return nil end
    return { form = "activation", fields = { activation = "prelu", prefix = tensor.prefix } },
        tensors.named(tensor, tensor.prefix .. "weight")
end

-- The place behind which a PReLU stands: of the layer of the same module whose name is the last before its own, or of
-- the one before it in the file; nil: it cannot be told.
local function place_of(tensor, layers, ordered)
    local parent, key, best = parent_of(tensor.prefix), key_of(tensor.prefix), nil
    for i, layer in ipairs(layers) do
        local prefix = layer.fields.prefix or ""
        local own = key_of(prefix)
        if tensor.prefix:find "%d+%.$" and prefix ~= "" and parent_of(prefix) == parent and own < key
            and (not best or own > key_of(layers[best].fields.prefix)) then
            best = i
        end
    end
    for i, layer in ipairs(not best and ordered and layers or {}) do
        if (layer.fields.prefix or "") == tensor.behind then best = i end
    end
    return best
end

-- slopes.put(found, layers, record, ordered) puts what slopes.take found behind its layers, among which it becomes a
-- layer, and says so; those whose place cannot be told go back to the record's tensors, of no use. ordered: the file's
-- tensors stand in the order in which the network was built.
function slopes.put(found, layers, record, ordered)
    local placed = {}
    for _, tensor in ipairs(found) do
        local place = place_of(tensor, layers, ordered)
        local made, own
        if place then made, own = slopes.layer(tensor, layers[place].output) end
        record.tensors[#record.tensors + 1] = own or not made and tensor or nil
        if made then
            placed[#placed + 1] = { layer = made, behind = layers[place] }
            record.became[#record.became + 1] = { tensor.name .. " " .. tensors.shape_text(tensor.shape),
                "activation, nn.PReLU behind " .. (layers[place].fields.prefix or "") .. "*" }
            record.doubts[#record.doubts + 1] = string.format("whether %s is nn.PReLU's, which is taken", tensor.name)
        end
    end
    for _, entry in ipairs(placed) do
        for i, layer in ipairs(layers) do
            if layer == entry.behind then
                entry.layer.output = layer.output
                table.insert(layers, i + 1, entry.layer)
                break
            end
        end
    end
end

return slopes
