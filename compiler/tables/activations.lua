-- activations: what a dense layer may have behind its product, a row each, in the order of rnnc_activation (rnnc.h).
--
-- name       in a spec
-- constant   in rnnc.h
-- of         "none": nothing is done; "value": the function of this name (functions.lua) of each value;
--            "row": of all outputs of a step together
local activations = {
    { name = "none", constant = "RNNC_IDENTITY", of = "none" },
    { name = "tanh", constant = "RNNC_TANH", of = "value" },
    { name = "relu", constant = "RNNC_RELU", of = "value" },
    { name = "sigmoid", constant = "RNNC_SIGMOID", of = "value" },
    { name = "softmax", constant = "RNNC_SOFTMAX", of = "row" },
    { name = "log_softmax", constant = "RNNC_LOG_SOFTMAX", of = "row" },
}

-- activations.names() -> all names, in order.
function activations.names()
    local list = {}
    for i, row in ipairs(activations) do list[i] = row.name end
    return list
end

-- activations.of(name) -> its row. Errors: no such activation.
function activations.of(name)
    for _, row in ipairs(activations) do
        if row.name == name then return row end
    end
    error("no activation " .. tostring(name), 0)
end

return activations
