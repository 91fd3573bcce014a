-- deeplearn: a folder of deeplearn.js, as ml5's charRNN has it: manifest.json, { name: { filename, shape } }, and
-- beside it a file of raw little-endian float32 for each array. Cells are BasicLSTMCells of TensorFlow 1, with
-- forget_bias = 1 as charRNN adds it; before them an embedding, behind them the product softmax_w, softmax_b and
-- softmax.
local fail = require "base.fail"
local host = require "host"
local json = require "import.json"
local tensors = require "import.tensors"
local tf_cells = require "import.tf_cells"

local FLOAT <const>, BYTES_MAX <const>, ARRAYS_MAX <const>, LAYERS_MAX <const> = 4, 1 << 30, 4096, 128
local FORGET_BIAS <const> = 1.0

local function is_entry(value)
    return json.is_object(value) and type(value.filename) == "string" and json.is_list(value.shape)
end

-- The values of an array of the manifest, from the file of that name in its own folder.
local function array_of(path, name, entry)
    local function bad(message) fail.at(path, string.format("%q: %s", name, message)) end
    local count = 1
    for _, size in ipairs(entry.shape) do
        if math.type(size) ~= "integer" or size < 1 or size > BYTES_MAX then bad "its shape has what is no size" end
        count = count * size
        if count > BYTES_MAX // FLOAT then bad "its shape is of too many values" end
    end
    if entry.filename == "" or entry.filename:find("[/\\%c]") or entry.filename:find("^%.") then
        bad "its filename is none of a file beside the manifest"
    end
    local bytes, message = host.read((path:match("^(.*/)[^/]*$") or "") .. entry.filename, BYTES_MAX)
    if not bytes then bad(message) end
    if #bytes ~= count * FLOAT then
        bad(string.format("its file has %d bytes, and %s is %d values of 4", #bytes,
            tensors.shape_text(entry.shape), count))
    end
    return { name = name, shape = table.move(entry.shape, 1, #entry.shape, 1, {}),
             data = host.strided(bytes, "F32", 0, { count }, { 1 }) }
end

-- The arrays by what they are: embedding, softmax_w, softmax_b, and kernel and bias of each cell; the others' names.
local function sorted(model, path)
    local found, others, cells = {}, {}, {}
    for _, name in ipairs(model) do
        local last = name:match("[^/]*$")
        local number = math.tointeger(tonumber(name:match("cell_(%d+)/basic_lstm_cell/") or "x"))
        local part = (last == "weights" or last == "kernel") and "kernel"
            or (last == "biases" or last == "bias") and "bias"
        local place = number and part and string.format("%s %d", part, number) or last
        if number and number >= LAYERS_MAX then fail.at(path, "more than 128 cells") end
        if not number and last ~= "embedding" and last ~= "softmax_w" and last ~= "softmax_b" then
            others[#others + 1] = name
        elseif found[place] then
            fail.at(path, string.format("%q: there are two such arrays", name))
        else
            found[place] = array_of(path, name, model[name])
            cells[number or -1] = true
        end
    end
    local count = 0
    while cells[count] do count = count + 1 end
    return found, others, count
end

local function read(file)
    local model, path = json.of(file), file.path
    if #model > ARRAYS_MAX then fail.at(path, "more than 4096 arrays") end
    local found, others, count = sorted(model, path)
    local record = { layers = {}, fields = {}, tensors = {}, became = {}, unused = others, doubts = {}, open = {} }
    local function add(tensor, name) table.insert(record.tensors, tensors.named(tensor, name)) end
    local function became(what, is) table.insert(record.became, { what, is }) end
    -- The array in a place, of so many axes.
    local function take(place, rank)
        local tensor = found[place] or fail.at(path, string.format(
            "has no array %s of a network of BasicLSTMCells between embedding and softmax_w", place))
        if #tensor.shape ~= rank then
            fail.at(path, string.format("%q: is %s, and has to have %d axes", tensor.name,
                tensors.shape_text(tensor.shape), rank))
        end
        return tensor
    end
    if count == 0 then take("kernel 0", 2) end
    local embedding = take("embedding", 2)
    add(embedding, "embedding.weight")
    became("embedding " .. tensors.shape_text(embedding.shape), "embedding")
    record.layers[1] = { form = "embedding", fields = {
        num_embeddings = embedding.shape[1], dim = embedding.shape[2], prefix = "embedding." } }
    local width, first = embedding.shape[2], nil
    for level = 0, count - 1 do
        local kernel, bias = take("kernel " .. level, 2), take("bias " .. level, 1)
        local units, inputs = tf_cells.units(kernel, 4)
        if not units or inputs ~= width or bias.shape[1] ~= 4 * units or units ~= (first or units) then
            fail.at(path, string.format("%q: is %s with a bias of %d, of no cell that reads %d values and has as many "
                .. "units as the others", kernel.name, tensors.shape_text(kernel.shape), bias.shape[1], width))
        end
        first, width = units, units
        for i, tensor in ipairs { tf_cells.basic_lstm(kernel, bias, FORGET_BIAS) } do
            add(tensor, string.format("lstm.%s_l%d", tf_cells.names[i], level))
        end
        became(string.format("cell %d of %d -> %d", level, inputs, units),
            "rnn, transposed, gates i j f o as i f g o, forget_bias 1, lstm.*_l" .. level)
    end
    record.layers[2] = { form = "rnn", fields = {
        cell = "lstm", hidden_size = first, num_layers = count, prefix = "lstm." } }
    local head, bias = take("softmax_w", 2), take("softmax_b", 1)
    if head.shape[1] ~= width or head.shape[2] ~= bias.shape[1] then
        fail.at(path, string.format("%q: is %s, and %s is expected", head.name, tensors.shape_text(head.shape),
            tensors.shape_text { width, bias.shape[1] }))
    end
    add(tensors.transposed(head), "softmax.weight")
    add(bias, "softmax.bias")
    became("softmax_w, softmax_b", "dense, transposed, softmax")
    record.layers[3] = { form = "dense", fields = {
        units = bias.shape[1], activation = "softmax", prefix = "softmax." } }
    record.open[1] = "the vocabulary: which token stands for which letter (vocab.json)"
    return record
end

return {
    format = "a manifest of deeplearn.js",
    can_read = function(file)
        local model = json.of(file)
        if not model or #model == 0 then return false end
        for _, name in ipairs(model) do
            if not is_entry(model[name]) then return false end
        end
        return true
    end,
    read = read,
}
