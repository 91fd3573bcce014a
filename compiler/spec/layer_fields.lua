-- layer_fields: what a model says of an embedding or a dense layer, and of any layer, a row per field; see fields.lua.
local activations = require "tables.activations"
local bounds = require "spec.bounds"
local other_functions = require "spec.other_functions"

-- With the longest name of PyTorch, bias_hh_l127_reverse, this fits in rnnc_weight.name (rnnc.h).
local PREFIX_MAX <const> = 96

-- A layer's name is part of the name of a constant.
local NAME_MAX <const> = 40

local of_dense <const> = other_functions "; as the last function of all the program can apply it to y"

-- Those of a layer that is nothing else.
local function functions_alone() return activations.names("value", "row", "unit") end

-- The field with a number of the activation, "alpha" or "beta"; the order of two bounds is seen where the second of
-- them is given.
local function number(name, also, doc)
    return {
        name = name, type = "number", least = -1000, most = 1000, optional = true, also = also,
        default = function(fields) return activations.number(fields.activation, name) end,
        check = function(value, fields, given)
            if fields.activation and not activations.number(fields.activation, name) then
                return string.format('activation = "%s" has no %s; leave it out', fields.activation, name)
            end
            return bounds.check(fields.activation, name, value, fields.alpha, given.beta, "beta")
        end,
        doc = doc,
    }
end

local alone_instead = { linear = "leave the layer out", identity = "leave the layer out", none = "leave the layer out",
                                scale = "write scale { scale = true }", shift = "write scale { shift = true }" }
for other, remedy in pairs(of_dense) do alone_instead[other] = alone_instead[other] or remedy end

return {
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
        choices = function() return activations.names("none", "value", "row") end,
        also = { "nonlinearity", "act", "function" },
        instead = of_dense,
        doc = {
            "what follows the product",
            "softmax and log_softmax: over the outputs, in the last layer only. By PyTorch's formulas: gelu",
            "is the exact one, gelu_tanh its approximation; silu is also called swish.",
        },
    },
    {
        id = "activation.activation", name = "activation", type = "choice", choices = functions_alone,
        also = { "nonlinearity", "act", "function" }, instead = alone_instead,
        doc = {
            "the function of each value that the layer before gives",
            "softmax and log_softmax are over all of them, in the last layer only. prelu has a tensor",
            "`weight` with the slope below 0 for each of them.",
        },
    },
    {
        name = "scale", type = "factor", least = -1000000000, most = 1000000000, default = 1,
        also = { "gain", "factor", "multiplier", "std", "gamma" },
        doc = {
            "what each value is multiplied with: a number, or true: a tensor `scale`, one for each",
        },
    },
    {
        name = "shift", type = "factor", least = -1000000000, most = 1000000000, default = 0,
        also = { "offset", "bias", "mean", "beta" },
        doc = {
            "what is added behind that: a number, or true: a tensor `shift` with one for each value",
            "Of (x - mean) / std: scale is 1 / std, shift is -mean / std.",
        },
    },
    number("alpha", { "negative_slope", "slope", "a" }, {
        "the number in elu, leaky_relu, hard_sigmoid, hard_tanh and affine",
        "elu: -alpha is the limit far below 0, default 1. leaky_relu: the slope below 0, default 0.01.",
        "hard_sigmoid: the slope, default 1/6 as in PyTorch and Keras 3; 0.2 in Keras 2 and ONNX.",
        "hard_tanh: the least value, PyTorch's min_val, default -1.",
        "affine: what the value is multiplied with, default 1.",
    }),
    number("beta", { "offset", "b" }, {
        "the other number in hard_sigmoid, hard_tanh and affine",
        "hard_sigmoid: what is added, default 1/2, as everywhere; ONNX lets one choose.",
        "affine: what is added, default 0.",
        "hard_tanh: the most, PyTorch's max_val, default 1.",
    }),
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
        id = "layer.name", name = "name", type = "text", optional = true, also = { "id", "label" },
        check = function(value)
            if not value:find("^%a[%w_]*$") or #value > NAME_MAX then
                return "a name begins with a letter and has letters, digits and underscores, at most " .. NAME_MAX
            end
            if value == "x" then return "x is the model's input; take another" end
        end,
        doc = {
            "what `from` of other layers and `outputs` of the model call the layer",
            "Letters, digits and underscores. NAME.h has the place of an output in y by it.",
        },
    },
    {
        name = "from", type = "text", optional = true, also = { "input", "reads", "source", "inbound" },
        doc = {
            "the name of the layer that it reads, or \"x\"",
            "Default: the layer before. Layers follow each other, and behind the last of them several",
            "dense layers may read the same one, see outputs.",
        },
    },
    {
        id = "layer.prefix", name = "prefix", type = "text", default = "", also = { "weights_prefix", "scope" },
        check = function(value) if #value > PREFIX_MAX then return "longer than " .. PREFIX_MAX .. " bytes" end end,
        doc = { "what the names of the layer's tensors begin with, behind the prefix of the model" },
    },
}
