-- torchscript: the module tree of an archive of torch.jit.save. Its pickle has the modules as objects, whose classes
-- are names and whose attributes stand in the order in which they were declared. Constants of a class (ELU's alpha,
-- an RNN's mode) and the calls of forward are read from code/ as text; nothing there is run.
local activations = require "tables.activations"
local fail = require "base.fail"
local kinds = require "import.pickle_kinds"
local slopes = require "import.slopes"
local state_dict = require "import.state_dict"
local tensors = require "import.tensors"
local torch_forward = require "import.torch_forward"

local torchscript = {}

local DEPTH_MAX <const>, MODULES_MAX <const> = 16, 10000

-- Functions by the modules of torch.nn: rnnc's name, which constants are its alpha and beta, those that have to have a
-- value, and another function where a constant has another one.
-- Where a network was traced, classes have no constants, but a call, whose arguments behind the first are these.
local functions <const> = {
    ELU = { name = "elu", alpha = "alpha", call = { "elu", "alpha" } },
    GELU = { name = "gelu", needs = { { "approximate", '"none"' } }, call = { "gelu" },
             also = { "approximate", '"tanh"', "gelu_tanh" } },
    Hardsigmoid = { name = "hard_sigmoid" }, Hardswish = { name = "hard_swish" },
    Hardtanh = { name = "hard_tanh", alpha = "min_val", beta = "max_val", call = { "hardtanh", "min_val", "max_val" } },
    LeakyReLU = { name = "leaky_relu", alpha = "negative_slope", call = { "leaky_relu", "negative_slope" } },
    LogSoftmax = { name = "log_softmax" },
    Mish = { name = "mish" }, ReLU = { name = "relu" }, ReLU6 = { name = "relu6" }, SELU = { name = "selu" },
    Sigmoid = { name = "sigmoid" }, SiLU = { name = "silu" }, Softmax = { name = "softmax" },
    Softplus = { name = "softplus", needs = { { "beta", "1" }, { "threshold", "20" } },
                 call = { "softplus", "beta", "threshold" } },
    Softsign = { name = "softsign" }, Tanh = { name = "tanh" },
}

-- Modules that do nothing when a network is run, or that say how others follow each other.
local silent <const> = {
    Dropout = true, Dropout1d = true, Identity = true, Sequential = true, ModuleList = true, Linear = true, LSTM = true,
    GRU = true, RNN = true, Embedding = true, LSTMCell = true, GRUCell = true, RNNCell = true,
}

-- "__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear" -> "Linear", nil if it is none of torch.nn.
local function of_torch(class) return class:match "^__torch__%.torch%.nn%..-([^.]*)$" end

-- The text of a class in code/, "" if there is none.
local function text_of(class, source)
    local folder, name = class:match "^(.*)%.([^.]*)$"
    local text = folder and source(folder:gsub("%.", "/") .. ".py") or ""
    local start = ("\n" .. text):find("\nclass " .. name:gsub("%W", "%%%0") .. "%(")
    if not start then return "" end
    return text:sub(start, (text:find("\n%f[%S]", start) or #text + 1) - 1)
end

-- The constants of a class, "name : Final[type] = value", as texts.
local function constants_of(class, source)
    local list = {}
    for name, value in text_of(class, source):gmatch "\n  ([%w_]+) : Final%[%w+%] = ([^\n]*)" do list[name] = value end
    return list
end

-- The arguments of a call of torch.NAME, or of what changes its argument in place, in a class's text, as texts; nil if
-- it is not there.
local function arguments_of(text, name)
    local call = text:match("torch%." .. name .. "_?(%b())")
    if not call then return nil end
    local list = {}
    for word in call:sub(2, -2):gmatch "[^,%s]+" do list[#list + 1] = word end
    return list
end

-- Adds to the constants of a module what the call in its class says: as arguments in their order, or by name.
local function add_arguments(constants, text, call)
    for i, argument in ipairs(arguments_of(text, call[1]) or {}) do
        local name, value = argument:match "^([%a_][%w_]*)=(.*)$"
        if not name and i > 1 then name, value = call[i], argument end
        if name and constants[name] == nil then constants[name] = value end
    end
end

-- The modules of a tree, { name, class, object, parent }, parents first, in the order of their attributes.
local function modules_of(root, path)
    local list = { { name = "", class = root.class, object = root } }
    local seen = { [root] = true }
    local function walk(parent, depth)
        if depth > DEPTH_MAX or #list > MODULES_MAX then
            fail.at(path, string.format("its modules are nested deeper than %d or more than %d", DEPTH_MAX,
                MODULES_MAX))
        end
        for key, value in kinds.each(kinds.is(parent.object.state, "DICT") and parent.object.state or {}) do
            if type(key) == "string" and kinds.is(value, "OBJECT") and not seen[value] then
                seen[value] = true
                local module = {
                    name = parent.name .. key .. ".", class = value.class, object = value, parent = parent,
                }
                list[#list + 1] = module
                walk(module, depth + 1)
            end
        end
    end
    walk(list[1], 1)
    return list
end

-- The tensors of all modules, and those of nn.PReLU, by module.
local function tensors_in(modules)
    local list, own = {}, {}
    for _, module in ipairs(modules) do
        for key, value in kinds.each(kinds.is(module.object.state, "DICT") and module.object.state or {}) do
            if type(key) == "string" and kinds.is(value, "TENSOR") then
                local tensor = { name = module.name .. key, tensor = value }
                if of_torch(module.class) == "PReLU" then own[module] = tensor else list[#list + 1] = tensor end
            end
        end
    end
    return list, own
end

-- The function of a module of torch.nn as fields of a dense layer.
local function function_of(module, kind, record, source, path)
    local row, constants, known = functions[kind], constants_of(module.class, source), false
    local place = module.name:sub(1, -2) .. " is " .. kind
    if row.call then add_arguments(constants, text_of(module.class, source), row.call) end
    for _, name in ipairs(activations.names("none", "value", "row")) do known = known or name == row.name end
    if not known then fail.at(path, string.format("%s: rnnc has no dense { activation = %q }", place, row.name)) end
    if row.also and constants[row.also[1]] == row.also[2] then return { activation = row.also[3] } end
    for _, pair in ipairs(row.needs or {}) do
        local name, value = pair[1], pair[2]
        local number = tonumber(constants[name])
        if constants[name] and constants[name] ~= value and not (number and number == tonumber(value)) then
            fail.at(path, string.format("%s with %s = %s; rnnc has it with %s", place, name, constants[name], value))
        end
    end
    local fields = { activation = row.name }
    for _, what in ipairs { "alpha", "beta" } do
        fields[what] = row[what] and tonumber(constants[row[what]])
        if row[what] and not fields[what] then
            record.doubts[#record.doubts + 1] = string.format("the %s of %s (%s): its default is taken", row[what],
                module.name:sub(1, -2), kind)
        end
    end
    if activations.out_of_order(row.name, fields.alpha, fields.beta) then
        fail.at(path, string.format("%s with %s = %g and %s = %g, which are not in order", place, row.alpha,
            fields.alpha or -1, row.beta, fields.beta or 1))
    end
    return fields
end

-- The layer of the record whose tensors begin with that name.
local function layer_of(record, name)
    for _, layer in ipairs(record.layers) do
        if (layer.fields.prefix or "") == name then return layer end
    end
    return nil
end

-- The number of the layer in front of which a function behind `layer` goes, and are there functions already?
local function place_behind(record, layer)
    for i, other in ipairs(record.layers) do
        if other == layer then
            local at = i + 1
            while record.layers[at] and record.layers[at].form == "activation" do at = at + 1 end
            return at, at > i + 1
        end
    end
end

-- Puts a function behind a layer: into a dense layer that has none, or as a layer by itself. Returns what became of it.
local function put_function(record, layer, made)
    local at, others = place_behind(record, layer)
    if layer.form == "dense" and not layer.fields.activation and not others and not made.fields.prefix then
        for name, value in pairs(made.fields) do layer.fields[name] = value end
        return "activation of "
    end
    table.insert(record.layers, at, made)
    return "activation behind "
end

-- The slopes of a PReLU as a layer behind `layer`, and what became of them.
local function place_slopes(module, layer, tensor, record, path)
    tensor.prefix = module.name
    local made, own = slopes.layer(tensor, layer.output)
    if not made then
        fail.at(path, string.format("%s %s is nn.PReLU's, and the layer before gives %d values", tensor.name,
            tensors.shape_text(tensor.shape), layer.output))
    end
    record.tensors[#record.tensors + 1] = own
    return put_function(record, layer, made)
end

-- The layer that is the cell in which a norm is; nil: there is none.
local function normed_cell(record, module)
    local layer = module.parent and layer_of(record, module.parent.name)
    return layer and layer.fields.layer_norm and layer or nil
end

-- The epsilon of a norm, of its class, into the layer that is its cell.
local function take_epsilon(module, layer, source, record, path)
    local name, fields = module.name:sub(1, -2), layer.fields
    local eps = tonumber(constants_of(module.class, source).eps)
    if not eps then
        record.doubts[#record.doubts + 1] = "the eps of " .. name .. ": PyTorch's default is taken, 1e-5"
        eps = 1e-5
    end
    if not (eps >= 0 and eps <= 1) or fields.layer_norm_eps and fields.layer_norm_eps ~= eps then
        fail.at(path, string.format("%s has eps = %g; rnnc has one from 0 to 1 for all norms of a cell", name, eps))
    end
    fields.layer_norm_eps = eps
end

-- Functions that follow a layer in a Sequential are that layer's; of others it is said that they are there. own: the
-- tensors of PReLU.
local function place_functions(modules, record, own, source, path)
    local before = {}
    for _, module in ipairs(modules) do
        local kind = of_torch(module.class)
        local parent = module.parent
        local last = parent and before[parent]
        local layer = last and layer_of(record, last.name)
        if kind == "PReLU" and own[module] and layer and of_torch(parent.class) == "Sequential" then
            record.became[#record.became + 1] = {
                module.name:sub(1, -2) .. " PReLU", place_slopes(module, layer, own[module], record, path)
                    .. last.name .. "*",
            }
        elseif functions[kind] then
            local fields = function_of(module, kind, record, source, path)
            if of_torch(parent and parent.class or "") ~= "Sequential" or not layer then
                record.doubts[#record.doubts + 1] = string.format("where %s (%s) stands: it is left out",
                    module.name:sub(1, -2), kind)
            else
                local became = put_function(record, layer, { form = "activation", fields = fields })
                record.became[#record.became + 1] = {
                    module.name:sub(1, -2) .. " " .. kind, became .. last.name .. "*",
                }
            end
        elseif kind == "LayerNorm" and normed_cell(record, module) then
            take_epsilon(module, normed_cell(record, module), source, record, path)
        elseif kind and not silent[kind] then
            record.doubts[#record.doubts + 1] = string.format("what %s (%s) does: it is left out",
                module.name:sub(1, -2), kind)
        end
        local keeps = functions[kind] or kind == "PReLU" or kind and kind:find "^Dropout" or kind == "Identity"
        if parent and not keeps then before[parent] = module end
    end
end

-- What a recurrent module of torch.nn says of itself in constants or, where it was traced, in the call: its mode,
-- "RNN_RELU" and others, and batch_first; nil: nothing.
local function mode_of(kind, constants, text)
    if constants.mode then return (constants.mode:gsub('"', "")), constants.batch_first end
    if constants.nonlinearity then return "RNN_" .. constants.nonlinearity:gsub('"', ""):upper(), "False" end
    for _, name in ipairs { "rnn_relu", "rnn_tanh", "lstm", "gru" } do
        local arguments = arguments_of(text, name)
        -- batch_first is the last one.
        if arguments then return name:upper(), arguments[#arguments] end
        if arguments_of(text, name .. "_cell") then return name:upper(), "False" end
    end
    for _, name in ipairs(kind == "RNNCell" and { "relu", "tanh" } or {}) do
        if arguments_of(text, name) then return "RNN_" .. name:upper(), "False" end
    end
    return nil
end

local function apply_constants(modules, record, source)
    for _, module in ipairs(modules) do
        local layer, kind = layer_of(record, module.name), of_torch(module.class)
        if layer and layer.form == "rnn" then
            local mode, batch_first = mode_of(kind, constants_of(module.class, source),
                text_of(module.class, source))
            local is_cell = kind == "LSTMCell" or kind == "GRUCell" or layer.fields.layer_norm
            if not mode and not is_cell then
                record.doubts[#record.doubts + 1] = string.format("whether %s has its batch first, and of an RNN "
                    .. "whether its function is relu: batch_first = false and tanh are taken", module.name:sub(1, -2))
            end
            if mode == "RNN_RELU" then layer.fields.nonlinearity = "relu" end
            if batch_first == "True" then record.fields.batch_first = true end
        end
    end
end

-- torchscript.read(root, archive, folder, reader, path, given) -> the record of a network. root: the OBJECT of
-- data.pkl, folder: where it lies in the archive, reader: of torch_tensors, given: the beginning of the record.
function torchscript.read(root, archive, folder, reader, path, given)
    local texts = {}
    local function source(name)
        texts[name] = texts[name] or archive:read(folder .. "code/" .. name) or ""
        return texts[name]
    end
    local modules = modules_of(root, path)
    local list, own = tensors_in(modules)
    if #list == 0 then
        fail.at(path, "its modules have no tensors: torch.jit.freeze and quantize_dynamic put them elsewhere; save the "
            .. "network before that")
    end
    given.told = true
    local record = state_dict.record(reader(list), path, true, given)
    for _, module in ipairs(modules) do own[module] = own[module] and reader({ own[module] })[1] end
    place_functions(modules, record, own, source, path)
    apply_constants(modules, record, source)
    local programs = {}
    for _, module in ipairs(modules) do
        local layer = layer_of(record, module.name)
        -- What a cell with norms computes is said already.
        if not of_torch(module.class) and not (layer and layer.fields.layer_norm) then
            programs[#programs + 1] = text_of(module.class, source)
        end
    end
    torch_forward(programs, record)
    return record
end

return torchscript
