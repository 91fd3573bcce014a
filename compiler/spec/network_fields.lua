-- network_fields: what a spec says of a network as a whole, its weights and its calls, a row per field; see fields.lua.
local targets = require "tables.targets"
local names = require "base.names"

local function target_names() return table.move(targets.order, 1, #targets.order, 2, { "native" }) end

return {
    {
        name = "name", type = "text", also = { "prefix_c", "model_name", "id" },
        default = function(_, context) return names.from_file(context.file) end,
        check = function(value) return names.invalid(value) end,
        doc = {
            "what everything generated begins with: NAME.h, NAME_forward, ...",
            "A C identifier of at most " .. names.MAX .. " characters. Default: the name of the file.",
        },
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
        name = "layers", type = "layers", also = { "stack", "network", "modules" },
        doc = {
            "the layers, first to last: { embedding {...}, rnn {...}, dense {...} }",
            "An embedding can only be the first one.",
        },
    },
    {
        name = "outputs", type = "names", most = 64, optional = true, also = { "heads", "output", "output_layers" },
        doc = {
            "the names of the layers whose values y has, side by side; default: the last layer",
            "All read one layer: dense layers with one function, or chains of as many of them. NAME.h has",
            "NAME_HEAD_LAYER_OFFSET and NAME_HEAD_LAYER_SIZE, where they stand in y.",
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
        name = "prefix", type = "text", rare = true, default = "", also = { "weights_prefix", "scope" },
        doc = { "what the names of the tensors begin with in that file, such as \"rec.\"" },
    },
    {
        name = "map", type = "renames", rare = true, optional = true, also = { "rename", "renames", "mapping" },
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
        name = "target", type = "choices", choices = target_names, default = targets.everywhere,
        also = { "targets", "arch", "march", "isa", "cpu" },
        check = function(value)
            local anywhere
            for _, name in ipairs(#value > 1 and value or {}) do
                if name == "native" then
                    return "\"native\" stands for one of the others, and not beside them"
                end
                if #targets[name].needs == 0 then
                    if anywhere then
                        return string.format("\"%s\" and \"%s\" both run on every machine; name one of them",
                            anywhere, name)
                    end
                    anywhere = name
                end
            end
        end,
        doc = {
            "the CPU that the code is for, or a list, of which the best that runs is taken",
            "\"native\" is the best that this machine can run, and may not run on others.",
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
        name = "deterministic", type = "boolean", rare = true, default = false, also = { "reproducible", "bitwise" },
        doc = {
            "true: the same bits for a sequence whatever the batch and chunks of the call",
            "Without it a call gives the same bits in pieces and in steps, but another number of sequences",
            "may have another kernel, which adds up in another order. It costs speed at small batches.",
        },
    },
    {
        name = "train", type = "boolean", default = false, also = { "gradients", "trainable" },
        doc = {
            "true: also NAME_train.h and NAME_train.c, with which a program trains the network",
            "As `rnnc compile --train` does. The code that runs the network is the same.",
        },
    },
    {
        name = "training", type = "form", forms = { "training" }, optional = true, also = { "fit", "trainer" },
        doc = {
            "how `rnnc train` trains the network: training { loss = \"mse\", data = \"data.npz\", ... }",
            "`rnnc help training` has its fields; other commands only check it.",
        },
    },
    {
        name = "chunk", type = "integer", rare = true, least = 1, most = 4096, optional = true,
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
