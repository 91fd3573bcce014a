-- fields: what a spec may say, a row per field, and which of them each form of a network or layer has.
--
-- name      as in torch.nn.RNN, where it has a parameter for that
-- type      how the value is read, see readers.lua
-- default   a value, or a function of (the validated fields so far, context); neither: the field has
--           to be given, unless it is `optional`
-- least, most   of numbers
-- choices   of names: a list, or a function that gives it
-- also      what people call it who come from elsewhere
-- check     a function (value, fields so far) -> nil, or what is wrong and what to do
-- advice    a function (what was given instead of a value that is allowed) -> nil, or what to do
-- instead   of names that other tools have: what to do, for each
-- doc       for `rnnc help spec`: lines, the first of them a summary
--
-- The rows of a form are validated in its order, and a row may use the fields of earlier ones.
local activations = require "tables.activations"
local cells = require "tables.cells"
local targets = require "tables.targets"
local names = require "base.names"

-- With the longest name of PyTorch, bias_hh_l127_reverse, this fits in rnnc_weight.name (rnnc.h).
local PREFIX_MAX <const> = 96

local function cell_names()
    local list = {}
    for name, row in pairs(cells) do
        if type(row) == "table" then list[#list + 1] = name end
    end
    table.sort(list)
    return list
end

local function nonlinearities()
    local list = {}
    for name in pairs(cells.rnn.variants) do list[#list + 1] = name end
    -- Backwards: tanh, which is PyTorch's default, before relu.
    table.sort(list, function(a, b) return a > b end)
    return list
end

local function target_names() return table.move(targets.order, 1, #targets.order, 2, { "native" }) end

local function has_nonlinearity(fields)
    local cell = cells[fields.cell]
    return cell and cell.variants
end

-- Functions that other tools have and rnnc has not, or calls otherwise.
local other_functions = {}
for other, name in pairs { linear = "none", identity = "none", logsoftmax = "log_softmax", swish = "silu",
                           leakyrelu = "leaky_relu", hardtanh = "hard_tanh", hardsigmoid = "hard_sigmoid",
                           hardswish = "hard_swish", hard_silu = "hard_swish" } do
    other_functions[other] = string.format('write "%s"', name)
end
for name in ("celu glu softmin softshrink hardshrink tanhshrink logsigmoid exponential"):gmatch("%S+") do
    other_functions[name] = "rnnc has no " .. name .. '; as the last function of all the program can apply it to y'
end

local rows = {
    {
        name = "name", type = "text", also = { "prefix_c", "model_name", "id" },
        default = function(_, context) return names.from_file(context.file) end,
        check = function(value) return names.problem(value) end,
        doc = {
            "what everything generated begins with: NAME.h, NAME_forward, ...",
            "A C identifier of at most " .. names.MAX .. " characters. Default: the name of the file.",
        },
    },
    {
        name = "cell", type = "choice", default = "rnn", choices = cell_names,
        also = { "type", "kind", "mode", "cell_type", "rnn_type" },
        advice = function(given)
            local cell, nonlinearity = tostring(given):lower():match("^(rnn)_(%a+)$")
            if cell then return 'write cell = "rnn", nonlinearity = "' .. nonlinearity .. '"' end
            return "rnnc has no other cells"
        end,
        doc = { "the recurrent cell", "Gates and formulas are PyTorch's." },
    },
    {
        name = "input_size", type = "integer", least = 1, most = 65536,
        also = { "input_dim", "in_features", "inputs", "input", "input_channels", "I" },
        doc = { "values in the input of a time step" },
    },
    {
        name = "hidden_size", type = "integer", least = 1, most = 65536,
        also = { "hidden", "hidden_dim", "units", "num_units", "hidden_units", "H", "out_features" },
        doc = { "units of a layer, in each direction" },
    },
    {
        id = "layer.input_size", name = "input_size", type = "integer", least = 1, most = 65536, optional = true,
        also = { "input_dim", "in_features", "inputs", "input", "input_channels", "I" },
        doc = {
            "values in the input of a time step",
            "Has to be given in a first layer that is no embedding; otherwise it is what the layer before",
            "gives.",
        },
    },
    {
        name = "num_embeddings", type = "integer", least = 1, most = 1048576,
        also = { "vocabulary", "vocab_size", "vocab", "num_tokens", "input_size" },
        doc = { "tokens that there are: the input of a time step is one of 0 .. num_embeddings - 1" },
    },
    {
        name = "dim", type = "integer", least = 1, most = 65536,
        also = { "embedding_dim", "embedding_size", "units", "output_size" },
        doc = { "values that stand for a token" },
    },
    {
        name = "units", type = "integer", least = 1, most = 65536,
        also = { "out_features", "output_size", "outputs", "output_dim", "hidden_size", "dim" },
        doc = { "values in the output" },
    },
    {
        id = "dense.activation", name = "activation", type = "choice", default = "none",
        choices = activations.names,
        also = { "nonlinearity", "act", "function" }, instead = other_functions,
        doc = {
            "what follows the product",
            "softmax and log_softmax: over the outputs, in the last layer only. By PyTorch's formulas: gelu",
            "is the exact one, gelu_tanh its approximation; silu is also called swish.",
        },
    },
    {
        name = "alpha", type = "number", least = -1000, most = 1000, optional = true,
        also = { "negative_slope", "slope", "a" },
        default = function(fields) return activations.alpha(fields.activation) end,
        check = function(_, fields)
            if fields.activation and not activations.alpha(fields.activation) then
                return string.format('activation = "%s" has no alpha; leave it out', fields.activation)
            end
        end,
        doc = {
            "the number in elu, leaky_relu and hard_sigmoid",
            "elu: -alpha is the limit far below 0, default 1. leaky_relu: the slope below 0, default 0.01.",
            "hard_sigmoid: the slope, default 1/6 as in PyTorch and Keras 3; 0.2 in Keras 2 and ONNX.",
        },
    },
    {
        id = "dense.bias", name = "bias", type = "boolean", default = true, also = { "use_bias" },
        doc = { "false: the layer has no bias" },
    },
    {
        name = "tied", type = "boolean", default = false,
        also = { "tie", "tie_weights", "tied_weights", "tie_word_embeddings", "shared", "share_weights" },
        doc = {
            "true: the weight is the table of the embedding that is the first layer",
            "The file has no tensor of its own for it, only a bias. units is num_embeddings then, and the",
            "layer before gives dim values.",
        },
    },
    {
        name = "last_step", type = "boolean", default = false,
        also = { "last", "last_only", "pool" },
        doc = {
            "true: this layer, and those behind it, run once, on the last step of each sequence",
            "PyTorch's out[:, -1]: of a reverse direction what it gave after reading one step;",
            "see last_state. Then y is (batch, units). Only dense layers may follow.",
        },
    },
    {
        name = "last_state", type = "boolean", default = false,
        also = { "final_state", "last_hidden", "hn" },
        doc = {
            "true: as last_step, but reads the last states of the recurrent layer before it",
            "Of a bidirectional one these are the ends of both directions side by side, PyTorch's",
            "cat(h_n[-2], h_n[-1]) and what Keras gives. Of direction = \"reverse\" it is the end too,",
            "what came out for the first step.",
        },
    },
    {
        name = "num_layers", type = "integer", least = 1, most = 128, default = 1,
        also = { "layers", "n_layers", "nlayers", "L", "depth" },
        doc = { "layers on top of each other; each reads the output of the one below" },
    },
    {
        name = "nonlinearity", type = "choice", choices = nonlinearities,
        default = function(fields) return has_nonlinearity(fields) and "tanh" or nil end,
        optional = true, also = { "activation_function", "act", "nonlinear" },
        check = function(_, fields)
            if fields.cell and not has_nonlinearity(fields) then
                return "a cell \"" .. fields.cell .. "\" has its own functions; leave nonlinearity out"
            end
        end,
        doc = { "the function of a cell \"rnn\"" },
    },
    {
        name = "bias", type = "boolean", default = true, also = { "use_bias", "biases" },
        doc = { "false: the network has no bias_ih and bias_hh" },
    },
    {
        name = "batch_first", type = "boolean", default = false,
        also = { "batchfirst", "time_major" },
        doc = {
            "true: x and y are (batch, seq_len, size) instead of (seq_len, batch, size)",
            "h0 and hn are (layers*directions, batch, hidden_size) either way.",
        },
    },
    {
        name = "dropout", type = "number", least = 0, most = 1, default = 0.0,
        also = { "drop", "dropout_p", "p" },
        doc = {
            "the probability that training used between layers",
            "Kept in the plan. It has no effect: generated code computes what PyTorch does in eval mode.",
        },
    },
    {
        name = "bidirectional", type = "boolean", default = false,
        also = { "directions", "num_directions", "bidir", "D" },
        doc = { "true: a second set of weights runs backwards in time; y has both, forward first" },
    },
    {
        name = "direction", type = "choice", default = "forward", choices = { "forward", "reverse" },
        also = { "go_backwards", "reverse", "backward", "backwards" },
        advice = function(given)
            if tostring(given):lower():match("^bi") or given == "both" then return "write bidirectional = true" end
            return 'of a Keras layer with go_backwards it is "reverse"'
        end,
        check = function(value, fields)
            if value == "reverse" and fields.bidirectional then
                return "bidirectional = true has the reverse direction already; leave out one of them"
            end
        end,
        doc = {
            "\"reverse\": the steps are taken from the last one to the first, in all layers",
            "Step t of y is what came out on reading step t of x, as in ONNX; hn is the state after the",
            "first step. Tensors have the names of a forward layer.",
        },
    },
    {
        name = "reset_after", type = "boolean", default = true,
        also = { "linear_before_reset", "reset_before" },
        check = function(value, fields)
            if not value and fields.cell and fields.cell ~= "gru" then
                return 'only a cell "gru" has a reset gate; leave reset_after out'
            end
        end,
        doc = {
            "gru: false: the reset gate is applied to the state before its product, not to the product",
            "true is PyTorch's way; false is that of the paper, of ONNX with linear_before_reset = 0 and of",
            "Keras with reset_after = False. The candidate waits for the reset, so a step takes longer.",
        },
    },
    {
        name = "peepholes", type = "boolean", default = false,
        also = { "peephole", "use_peepholes" },
        check = function(value, fields)
            if value and fields.cell and fields.cell ~= "lstm" then
                return 'only a cell "lstm" has peepholes; leave them out'
            end
        end,
        doc = {
            "lstm: true: the gates see the cell state through a weight for each unit",
            "i and f that before the step, o the new one, as in ONNX and TensorFlow. Tensors weight_ci_l0,",
            "weight_cf_l0 and weight_co_l0 of hidden_size values, for each layer and direction.",
        },
    },
    {
        name = "proj_size", type = "integer", least = 0, most = 65535, default = 0,
        also = { "projection", "projection_size", "proj" },
        check = function(value, fields)
            if value > 0 and fields.cell and fields.cell ~= "lstm" then
                return 'only a cell "lstm" can have a projection; leave proj_size out'
            elseif value > 0 and fields.hidden_size and value >= fields.hidden_size then
                return "has to be less than hidden_size, which is " .. fields.hidden_size
            end
        end,
        doc = { "lstm: the values that h and y have after a projection; 0: none, they have hidden_size" },
    },
    {
        name = "initial_state", type = "boolean", default = false, also = { "init_state", "learned_state" },
        doc = {
            "true: the weights have the state before the first step, which is taken where a call gives none",
            "Tensors h0 (layers*directions, hidden_size or proj_size) and, for lstm, c0 (.., hidden_size).",
        },
    },
    {
        name = "layers", type = "layers", also = { "stack", "network", "modules" },
        doc = {
            "the layers, first to last: { embedding {...}, rnn {...}, dense {...} }",
            "An embedding can only be the first one.",
        },
    },
    {
        name = "weights", type = "text", optional = true,
        also = { "weight", "state_dict", "weights_file", "checkpoint", "params" },
        check = function(value) if value == "" then return "an empty name; leave weights out for none" end end,
        doc = {
            "a safetensors file with a PyTorch state_dict; relative to the spec",
            "Tensors weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..._reverse. Default: none,",
            "the program brings them.",
        },
    },
    {
        name = "prefix", type = "text", default = "", also = { "weights_prefix", "scope" },
        doc = { "what the names of the tensors begin with in that file, such as \"rec.\"" },
    },
    {
        id = "layer.prefix", name = "prefix", type = "text", default = "", also = { "weights_prefix", "scope", "name" },
        check = function(value) if #value > PREFIX_MAX then return "longer than " .. PREFIX_MAX .. " bytes" end end,
        doc = { "what the names of the layer's tensors begin with, behind the prefix of the model" },
    },
    {
        name = "map", type = "renames", optional = true, also = { "rename", "renames", "mapping" },
        doc = {
            "renames the tensors of that file: { { pattern, replacement }, ... } as in Lua's string.gsub",
            "Every pair is applied to every name, in order, and before prefixes are looked at.",
        },
    },
    {
        name = "batch", type = "size", least = 1, most = 65536, default = 1,
        also = { "batch_size", "B", "N", "batches" },
        doc = {
            "sequences in a call, or \"any\": then the call says",
            "Code for a fixed batch is faster and smaller.",
        },
    },
    {
        name = "seq_len", type = "size", least = 1, most = 16777216, default = "any",
        also = { "seq_length", "sequence_length", "time_steps", "steps", "length", "T" },
        doc = { "time steps in a call, or \"any\": then the call says" },
    },
    {
        name = "target", type = "choices", choices = target_names, default = "native",
        also = { "targets", "arch", "march", "isa", "cpu" },
        check = function(value)
            if #value > 1 then
                for _, name in ipairs(value) do
                    if name == "native" then
                        return "\"native\" stands for one of the others, and not beside them"
                    end
                end
            end
        end,
        doc = {
            "the CPU that the code is for, or a list { \"avx2\", \"avx512\" }: the best that runs is taken",
            "native is the best that this machine can run.",
        },
    },
    {
        name = "threads", type = "integer", least = 1, most = 64, default = 1,
        also = { "num_threads", "n_threads", "nthreads", "parallel", "cores", "workers", "team" },
        doc = {
            "threads that may run one call together: 2 or more also make NAME_forward_threads",
            "`rnnc plan` tells how the work is divided; results are those of NAME_forward bit for bit.",
        },
    },
    {
        name = "lengths", type = "boolean", default = false,
        also = { "packed", "variable_length", "variable_lengths", "pack_padded" },
        doc = {
            "true: also NAME_forward_lengths, for a batch of sequences of different lengths",
            "As PyTorch's packed sequences; time goes into the valid steps only.",
        },
    },
    {
        name = "deterministic", type = "boolean", default = false, also = { "reproducible", "bitwise" },
        doc = {
            "true: the same bits for a sequence whatever the batch and chunks of the call",
            "One generated network gives that anyway; this also makes networks that were generated for",
            "different batches agree. It costs speed at small batches.",
        },
    },
    {
        name = "chunk", type = "integer", least = 1, most = 4096, optional = true,
        also = { "chunk_size", "chunks", "chunk_length", "block_size", "frame_size", "buffer_size" },
        doc = {
            "time steps that a layer runs before the next one does; fewer take less workspace",
            "Default: what the caches hold, see `rnnc plan`. Results are the same bits.",
        },
    },
    {
        name = "streaming", type = "boolean", optional = true, also = { "stream", "step" },
        doc = {
            "true: NAME_step has to be there; false: leave it out",
            "Default: it is there if it can be: forward only, a fixed batch, no layer on the last step",
            "only.",
        },
    },
    {
        name = "residual", type = "channels", least = 1, most = 65536, default = false,
        also = { "skip", "skip_connection" },
        doc = {
            "true: x is added to y; both have to have the same size",
            "N: the first N values of x are added to the first N of y, as in an amplifier whose x has the",
            "positions of its knobs behind the audio: residual = 1.",
        },
    },
    {
        name = "activation", type = "choice", default = "exact", choices = { "exact", "fast" },
        also = { "activations", "accuracy" },
        advice = function(given)
            if given == "tanh" or given == "relu" then return 'write nonlinearity = "' .. given .. '"' end
            return "rnnc has no other way"
        end,
        doc = {
            "how tanh and sigmoid are computed",
            "exact: tanh at most 4 ulp off. fast: tanh at most 1.3e-6 and sigmoid 7e-7 off, which is",
            "counted over all floats; networks with H <= 64 gain most.",
        },
    },
}

local by_id = {}
for _, row in ipairs(rows) do by_id[row.id or row.name] = row end

-- The rows of a list of ids.
local function form(ids)
    local list = {}
    for id in ids:gmatch("%S+") do list[#list + 1] = assert(by_id[id], id) end
    return list
end

-- fields.rnn and fields.model: the forms of a network; fields.layer: those of a model's layers.
return {
    rnn = form "name cell input_size hidden_size num_layers nonlinearity bias batch_first dropout bidirectional \
        direction reset_after peepholes proj_size initial_state weights prefix map batch seq_len target threads \
        lengths chunk streaming deterministic residual activation",
    model = form "name layers weights prefix map batch_first batch seq_len target threads lengths chunk streaming \
        deterministic residual activation",
    layer = {
        rnn = form "cell layer.input_size hidden_size num_layers nonlinearity bias dropout bidirectional direction \
            reset_after peepholes proj_size initial_state layer.prefix",
        embedding = form "num_embeddings dim layer.prefix",
        dense = form "layer.input_size units dense.activation alpha dense.bias tied last_step last_state layer.prefix",
    },
}
