-- cells: the recurrent cells, a row each.
--
-- gates        names of the gates in PyTorch's order of weight rows
-- separate     gates whose input part and recurrent part the update uses each on its own
-- states       what a unit carries from step to step; the first one is the output
-- update       in order, { NAME, TREE }: the new value of a state, as an expression tree over
--                { "gate", G }       W_ih x + b_ih + W_hh h + b_hh of gate G
--                { "input", G }      W_ih x + b_ih of a separate gate
--                { "recurrent", G }  W_hh h + b_hh of a separate gate
--                { "state", S }      the state before the step
--                { "new", S }        the state after the step, when it stands above
--                { "weight", V }     the unit's value of the tensor V
--                { "normed", S }     { "new", S } normalised over all units, of a cell with norms
--                { FUNCTION, TREE, ... }  a row of functions.lua, or a role (roles.lua)
-- functions    by role, which is a field of a spec, the function (activations.lua) that it is where a spec says nothing
-- vectors      names of tensors with a value for each unit, or nil
-- tiny         by state, what it becomes 0 with: a tree whose value is below flush_below when the new state is. The
--              sums are known before their functions are, so nobody waits for the comparison. A gate that
--              is not among them is named by `or_nan`, so that its NaN is not lost. Without this field,
--              and with other functions, of which a small sum need not be small: each new state by itself.
-- reset        { gates, of, value }: the recurrent product of the gates `of` takes not h but `value`, which is made of
--              `gates` and the state. Among all gates these come first, and those of `of` last
-- norms        names of the weights and biases of its norms, of all gates, or of the cell state: `norm_..._c`; or nil
-- constant     the name of the cell in rnnc.h
-- variants     rows by the spec's `nonlinearity`, instead of the fields above; of another function: that of tanh
--
-- Formulas: torch.nn.RNN, LSTM (Gers, Schmidhuber, Cummins 2000), GRU (Cho et al. 2014, with the reset
-- gate after the product, as cuDNN and PyTorch have it, or, as the paper has it, before).
local activations = require "tables.activations"
local roles = require "tables.roles"

local cells = {}

-- States below this become 0: those that decay would end in subnormal numbers (below 2^-126), with which a step takes
-- 20 to 100 times as long. As C; 1.9e-34. It stands 2^14 above the subnormal numbers, so that the products of larger
-- states with weights are none of these unless a weight is below 2^-14. Higher, it would stop more of the states that
-- grow where nothing else feeds them; lower, states that stay just above it would be slow: on a Xeon of 2019, weights
-- up to 0.011, 20 units, a step takes 1.2 to 4.9 times as long with states at twice 2^-112, 8 to 29 times at twice
-- 2^-116, and as long as ever at twice 1e-30.
cells.flush_below = "0x1p-112f"

local function gate(name) return { "gate", name } end

local function opened(sum) return { "gate_activation", sum } end

local function candidate(sum) return { "candidate_activation", sum } end

local function shown(state) return { "output_activation", state } end

cells.rnn = { variants = {} }

for _, name in ipairs { "tanh", "relu" } do
    cells.rnn.variants[name] = {
        constant = "RNNC_RNN_" .. name:upper(), gates = { "h" }, separate = {}, states = { "h" },
        functions = { nonlinearity = name },
        update = { { "h", { "nonlinearity", gate "h" } } }, tiny = { h = gate "h" },
    }
end

local of_lstm <const> = { gate_activation = "sigmoid", candidate_activation = "tanh", output_activation = "tanh" }

cells.lstm = {
    constant = "RNNC_LSTM", gates = { "i", "f", "g", "o" }, separate = {}, states = { "h", "c" },
    update = {
        { "c", { "add", { "mul", opened(gate "f"), { "state", "c" } },
                        { "mul", opened(gate "i"), candidate(gate "g") } } },
        { "h", { "mul", opened(gate "o"), shown { "new", "c" } } },
    },
    functions = of_lstm,
    tiny = { c = { "new", "c" }, h = { "or_nan", { "new", "c" }, gate "o" } },
}

local function peep(name, state) return { "mul", { "weight", name }, state } end

-- LSTM with peepholes = true: gates see the cell state too (Gers, Schraudolph, Schmidhuber 2002).
cells.lstm.peephole = {
    constant = "RNNC_LSTM", gates = { "i", "f", "g", "o" }, separate = {}, states = { "h", "c" },
    vectors = { "weight_ci", "weight_cf", "weight_co" },
    functions = of_lstm,
    update = {
        { "c", { "add",
            { "mul", opened { "add", gate "f", peep("weight_cf", { "state", "c" }) }, { "state", "c" } },
            { "mul", opened { "add", gate "i", peep("weight_ci", { "state", "c" }) }, candidate(gate "g") } } },
        { "h", { "mul", opened { "add", gate "o", peep("weight_co", { "new", "c" }) }, shown { "new", "c" } } },
    },
}

-- LSTM with layer_norm = true: Ba, Kiros, Hinton 2016, equations 20 to 22, where b is in the biases of both norms. All
-- gates are normalised together.
cells.lstm.normalised = {
    constant = "RNNC_LSTM", gates = { "i", "f", "g", "o" }, separate = {}, states = { "h", "c" },
    norms = { "norm_weight_ih", "norm_bias_ih", "norm_weight_hh", "norm_bias_hh", "norm_weight_c", "norm_bias_c" },
    functions = of_lstm,
    update = { cells.lstm.update[1], { "h", { "mul", opened(gate "o"), shown { "normed", "c" } } } },
}

local of_gru <const> = { gate_activation = "sigmoid", candidate_activation = "tanh" }

local gru_n = candidate { "add", { "input", "n" }, { "mul", opened(gate "r"), { "recurrent", "n" } } }

local function mixed(n) return { "add", n, { "mul", opened(gate "z"), { "sub", { "state", "h" }, n } } } end

cells.gru = {
    constant = "RNNC_GRU", gates = { "r", "z", "n" }, separate = { "n" }, states = { "h" },
    update = { { "h", mixed(gru_n) } },
    functions = of_gru,
    tiny = { h = { "or_nan",
                   { "or_nan", { "either", { "state", "h" }, { "either", { "input", "n" }, { "recurrent", "n" } } },
                     gate "r" }, gate "z" } },
}

-- GRU with reset_after = false: n = tanh(W_in x + b_in + W_hn (r h) + b_hn).
cells.gru.reset_before = {
    constant = "RNNC_GRU", gates = { "r", "z", "n" }, separate = {}, states = { "h" },
    reset = { gates = { "r" }, of = { "n" }, value = { "mul", opened(gate "r"), { "state", "h" } } },
    update = { { "h", mixed(candidate(gate "n")) } },
    functions = of_gru,
}

-- GRU with layer_norm = true, as in the same paper's supplement: r and z are normalised together, n by itself.
cells.gru.normalised = {
    constant = "RNNC_GRU", gates = cells.gru.gates, separate = cells.gru.separate, states = { "h" },
    norms = { "norm_weight_ih", "norm_bias_ih", "norm_weight_hh", "norm_bias_hh" },
    update = cells.gru.update, functions = of_gru,
}

local function tiny_by_itself(states)
    local tiny = {}
    for _, state in ipairs(states) do tiny[state] = { "new", state } end
    return tiny
end

-- The tree with the functions of the spec in place of their roles.
local function with_functions(tree, spec, functions)
    if type(tree) ~= "table" then return tree end
    local out = {}
    for i, part in ipairs(tree) do out[i] = with_functions(part, spec, functions) end
    local role = roles[tree[1]]
    if not role then return out end
    local name, sum = spec[tree[1]] or functions[tree[1]], out[2]
    if spec.clip and role.clips then sum = { "clip", sum, spec.clip } end
    return activations.tree(name, sum, spec[role.alpha], spec[role.beta])
end

-- The row for a validated spec, with roles for functions.
local function row_of(spec)
    local cell = assert(cells[spec.cell], "no such cell")
    local row = cell.variants and (cell.variants[spec.nonlinearity] or cell.variants.tanh) or cell
    if spec.reset_after == false then row = assert(row.reset_before, "a cell without a reset") end
    if spec.peepholes then row = assert(row.peephole, "a cell without peepholes") end
    if spec.layer_norm then row = assert(row.normalised, "a cell without norms") end
    return row
end

-- cells.functions(spec) -> by role, { name, alpha or nil, beta or nil } of the cell's functions.
function cells.functions(spec)
    local list = {}
    for role, name in pairs(row_of(spec).functions or {}) do
        local row, own = activations.of(spec[role] or name), roles[role]
        list[role] = { row.name, row.alpha and (spec[own.alpha] or row.alpha),
                       row.beta and (spec[own.beta] or row.beta) }
    end
    return list
end

-- cells.has_own_functions(spec): has its cell others than PyTorch's?
function cells.has_own_functions(spec)
    for role, name in pairs(row_of(spec).functions or {}) do
        if spec[role] and spec[role] ~= name then return true end
    end
    return false
end

-- cells.is_plain(spec): has its cell the functions of PyTorch, and no clip?
function cells.is_plain(spec) return not cells.has_own_functions(spec) and not spec.clip end

-- cells.of(spec) -> a row for a validated spec, with its functions. Errors: a function that there is not.
function cells.of(spec)
    local row, cell = row_of(spec), {}
    for name, value in pairs(row) do cell[name] = value end
    local function filled(tree) return with_functions(tree, spec, row.functions) end
    cell.update = {}
    for i, pair in ipairs(row.update) do cell.update[i] = { pair[1], filled(pair[2]) } end
    if row.reset then
        cell.reset = { gates = row.reset.gates, of = row.reset.of, value = filled(row.reset.value) }
    end
    cell.tiny = cells.is_plain(spec) and row.tiny or tiny_by_itself(row.states)
    return cell
end

return cells
