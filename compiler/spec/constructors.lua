-- constructors: the functions of a spec that take a table of fields, a row each, in the order in which help tells them.
--
-- form      its name
-- network   true: a spec may return what it makes
-- layer     true: a layer of a model
-- value_of  the field whose value it makes
-- example   how it is called, for messages
--
-- Plain data, which the spec's own Lua state gets a copy of (sandbox.lua). fields.lua has the fields of each.
local constructors = {
    rows = {
        { form = "rnn", network = true, layer = true, example = "rnn { input_size = ..., hidden_size = ... }" },
        { form = "model", network = true, example = "model { layers = { ... } }" },
        { form = "embedding", layer = true, example = "embedding { num_embeddings = ..., dim = ... }" },
        { form = "dense", layer = true, example = "dense { units = ... }" },
        { form = "activation", layer = true, example = "activation { activation = \"relu\" }" },
        { form = "scale", layer = true, example = "scale { scale = 0.5, shift = -1 }" },
        { form = "flatten", layer = true, example = "flatten { }" },
        { form = "training", value_of = "training", example = "training { loss = \"mse\", data = \"data.npz\" }" },
        { form = "sgd", value_of = "optimiser", example = "sgd { lr = 0.01 }" },
        { form = "adam", value_of = "optimiser", example = "adam { lr = 0.001 }" },
        { form = "adamw", value_of = "optimiser", example = "adamw { lr = 0.001 }" },
        { form = "rmsprop", value_of = "optimiser", example = "rmsprop { lr = 0.01 }" },
        { form = "step", value_of = "schedule", example = "step { every = 10 }" },
        { form = "cosine", value_of = "schedule", example = "cosine { }" },
        { form = "one_cycle", value_of = "schedule", example = "one_cycle { }" },
        { form = "plateau", value_of = "schedule", example = "plateau { }" },
    },
}

-- constructors.that(key, value) -> the forms whose rows have that, in order.
function constructors.that(key, value)
    local list = {}
    for _, row in ipairs(constructors.rows) do
        if row[key] == value then list[#list + 1] = row.form end
    end
    return list
end

return constructors
