-- function_fields: the functions of a recurrent cell, a row per field; see fields.lua.
local activations = require "tables.activations"
local bounds = require "spec.bounds"
local cells = require "tables.cells"
local other_functions = require "spec.other_functions"
local roles = require "tables.roles"

-- Functions of one value; softmax is none.
local function of_values() return activations.names("none", "value") end

-- The functions of a cell by its name, or of a name that is none: {}.
local function functions_of(cell)
    local row = cells[cell]
    return row and (row.functions or row.variants and row.variants.tanh.functions) or {}
end

-- Which cells have a function in that role, as words: 'cell "lstm"', 'cells "gru" and "lstm"'.
local function owners(role)
    local list = {}
    for name in pairs(cells) do
        if type(cells[name]) == "table" and functions_of(name)[role] then list[#list + 1] = '"' .. name .. '"' end
    end
    table.sort(list)
    return #list == 1 and "a cell " .. list[1] .. " has" or "cells " .. table.concat(list, " and ") .. " have"
end

-- The field of a role, which is left out for the function that the cell has in PyTorch.
local function of_role(role, also, doc)
    return {
        name = role, type = "choice", choices = of_values, optional = true, rare = true, also = also,
        instead = other_functions "",
        check = function(_, fields)
            if fields.cell and not functions_of(fields.cell)[role] then
                return string.format("only %s a function of %s; leave %s out", owners(role), roles[role].of, role)
            end
        end,
        doc = doc,
    }
end

-- The field with the alpha or beta (`what`) of a role's function.
local function number_of(role, what, id)
    local of = { alpha = "the number in elu, leaky_relu, hard_sigmoid, hard_tanh or affine as ",
                 beta = "the other number in hard_sigmoid, hard_tanh or affine as " }
    local alpha, beta = roles[role].alpha, roles[role].beta
    return {
        id = id, name = roles[role][what], type = "number", least = -1000, most = 1000, optional = true,
        rare = true, default = function(fields) return activations.number(fields[role], what) end,
        check = function(value, fields, given)
            if fields[role] and activations.number(fields[role], what) then
                return bounds.check(fields[role], what, value, fields[alpha], given[beta], beta)
            end
            return fields[role] and string.format('%s = "%s" has no %s; leave it out', role, fields[role], what)
                or "it is a number in " .. role .. ", which is not given; leave it out"
        end,
        doc = { of[what] .. role },
    }
end

local nonlinearity = of_role("nonlinearity", { "activation_function", "act", "nonlinear" }, {
    "the function of a cell \"rnn\"",
    "tanh and relu are PyTorch's; any function of values that a dense layer may have can be one.",
})
nonlinearity.rare = false
nonlinearity.default = function(fields) return functions_of(fields.cell).nonlinearity end
nonlinearity.check = function(_, fields)
    if fields.cell and not functions_of(fields.cell).nonlinearity then
        return "a cell \"" .. fields.cell .. "\" has its own functions; leave nonlinearity out"
    end
end

return {
    nonlinearity,
    number_of("nonlinearity", "alpha", "rnn.alpha"),
    number_of("nonlinearity", "beta", "rnn.beta"),
    of_role("gate_activation", { "recurrent_activation", "inner_activation", "gate_function" }, {
        "lstm, gru: the function of the gates, default \"sigmoid\"",
        "Keras' recurrent_activation, ONNX's f: any function of values that a dense layer may have.",
    }),
    number_of("gate_activation", "alpha"),
    number_of("gate_activation", "beta"),
    of_role("candidate_activation", { "cell_activation", "candidate_function" }, {
        "lstm, gru: the function of the candidate (lstm: g, gru: n), default \"tanh\"",
        "Keras' activation, ONNX's g.",
    }),
    number_of("candidate_activation", "alpha"),
    number_of("candidate_activation", "beta"),
    of_role("output_activation", { "hidden_activation", "state_activation" }, {
        "lstm: the function of the cell state on its way out, default \"tanh\"",
        "Keras' activation again, ONNX's h.",
    }),
    number_of("output_activation", "alpha"),
    number_of("output_activation", "beta"),
    {
        name = "clip", type = "number", least = 0, most = 1000000, optional = true, rare = true,
        also = { "cell_clip", "clip_value", "clip_threshold" },
        check = function(value) if value == 0 then return "everything would be 0; leave clip out for none" end end,
        doc = {
            "the sums of gates and candidates are bounded to -clip .. clip before their functions",
            "ONNX's clip, as ONNX Runtime has it; the cell state itself is not bounded.",
            "Default: they are not bounded.",
        },
    },
}
