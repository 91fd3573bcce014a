-- training_fields: what a spec says of how its network is trained, a row per field; see fields.lua. Optimisers and
-- schedules are forms of their own: optimiser = adam { lr = 1e-3 }.
local constructors = require "spec.constructors"

-- A rate, or what is added to a divisor.
local function above_zero(value)
    if value <= 0 then return "it has to be above 0" end
end

local function below_one(value)
    if value >= 1 then return "it has to be below 1" end
end

local function inside_one(value)
    if value <= 0 or value >= 1 then return "it has to be above 0 and below 1" end
end

local function file_name(value)
    if value == "" then return "an empty name" end
end

return {
    {
        name = "loss", type = "choice", also = { "criterion", "loss_function", "objective" },
        choices = { "cross_entropy", "mse", "l1", "huber", "bce_with_logits", "esr" },
        doc = {
            "what is made small; PyTorch's formulas, and esr, the error to signal ratio of audio",
            "cross_entropy is of labels and of what comes before a softmax, or of log_softmax.",
        },
    },
    {
        name = "data", type = "text", check = file_name, also = { "dataset", "train_data", "train" },
        doc = {
            "a safetensors file or an .npz of NumPy to learn from; relative to the spec",
            "x (N, T, input_size) or tokens (N, T); y (N, T, outputs), of cross_entropy labels (N, T), and",
            "without the T where the last layer runs once a sequence; lengths (N) with lengths = true.",
            "Or a text, NAME.txt, of which each byte is to tell the next one, in `batch` parts side by side.",
        },
    },
    {
        name = "vocabulary", type = "bytes", optional = true, also = { "alphabet", "characters" },
        doc = { "of a text: its bytes in the order of their tokens; default: a byte is its own token" },
    },
    {
        name = "validation", type = "split", optional = true, also = { "validation_data", "val", "valid" },
        doc = {
            "a file like data, or the part of data, drawn from the seed, that is held out",
            "Its loss decides which epoch was the best one; default: that of the data.",
        },
    },
    {
        name = "test", type = "split", optional = true, also = { "test_data" },
        doc = { "the same, looked at once, at the end, with the best weights" },
    },
    {
        name = "class_weights", type = "class_weights", optional = true, also = { "weight", "class_weight" },
        doc = {
            "of cross_entropy: what a label of each class counts, as in PyTorch; default: 1",
            "The loss is the mean by these weights: { 1, 5 } makes up for a class that is five times as rare.",
        },
    },
    {
        name = "optimiser", type = "form", forms = constructors.that("value_of", "optimiser"), optional = true,
        also = { "optimizer", "optim" },
        doc = { "how a gradient becomes new weights; adam { } has PyTorch's defaults, and so have the others" },
    },
    {
        name = "schedule", type = "form", forms = constructors.that("value_of", "schedule"), optional = true,
        also = { "scheduler", "lr_scheduler" },
        doc = { "how the rate of the optimiser changes; default: not at all" },
    },
    {
        name = "warm_up", type = "integer", least = 0, most = 1000000000, default = 0, also = { "warmup" },
        doc = { "batches over which the rate rises in a straight line to what it is" },
    },
    {
        name = "epochs", type = "integer", least = 1, most = 1000000, default = 20,
        also = { "num_epochs", "max_epochs" },
        doc = { "how many times the data are gone through" },
    },
    {
        name = "batch", id = "training.batch", type = "integer", least = 1, most = 65536, default = 32,
        also = { "batch_size", "minibatch" },
        doc = { "sequences from which a gradient is made; the last ones of an epoch may be fewer" },
    },
    {
        name = "piece", type = "integer", least = 1, most = 16777216, optional = true,
        also = { "truncate", "bptt", "tbptt", "up_to" },
        doc = {
            "steps after which weights change; the state is carried on, and no gradient goes back further",
            "Default: a whole sequence. For networks that run forward in time.",
        },
    },
    {
        name = "clip", id = "training.clip", type = "number", least = 0, most = 1000000, optional = true,
        check = above_zero, also = { "clip_norm", "max_norm", "grad_clip" },
        doc = { "the largest norm of a gradient; a larger one is scaled down to it" },
    },
    {
        name = "patience", type = "integer", least = 1, most = 1000000, optional = true, also = { "early_stopping" },
        doc = { "end after so many epochs that were no better than the best one" },
    },
    {
        name = "seed", type = "integer", least = 0, most = 4294967295, default = 1,
        also = { "random_seed", "manual_seed" },
        doc = { "of the first weights, the order of the data and what is held out" },
    },
    {
        name = "lr", type = "number", least = 0, most = 1000, check = above_zero,
        default = function(_, context)
            return (context.form == "sgd" or context.form == "rmsprop") and 0.01 or 1e-3
        end,
        also = { "learning_rate", "rate" }, doc = { "the rate; default 0.001, of sgd and rmsprop 0.01" },
    },
    {
        name = "weight_decay", type = "number", least = 0, most = 1000,
        default = function(_, context) return context.form == "adamw" and 0.01 or 0 end,
        also = { "decay", "l2" },
        doc = { "how weights shrink; default 0, of adamw, where they do it by themselves, 0.01" },
    },
    {
        name = "momentum", type = "number", least = 0, most = 1, check = below_one, default = 0,
        doc = { "of the last change, how much is in the next one" },
    },
    {
        name = "nesterov", type = "boolean", default = false,
        check = function(value, result)
            if value and result.momentum == 0 then return "it needs a momentum" end
        end,
        doc = { "true: Nesterov's momentum" },
    },
    {
        name = "beta1", type = "number", least = 0, most = 1, check = below_one, default = 0.9,
        doc = { "of the mean of gradients, how much stays in a step" },
    },
    {
        name = "beta2", type = "number", least = 0, most = 1, check = below_one, default = 0.999,
        doc = { "the same of that of their squares" },
    },
    {
        name = "alpha", id = "rmsprop.alpha", type = "number", least = 0, most = 1, check = below_one, default = 0.99,
        doc = { "of the mean of squares, how much stays in a step" },
    },
    {
        name = "eps", type = "number", least = 0, most = 1000, check = above_zero, default = 1e-8,
        also = { "epsilon" }, doc = { "added to the root of the mean of squares" },
    },
    {
        name = "every", type = "integer", least = 1, most = 1000000, also = { "step_size", "period" },
        doc = { "epochs after which the rate is multiplied by factor" },
    },
    {
        name = "factor", type = "number", least = 0, most = 1, check = above_zero, default = 0.1,
        also = { "gamma" }, doc = { "what the rate is multiplied by" },
    },
    {
        name = "least", type = "number", least = 0, most = 1000, default = 0, also = { "eta_min", "min_lr" },
        doc = { "the rate does not become less" },
    },
    {
        name = "rise", type = "number", least = 0, most = 1, default = 0.3, check = inside_one, also = { "pct_start" },
        doc = { "the part of all batches over which the rate rises" },
    },
    {
        name = "start", type = "number", least = 1, most = 1000000, default = 25, also = { "div_factor" },
        doc = { "the first rate is lr divided by this" },
    },
    {
        name = "finish", type = "number", least = 1, most = 1000000000, default = 10000, also = { "final_div_factor" },
        doc = { "the last rate is the first one divided by this" },
    },
    {
        name = "patience", id = "plateau.patience", type = "integer", least = 1, most = 1000000, default = 10,
        doc = { "epochs without a better loss, after which the rate is multiplied by factor" },
    },
}
