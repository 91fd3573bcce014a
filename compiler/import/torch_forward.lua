-- torch_forward: what the text of a program's own forward, in the code/ of a TorchScript archive, tells beside its
-- modules. It is read as text: scales of x and y by a tensor are folded into weights, and of other calls it is said
-- that they are there.
local host = require "host"
local tensors = require "import.tensors"

-- What forward may call without an effect on the values of a sequence.
local harmless <const> = {}
for name in ([[unsqueeze squeeze copy_ slice tensor size dim zeros eq ne len lstm gru rnn_tanh rnn_relu linear
    contiguous detach clone to __is__ __isnot__ format list embedding dropout]]):gmatch "%S+" do
    harmless[name] = true
end

-- The text of the function forward in that of a class; "" if there is none.
local function forward_in(text)
    local forward = text:match "\n(  def forward%(.*)" or ""
    return forward:sub(1, (forward:find("\n  def ", 1, true) or #forward + 1) - 1)
end

-- The tensor of the network's own module that `word`, "self.scale" or a variable that was set to it, is; or nil.
local function own_tensor(forward, word, record)
    local name = word:match "^self%.([%w_]+)$"
        or forward:match("\n    " .. word:gsub("%W", "%%%0") .. " = self%.([%w_]+)\n")
    for _, tensor in ipairs(name and record.tensors or {}) do
        if tensor.name == name then return tensor end
    end
    return nil
end

-- The values of a scale for `count` channels; nil: it has as many as neither 1 nor that.
local function scales_of(tensor, count)
    local values = {}
    for i = 1, #tensor.data // 4 do values[i] = string.unpack("<f", tensor.data, 4 * i - 3) end
    if #values ~= 1 and #values ~= count then return nil end
    for i = #values + 1, count do values[i] = values[1] end
    return values
end

-- Multiplies each value of a weight by the scale of its row (by_row) or column.
local function multiply(weight, scales, by_row)
    local columns, values = weight.shape[2] or 1, {}
    for i = 1, #weight.data // 4 do
        values[i] = string.unpack("<f", weight.data, 4 * i - 3)
            * scales[by_row and (i - 1) // columns + 1 or (i - 1) % columns + 1]
    end
    weight.data = host.floats(values)
end

local function fold(record, tensor, layer, names, count, by_row, what)
    local scales = scales_of(tensor, count)
    if not scales then return false end
    for i = #record.tensors, 1, -1 do
        local weight = record.tensors[i]
        if weight == tensor then table.remove(record.tensors, i) end
        for _, name in ipairs(names) do
            if weight.name == (layer.fields.prefix or "") .. name then multiply(weight, scales, by_row) end
        end
    end
    record.became[#record.became + 1] = {
        tensor.name .. " " .. tensors.shape_text(tensor.shape),
        what .. ": multiplied into " .. (layer.fields.prefix or "") .. names[1],
    }
    return true
end

-- The two words of torch.mul(a, b), one of which is a tensor of the module: that tensor, and the other word.
local function factor_in(forward, call, record)
    local a, b = call:match "^torch%.mul%(([%w_.]+), ([%w_.]+)%)"
    if not a then return nil end
    local first, second = own_tensor(forward, a, record), own_tensor(forward, b, record)
    if first then return first, b end
    return second, a
end

-- Folds a product of x, forward's first argument, with a tensor into the first layer: true if it is there.
local function fold_input(forward, record)
    local x, first = forward:match "^  def forward%(self[^,]*,%s*([%w_]+)", record.layers[1]
    for at in forward:gmatch "()torch%.mul%(" do
        local tensor, other = factor_in(forward, forward:sub(at), record)
        if tensor and other == x then
            local names = first.form == "dense" and { "weight" } or { "weight_ih_l0", "weight_ih_l0_reverse" }
            return first.form ~= "embedding" and fold(record, tensor, first, names, first.input, false, "a scale of x")
        end
    end
    return false
end

-- Folds a product of what forward returns with a tensor into the last layer: true if it is there.
local function fold_output(forward, record)
    local last = record.layers[#record.layers]
    local call = forward:match "\n    return %(?(torch%.mul%b())"
    local tensor = call and factor_in(forward, call, record)
    if not tensor or last.form ~= "dense" or last.fields.activation then return false end
    return fold(record, tensor, last, { "weight", "bias" }, last.output, true, "a scale of y")
end

-- torch_forward(programs, record): programs: the texts of the classes that are none of torch.nn, that of the network
-- first. Changes weights of the record, and adds to its doubts what else the functions forward call.
return function(programs, record)
    local list, told, products = {}, {}, 0
    for number, text in ipairs(programs) do
        local forward = forward_in(text)
        if number == 1 then
            products = (fold_input(forward, record) and 1 or 0) + (fold_output(forward, record) and 1 or 0)
        end
        for name in forward:gmatch "torch%.([%w_.]+)%(" do
            name = name:match "[^.]*$"
            if name == "mul" and products > 0 then
                products = products - 1
            elseif not harmless[name] and not told[name] then
                told[name] = true
                list[#list + 1] = name
            end
        end
    end
    if #list > 0 then
        record.doubts[#record.doubts + 1] = "what forward makes by " .. table.concat(list, ", ")
            .. ": it is left out; give it with dense { activation, last_step } or residual"
    end
end
