-- activations: what a dense layer may have behind its product, a row each, in the order of rnnc_activation (rnnc.h).
--
-- name       in a spec
-- constant   in rnnc.h
-- alpha      of a function with a second argument, the `alpha` of a spec: its default
-- beta       of one with a third argument, the `beta` of a spec: its default
-- bounds     true: alpha and beta are the least and the most value, which are not in the other order
-- of         "none": nothing is done; "value": the function of this name (functions.lua) of each value;
--            "row": of all outputs of a step together; "unit": of each value and weights of its unit
-- vectors    "unit" only: the names of tensors with a weight for each unit
-- formula    "unit" only: (value) -> the expression of it and of { "weight", NAME }
-- form       the form of a spec that stands for it: it has no name there
-- logarithm  true: its C calls logf, also in code that has vectors of the rest
-- probable   true: its outputs are probabilities, of which losses of scores would make some once more
-- vector     "row" only: what its template is built from, as in functions.lua, and `whole`, operations that it needs
--            where the outputs fill a vector
local of_exponentials = { needs = { "sub", "mul", "at_most", "scale" }, whole = { "add", "at_least" },
                          helpers = { "exp" } }

local activations = {
    { name = "none", constant = "RNNC_IDENTITY", of = "none" },
    { name = "tanh", constant = "RNNC_TANH", of = "value" },
    { name = "relu", constant = "RNNC_RELU", of = "value" },
    { name = "sigmoid", constant = "RNNC_SIGMOID", of = "value" },
    { name = "softmax", constant = "RNNC_SOFTMAX", of = "row", probable = true, vector = of_exponentials },
    { name = "log_softmax", constant = "RNNC_LOG_SOFTMAX", of = "row", logarithm = true, vector = of_exponentials },
    { name = "elu", constant = "RNNC_ELU", of = "value", alpha = 1.0 },
    { name = "leaky_relu", constant = "RNNC_LEAKY_RELU", of = "value", alpha = 0.01 },
    { name = "softplus", constant = "RNNC_SOFTPLUS", of = "value" },
    { name = "gelu", constant = "RNNC_GELU", of = "value" },
    { name = "gelu_tanh", constant = "RNNC_GELU_TANH", of = "value" },
    { name = "silu", constant = "RNNC_SILU", of = "value" },
    { name = "hard_sigmoid", constant = "RNNC_HARD_SIGMOID", of = "value", alpha = 1 / 6, beta = 0.5 },
    { name = "hard_tanh", constant = "RNNC_HARD_TANH", of = "value", alpha = -1.0, beta = 1.0, bounds = true },
    { name = "softsign", constant = "RNNC_SOFTSIGN", of = "value" },
    { name = "selu", constant = "RNNC_SELU", of = "value" },
    { name = "relu6", constant = "RNNC_RELU6", of = "value" },
    { name = "hard_swish", constant = "RNNC_HARD_SWISH", of = "value" },
    { name = "mish", constant = "RNNC_MISH", of = "value" },
    { name = "affine", constant = "RNNC_AFFINE", of = "value", alpha = 1.0, beta = 0.0 },
    { name = "prelu", constant = "RNNC_PRELU", of = "unit", vectors = { "weight" },
      formula = function(value) return { "leaky_relu", value, { "weight", "weight" } } end },
    { name = "scale", constant = "RNNC_SCALE", of = "unit", vectors = { "scale" }, form = "scale",
      formula = function(value) return { "mul", value, { "weight", "scale" } } end },
    { name = "shift", constant = "RNNC_SHIFT", of = "unit", vectors = { "shift" }, form = "scale",
      formula = function(value) return { "add", value, { "weight", "shift" } } end },
}

-- activations.names(...) -> the names in a spec of those of these kinds (`of`), in order.
function activations.names(...)
    local wanted, list = {}, {}
    for _, kind in ipairs { ... } do wanted[kind] = true end
    for _, row in ipairs(activations) do
        if wanted[row.of] and not row.form then list[#list + 1] = row.name end
    end
    return list
end

-- activations.number(name, what) -> the "alpha" or "beta" of that one without another; nil: it has none, or there is
-- no such activation.
function activations.number(name, what)
    for _, row in ipairs(activations) do
        if row.name == name then return row[what] end
    end
end

-- activations.out_of_order(name, alpha, beta) -> true where these are the bounds of that activation, and alpha is not
-- below beta; nil of a number: the activation's own.
function activations.out_of_order(name, alpha, beta)
    for _, row in ipairs(activations) do
        if row.name == name and row.bounds then
            local below = (alpha or row.alpha) < (beta or row.beta)
            return not below -- NaN is not below either
        end
    end
    return false
end

-- activations.text_of_layer(layer) -> the same of a layer of the plan, and of which of its values.
function activations.text_of_layer(layer)
    local text = activations.text(layer.activation, layer.alpha, layer.beta)
    if not layer.count then return text end
    return string.format(layer.count > 1 and "%s of y[%d..%d]" or "%s of y[%d]", text, layer.first,
        layer.first + layer.count - 1)
end

-- activations.text(name, alpha, beta) -> what a person reads: "tanh", "elu of 1", "hard_sigmoid of 0.2 and 0.5".
function activations.text(name, alpha, beta)
    local text = activations.number(name, "alpha") and string.format("%s of %.6g", name, alpha) or name
    return activations.number(name, "beta") and string.format("%s and %.6g", text, beta) or text
end

-- activations.tree(name, value, alpha, beta) -> the expression of an activation of single values or of units, of the
-- expression `value`; nil of a number: the activation's own. Errors: no such activation, or one of whole rows.
function activations.tree(name, value, alpha, beta)
    local row = activations.of(name)
    if row.of == "none" then return value end
    if row.of == "unit" then return row.formula(value) end
    assert(row.of == "value", name)
    return { name, value, row.alpha and (alpha or row.alpha), row.beta and (beta or row.beta) }
end

-- activations.is(name, field, value) -> is it the name of an activation whose row has that value in that field? false
-- of nil and of what else is called an activation in a spec, such as "exact" of a network.
function activations.is(name, field, value)
    for _, row in ipairs(activations) do
        if row.name == name then return row[field] == value end
    end
    return false
end

-- activations.of(name) -> its row. Errors: no such activation.
function activations.of(name)
    for _, row in ipairs(activations) do
        if row.name == name then return row end
    end
    error("no activation " .. tostring(name), 0)
end

return activations
