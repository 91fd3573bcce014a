-- norms: cells by themselves with layer normalisation, as the LayerNormLSTMCell of PyTorch's benchmarks has it:
-- torch.nn.LayerNorm of both products and of the cell state, which the next step reads normalised.
local fail = require "base.fail"
local tensors = require "import.tensors"

local norms = {}

-- rnnc's names of a cell's norms by PyTorch's, and of how many values for each unit they are.
local known <const> = {
    ["layernorm_i.weight"] = { "norm_weight_ih", 4 }, ["layernorm_i.bias"] = { "norm_bias_ih", 4 },
    ["layernorm_h.weight"] = { "norm_weight_hh", 4 }, ["layernorm_h.bias"] = { "norm_bias_hh", 4 },
    ["layernorm_c.weight"] = { "norm_weight_c", 1 }, ["layernorm_c.bias"] = { "norm_bias_c", 1 },
}
local KNOWN <const> = 6

-- Is a tensor of that name, within its cell, one of a norm?
local function is_norm(own)
    local module, kind = own:match "^([^.]+)%.(%a+)$"
    module = module and module:lower()
    return module and (kind == "weight" or kind == "bias") and (module:find "norm" or module:find "^ln") ~= nil
end

-- norms.name(list, record, path) -> the set of the prefixes of cells with norms, whose tensors get the names that those
-- of a layer have. Errors: a cell with norms of other names or sizes, or with biases beside them: nothing tells what it
-- computes.
function norms.name(list, record, path)
    local shapes, cells = {}, {}
    for _, tensor in ipairs(list) do
        shapes[tensor.name] = tensor.shape
        local prefix = tensor.name:match "^(.-)weight_hh$"
        if prefix and #tensor.shape == 2 then cells[prefix] = tensor.shape[2] end
    end
    local count = {}
    for _, tensor in ipairs(list) do
        local prefix, own = tensor.name:match "^(.-)([^.]+%.%a+)$"
        local hidden, row = cells[prefix], known[own]
        if hidden and is_norm(own) then
            local function bad(why)
                fail.at(path, string.format("%s %s is in a cell, %sweight_hh, and %s; rnnc reads the LayerNormLSTMCell "
                    .. "of PyTorch's benchmarks (layernorm_i, layernorm_h, layernorm_c, no other biases)", tensor.name,
                    tensors.shape_text(tensor.shape), prefix, why))
            end
            if not row then bad "nothing tells what it normalises" end
            if #tensor.shape ~= 1 or tensor.shape[1] ~= row[2] * hidden then
                bad(string.format("of %d units it would have %d values", hidden, row[2] * hidden))
            end
            if shapes[prefix .. "bias_ih"] or shapes[prefix .. "bias_hh"] then bad "there are biases beside it" end
            tensor.name = prefix .. row[1] .. "_l0"
            count[prefix] = (count[prefix] or 0) + 1
        end
    end
    for _, tensor in ipairs(list) do
        local prefix = tensor.name:match "^(.-)weight_hh$"
        if count[prefix] and count[prefix] < KNOWN then
            fail.at(path, string.format("%slayernorm_*: %d tensors, expected %d: weight and bias of layernorm_i, "
                .. "layernorm_h and layernorm_c", prefix, count[prefix], KNOWN))
        end
        if count[prefix] then
            record.became[#record.became + 1] = { prefix .. "layernorm_*", "layer_norm and layer_norm_state" }
        end
    end
    return count
end

-- norms.put(carried, layers, record): what layers with norms have beside the names and sizes of their tensors. carried:
-- as norms.name gives it.
function norms.put(carried, layers, record)
    local lstm, normed = false, false
    for _, layer in ipairs(layers) do
        local fields = layer.fields
        if fields.layer_norm then
            fields.layer_norm_state = carried[fields.prefix or ""] and true or nil
            lstm, normed = lstm or fields.cell == "lstm", true
        end
    end
    if lstm then
        record.doubts[#record.doubts + 1] = string.format("whether the next step reads the normalised cell state, as "
            .. "in the LayerNormLSTMCell of PyTorch's benchmarks: layer_norm_state = %s is taken", next(carried) ~= nil)
    end
    if normed and not record.told then
        record.doubts[#record.doubts + 1] = "the eps of norms: PyTorch's default is taken, layer_norm_eps = 1e-5"
    end
end

return norms
