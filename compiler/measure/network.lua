-- network: a validated spec as the network of rnnc.h, for host functions that run one.
local cells = require "tables.cells"
local merges = require "tables.merges"
local specs = require "spec.spec"

local network = {}

-- The function in the first of these roles that the cell has.
local function function_of(functions, ...)
    for _, role in ipairs { ... } do
        local found = functions[role]
        if found then return { activation = found[1], alpha = found[2] or 0.0, beta = found[3] or 0.0 } end
    end
    return { activation = "none", alpha = 0.0, beta = 0.0 }
end

local of_layer = {
    rnn = function(item)
        local functions = cells.functions(item)
        return {
            kind = "recurrent", cell = cells.of(item).constant:gsub("^RNNC_", ""):lower(),
            input_size = item.input_size, hidden_size = item.hidden_size, num_layers = item.num_layers,
            bias = item.bias, bidirectional = item.bidirectional, proj_size = item.proj_size or 0,
            reverse = item.direction == "reverse", reset_before = item.reset_after == false,
            peepholes = item.peepholes or false,
            layer_norm = item.layer_norm or false, norm_state = item.layer_norm_state or false,
            norm_eps = item.layer_norm_eps or 0.0,
            initial_state = item.initial_state, clip = item.clip or 0.0, own_functions = cells.has_own_functions(item),
            gate = function_of(functions, "gate_activation"),
            candidate = function_of(functions, "candidate_activation", "nonlinearity"),
            output = function_of(functions, "output_activation"),
        }
    end,
    embedding = function(item) return { kind = "embedding", inputs = item.num_embeddings, outputs = item.dim } end,
    activation = function(item)
        return { kind = "activation", inputs = item.input_size, outputs = item.input_size,
                 activation = item.activation, alpha = item.alpha or 0.0, beta = item.beta or 0.0,
                 first = 0, count = 0 }
    end,
    merge = function(item)
        return { kind = merges.of(item.merge).kind, inputs = item.input_size, outputs = item.units,
                 last_state = item.last_state or false }
    end,
    dense = function(item)
        return { kind = "dense", inputs = item.input_size, outputs = item.units, activation = item.activation,
                 alpha = item.alpha or 0.0, beta = item.beta or 0.0,
                 bias = item.bias, tied = item.tied or false, last_step = item.last_step or false,
                 last_state = item.last_state or false, steps = item.steps or 0 }
    end,
}

-- network.of(spec) -> { batch_first, residual, layers }, as compiler/host/network.h describes it.
function network.of(spec)
    local layers = {}
    for i, item in ipairs(spec.layers or { spec }) do layers[i] = of_layer[item.layer or "rnn"](item) end
    local top = spec.layers and spec.layers[#spec.layers]
    for _, part in ipairs(top and top.by_head or {}) do
        if part.activation ~= "none" then
            layers[#layers + 1] = { kind = "activation", inputs = top.units, outputs = top.units,
                                    activation = part.activation, alpha = part.alpha or 0.0, beta = part.beta or 0.0,
                                    first = part.first, count = part.width }
        end
    end
    return { batch_first = spec.batch_first, residual = spec.residual or 0, layers = layers }
end

-- network.states(spec) -> which states it carries, of { "h", "c" }.
function network.states(spec)
    local has, list = {}, {}
    for _, item in ipairs(spec.layers or { spec }) do
        for _, state in ipairs((item.layer or "rnn") == "rnn" and cells.of(item).states or {}) do
            has[state] = true
        end
    end
    for _, state in ipairs { "h", "c" } do
        if has[state] then list[#list + 1] = state end
    end
    return list
end

-- network.carries(spec) -> may a sequence come in pieces, each of which starts from the states of the one before?
function network.carries(spec)
    local streams, why = specs.can_stream(spec)
    -- A batch of any size and what is given once a sequence are no obstacles: it is the last piece that counts.
    return streams or why == "batch" or why == "last_step" or why == "last_state"
end

local work_of = {
    rnn = function(item)
        local d, h, p = item.bidirectional and 2 or 1, item.hidden_size, item.proj_size or 0
        local state = p > 0 and p or h
        return d * (#cells.of(item).gates * h * (item.input_size + state + (item.num_layers - 1) * (d + 1) * state)
            + item.num_layers * p * h)
    end,
    embedding = function() return 0 end,
    activation = function() return 0 end,
    merge = function() return 0 end,
    dense = function(item) return item.input_size * item.units end,
}

-- network.work(spec) -> multiply-adds of a time step of one sequence.
function network.work(spec)
    local total = 0
    for _, item in ipairs(spec.layers or { spec }) do total = total + work_of[item.layer or "rnn"](item) end
    return total
end

return network
