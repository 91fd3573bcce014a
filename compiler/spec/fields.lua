-- fields: what a spec may say, a row per field, and which of them each form of a network or layer has.
--
-- name      as in torch.nn.RNN, where it has a parameter for that
-- type      how the value is read, see readers.lua
-- default   a value, or a function of (the validated fields so far, context); neither: the field has
--           to be given, unless it is `optional`
-- least, most   of numbers
-- choices   of names: a list, or a function that gives it
-- also      what people call it who come from elsewhere
-- check     a function (value, fields so far, the fields as they are given) -> nil, or what is wrong and what to do
-- advice    a function (what was given instead of a value that is allowed) -> nil, or what to do
-- instead   of names that other tools have: what to do, for each
-- rare      true: few networks have it; the text that `rnnc init` writes only names it
-- doc       for `rnnc help spec`: lines, the first of them a summary
-- id        where several rows have one name: what forms call this one
--
-- Rows are in cell_fields.lua, function_fields.lua, layer_fields.lua, network_fields.lua and training_fields.lua. Those
-- of a form are validated in its order, and a row may use the fields of earlier ones.
local constructors = require "spec.constructors"

local by_id = {}
for _, rows in ipairs { require "spec.cell_fields", require "spec.function_fields", require "spec.layer_fields",
                        require "spec.network_fields", require "spec.training_fields" } do
    for _, row in ipairs(rows) do by_id[row.id or row.name] = row end
end

-- The rows of a list of ids.
local function form(ids)
    local list = {}
    for id in ids:gmatch("%S+") do list[#list + 1] = assert(by_id[id], id) end
    return list
end

local functions <const> = "nonlinearity rnn.alpha rnn.beta gate_activation gate_alpha gate_beta \
    candidate_activation candidate_alpha candidate_beta output_activation output_alpha output_beta clip"

-- fields.rnn and fields.model: the forms of a network; fields.layer: those of a model's layers; fields.training, and
-- fields.part: those of what it consists of.
local fields = {
    rnn = form("name cell input_size hidden_size num_layers " .. functions .. " layer_norm layer_norm_eps \
        layer_norm_state bias batch_first dropout bidirectional \
        merge direction reset_after peepholes proj_size initial_state weights prefix map batch seq_len target threads \
        lengths chunk streaming deterministic residual activation train training"),
    model = form("name layers outputs weights prefix map batch_first batch seq_len target threads lengths chunk \
        streaming deterministic residual activation train training"),
    layer = {
        rnn = form("cell layer.input_size hidden_size num_layers " .. functions .. " layer_norm layer_norm_eps \
            layer_norm_state bias dropout bidirectional merge \
            direction reset_after peepholes proj_size initial_state layer.name from layer.prefix"),
        embedding = form "num_embeddings dim layer.name layer.prefix",
        activation = form "layer.input_size activation.activation alpha beta layer.name from layer.prefix",
        scale = form "layer.input_size scale shift layer.name from layer.prefix",
        flatten = form "layer.name from",
        dense = form("layer.input_size units dense.activation alpha beta dense.bias tied last_step last_state \
            layer.name from layer.prefix"),
    },
    training = form "loss class_weights data vocabulary validation test optimiser schedule warm_up epochs \
        training.batch piece training.clip patience seed",
    part = {
        sgd = form "lr momentum nesterov weight_decay",
        adam = form "lr beta1 beta2 eps weight_decay",
        adamw = form "lr beta1 beta2 eps weight_decay",
        rmsprop = form "lr rmsprop.alpha eps momentum weight_decay",
        step = form "every factor",
        cosine = form "least",
        one_cycle = form "rise start finish",
        plateau = form "factor plateau.patience least",
    },
}

-- A constructor without fields, or fields of none, is a mistake of ours.
for _, row in ipairs(constructors.rows) do
    assert(not row.network or fields[row.form], row.form)
    assert(not row.layer == not fields.layer[row.form], row.form)
    assert(not row.value_of or fields.part[row.form] or row.value_of == "training", row.form)
end

return fields
