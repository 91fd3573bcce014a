-- model_rows: what NAME_model, see rnnc_model in rnnc.h, has lists of: weights, steps that pack them, layers; as texts
-- of C initialisers, a row each.
local host = require "host"
local merges = require "tables.merges"
local program = require "emit.program"

local model_rows = {}

local function flag(value) return value and 1 or 0 end

-- Words that begin with a line break stand on a line of their own.
local function row(...) return "{ " .. table.concat({ ... }, ", "):gsub(", \n", ",\n") .. " }" end

-- model_rows.weights(plan) -> rows of rnnc_weight.
function model_rows.weights(plan)
    local list = {}
    for i, w in ipairs(plan.weights) do list[i] = row(program.literal(w.name), w.rows, w.cols) end
    return list
end

-- model_rows.pack(plan) -> rows of rnnc_pack_step.
function model_rows.pack(plan)
    local list = {}
    for i, t in ipairs(plan.pack) do
        list[i] = row(t.tensor, t.plus or "RNNC_NONE", t.dst, t.units, t.cols, t.first_gate, t.gates, t.width, t.stride,
            t["repeat"], t.tensor_step, t.dst_step)
    end
    return list
end

local function numbers(of) return host.float(of.alpha), host.float(of.beta) end

-- alpha, beta, first and count of a layer.
local function places(layer)
    local alpha, beta = numbers(layer)
    return alpha, beta, layer.first or 0, layer.count or 0
end

local function function_row(constant, of) return row(constant, numbers(of)) end

-- That of a layer that is not recurrent.
local zeros <const> = { alpha = 0.0, beta = 0.0 }
local nothing = function_row("RNNC_IDENTITY", zeros)
local no_config = row("RNNC_RNN_TANH", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host.float(0.0), host.float(0.0), 0,
    "\n        " .. table.concat({ nothing, nothing, nothing }, ", "))

local function config_row(layer, batch_first)
    local s, functions = layer.sizes, {}
    for i, f in ipairs(layer.functions) do functions[i] = function_row(f.constant, f) end
    return row(layer.cell, s.I, s.H, s.L, flag(layer.bias), flag(batch_first), flag(s.D == 2), layer.proj_size or 0,
        flag(layer.reverse), flag(layer.reset_before), flag(layer.peepholes), flag(layer.initial_state),
        flag(layer.norm), flag(layer.norm and layer.norm.state), host.float(layer.norm and layer.norm.eps or 0.0),
        host.float(layer.clip), flag(layer.own_functions), "\n        " .. table.concat(functions, ", "))
end

-- By the kind of layer: the words of its row in front of rnnc_layer's config, which only a stack has, and behind it.
local kinds = {
    stack = function() return "RNNC_RECURRENT", { 0, 0, "RNNC_IDENTITY", 0, 0, 0, 0, 0, places(zeros) } end,
    embedding = function(layer)
        return "RNNC_EMBEDDING", { layer.inputs, layer.outputs, "RNNC_IDENTITY", 0, 0, 0, 0, 0, places(zeros) }
    end,
    activation = function(layer)
        return "RNNC_ACTIVATION",
            { layer.inputs, layer.outputs, layer.activation_constant, 0, 0, 0, 0, 0, places(layer) }
    end,
    merge = function(layer)
        return merges.of(layer.merge).constant, { layer.inputs, layer.outputs, "RNNC_IDENTITY", 0, 0,
            flag(layer.last_state), 0, 0, places(zeros) }
    end,
    dense = function(layer)
        return "RNNC_DENSE", { layer.inputs, layer.outputs, layer.activation_constant, flag(layer.bias),
            flag(layer.last_step), flag(layer.last_state), flag(layer.tied), layer.steps, places(layer) }
    end,
}

-- model_rows.layers(plan) -> rows of rnnc_layer.
function model_rows.layers(plan)
    local list = {}
    for i, layer in ipairs(plan.layers) do
        local constant, words = kinds[layer.kind](layer)
        local config = layer.kind == "stack" and config_row(layer, plan.batch_first) or no_config
        list[i] = row(constant, "\n      " .. config, "\n      " .. table.concat(words, ", "))
    end
    return list
end

return model_rows
