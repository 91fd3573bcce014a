-- functions: the attributes activations, activation_alpha, activation_beta and clip of RNN, LSTM and GRU, as fields of
-- a spec.
local activations = require "tables.activations"
local roles = require "tables.roles"

local functions = {}

-- By ONNX's name in small letters: rnnc's; alpha and beta: the operator's defaults, of those that have one; only: the
-- alpha and beta that rnnc's function is for, where it has no number for them.
local known <const> = {
    relu = { "relu" }, tanh = { "tanh" }, sigmoid = { "sigmoid" }, softsign = { "softsign" },
    softplus = { "softplus" }, elu = { "elu", alpha = 1 }, leakyrelu = { "leaky_relu", alpha = 0.01 },
    hardsigmoid = { "hard_sigmoid", alpha = 0.2, beta = 0.5 }, affine = { "affine", alpha = 1, beta = 0 },
    scaledtanh = { "tanh", alpha = 1, beta = 1, only = { alpha = 1, beta = 1 } },
}

-- A float32 as the shortest decimal that is it: 0.2, not 0.20000000298.
local function short(value)
    local function single(x) return (string.unpack("<f", string.pack("<f", x))) end
    for digits = 1, 9 do
        local near = tonumber(string.format("%." .. digits .. "g", value))
        if single(near) == single(value) then return near end
    end
    return value
end

-- What a list of alphas or betas (`what`) has for each of the rows: one for each that takes one, in order, as ONNX
-- Runtime reads it, or one for each function, as others write it; the defaults without a list.
local function numbers_of(node, what, rows)
    local given, takers = node:attribute("activation_" .. what, "floats", {}), 0
    for _, row in ipairs(rows) do takers = takers + (row[what] and 1 or 0) end
    node:check(#given == 0 or #given == takers or #given == #rows,
        "has %d values of activation_%s for %d functions, of which %d take one", #given, what, #rows, takers)
    local list, next = {}, 1
    for i, row in ipairs(rows) do
        if row[what] then
            list[i] = given[#given == takers and next or i]
            list[i] = list[i] and short(list[i]) or row[what]
            next = next + 1
        end
    end
    return list
end

-- The number that rnnc's function has; one that it has not ends the reading.
local function check_number(node, name, row, what, value)
    local wanted = (row.only or {})[what]
    node:check(not wanted or value == wanted, "has the activation %s with %s %g; rnnc has it with %g", name, what,
        value or 0, wanted or 0)
end

-- functions.put(node, wanted, directions, fields): adds to the fields of an rnn what differs from PyTorch's. wanted: f,
-- g and h of the cell, each { role, default }. An error of the node: what rnnc has not.
function functions.put(node, wanted, directions, fields)
    local count, given = #wanted, node:attribute("activations", "strings", {})
    node:check(#given == 0 or #given == count * directions, "has %d activations instead of %d", #given,
        count * directions)
    local rows, names = {}, {}
    for i = 1, count * directions do
        names[i] = given[i] or wanted[(i - 1) % count + 1][2]
        rows[i] = node:check(known[names[i]:lower()], "has the activation %s, which rnnc has not", names[i])
    end
    local alphas, betas = numbers_of(node, "alpha", rows), numbers_of(node, "beta", rows)
    for i, row in ipairs(rows) do
        check_number(node, names[i], row, "alpha", alphas[i])
        check_number(node, names[i], row, "beta", betas[i])
        local first = (i - 1) % count + 1
        node:check(row == rows[first] and alphas[i] == alphas[first] and betas[i] == betas[first],
            "has other activations in its second direction, which rnnc has not")
    end
    for i = 1, count do
        local role, default = wanted[i][1], wanted[i][2]
        if rows[i][1] ~= default then
            fields[role] = rows[i][1]
            for what, list in pairs { alpha = alphas, beta = betas } do
                local same = activations.number(rows[i][1], what) == list[i]
                if not (rows[i].only or {})[what] and not same then fields[roles[role][what]] = list[i] end
            end
        end
    end
    local clip = node:attribute("clip", "f")
    -- 0 is no clip to ONNX Runtime, whose default it is.
    node:check(not clip or clip >= 0 and clip <= 1000000, "has a clip of %g", clip or 0)
    if clip and clip > 0 then fields.clip = short(clip) end
end

return functions
