-- cell_fields: what a spec says of a recurrent cell and its layers, a row per field; see fields.lua.
local merges = require "tables.merges"
local cells = require "tables.cells"

local function cell_names()
    local list = {}
    for name, row in pairs(cells) do
        if type(row) == "table" then list[#list + 1] = name end
    end
    table.sort(list)
    return list
end

return {
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
        name = "num_layers", type = "integer", least = 1, most = 128, default = 1,
        also = { "layers", "n_layers", "nlayers", "L", "depth" },
        doc = { "layers on top of each other; each reads the output of the one below" },
    },
    {
        name = "layer_norm", type = "boolean", rare = true, default = false,
        also = { "layernorm", "layer_normalization", "layer_normalisation", "norm", "ln" },
        check = function(value, fields)
            local row = cells[fields.cell or "rnn"]
            if value and type(row) == "table" and not row.normalised then
                return 'only cells "gru" and "lstm" have it; leave it out'
            end
        end,
        doc = {
            "lstm, gru: true: layer normalisation, by Ba, Kiros and Hinton (2016)",
            "The sums with x and those with h are normalised, each by itself, and the cell state on its",
            "way out: all gates of an lstm together; of a gru r and z together, n alone. Tensors",
            "norm_weight_ih_l0, norm_bias_ih_l0, the same with hh, of all gates, and of an lstm with c,",
            "of hidden_size values.",
        },
    },
    {
        name = "layer_norm_eps", type = "number", least = 0, most = 1, rare = true, optional = true,
        also = { "norm_eps", "layernorm_eps" },
        default = function(fields) return fields.layer_norm and 1e-5 or nil end,
        check = function(_, fields)
            if not fields.layer_norm then return "it is for layer_norm = true; leave it out" end
        end,
        doc = { "what is added to the variances of layer_norm, default 1e-5, PyTorch's" },
    },
    {
        name = "layer_norm_state", type = "boolean", rare = true, default = false,
        also = { "norm_state" },
        check = function(value, fields)
            if value and not (fields.layer_norm and fields.cell == "lstm") then
                return 'it is for a cell "lstm" with layer_norm = true; leave it out'
            end
        end,
        doc = {
            "lstm with layer_norm: true: the next step reads the normalised cell state too",
            "As in the LayerNormLSTMCell of PyTorch's benchmarks; in the paper it reads the state",
            "as it was.",
        },
    },
    {
        name = "bias", type = "boolean", also = { "use_bias", "biases" },
        default = function(fields) return not fields.layer_norm end,
        check = function(value, fields)
            if value and fields.layer_norm then
                return "with layer_norm = true the norms have the biases; leave bias out"
            end
        end,
        doc = { "false: the network has no bias_ih and bias_hh, as with layer_norm = true" },
    },
    {
        name = "dropout", type = "number", least = 0, most = 1, default = 0.0,
        also = { "drop", "dropout_p", "p" },
        doc = {
            "the probability with which training drops a value between layers",
            "As in torch.nn.RNN, of what a layer hands on to the next one, and in training only: the code",
            "that runs the network computes what PyTorch does in eval mode.",
        },
    },
    {
        name = "bidirectional", type = "boolean", default = false,
        also = { "directions", "num_directions", "bidir", "D" },
        doc = { "true: a second set of weights runs backwards in time; y has both, forward first" },
    },
    {
        name = "merge", type = "choice", rare = true, default = "concat", choices = merges.names,
        also = { "merge_mode" }, instead = { average = 'write "ave"', mean = 'write "ave"', add = 'write "sum"' },
        check = function(value, fields)
            if value == "concat" then return end
            if not fields.bidirectional then return "there is one direction; leave merge out" end
            if (fields.num_layers or 1) > 1 then
                return "of several layers each reads both halves of the one below; write an rnn { ... } for each layer"
            end
        end,
        doc = {
            "what y has of both directions: \"concat\" both, or their \"sum\", product \"mul\" or mean \"ave\"",
            "Keras' merge_mode. hn has both directions whatever it is; last_state reads the ends, merged.",
        },
    },
    {
        name = "direction", type = "choice", rare = true, default = "forward", choices = { "forward", "reverse" },
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
        name = "reset_after", type = "boolean", rare = true, default = true,
        also = { "linear_before_reset", "reset_before" },
        check = function(value, fields)
            if not value and fields.layer_norm then
                return "layer_norm = true normalises the product; leave out one of them"
            end
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
        name = "peepholes", type = "boolean", rare = true, default = false,
        also = { "peephole", "use_peepholes" },
        check = function(value, fields)
            local row = cells[fields.cell or "rnn"]
            if value and fields.layer_norm then
                return "an lstm with layer_norm = true has none; leave out one of them"
            end
            if value and type(row) == "table" and not row.peephole then
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
            if value > 0 and fields.layer_norm then
                return "an lstm with layer_norm = true has none; leave out one of them"
            elseif value > 0 and fields.cell and fields.cell ~= "lstm" then
                return 'only a cell "lstm" can have a projection; leave proj_size out'
            elseif value > 0 and fields.hidden_size and value >= fields.hidden_size then
                return "has to be less than hidden_size, which is " .. fields.hidden_size
            end
        end,
        doc = { "lstm: the values that h and y have after a projection; 0: none, they have hidden_size" },
    },
    {
        name = "initial_state", type = "boolean", rare = true, default = false,
        also = { "init_state", "learned_state" },
        doc = {
            "true: the weights have the state before the first step, which is taken where a call gives none",
            "Tensors h0 (layers*directions, hidden_size or proj_size) and, for lstm, c0 (.., hidden_size).",
        },
    },
}
