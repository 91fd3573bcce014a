-- cells: the recurrent cells, a row each.
--
-- gates        names of the gates in PyTorch's order of weight rows
-- apart        gates whose input part and recurrent part the update uses each on its own
-- states       what a unit carries from step to step; the first one is the output
-- update       in order, { NAME, TREE }: the new value of a state, as an expression tree over
--                { "gate", G }       W_ih x + b_ih + W_hh h + b_hh of gate G
--                { "input", G }      W_ih x + b_ih of a gate that is apart
--                { "recurrent", G }  W_hh h + b_hh of a gate that is apart
--                { "state", S }      the state before the step
--                { "new", S }        the state after the step, when it stands above
--                { "weight", V }     the unit's value of the tensor V
--                { FUNCTION, TREE, ... }  a row of functions.lua
-- vectors      names of tensors with a value for each unit, or nil
-- tiny         by state, what it becomes 0 with: a tree whose value is below flush_below when the new state is. The
--              sums are known before their functions are, so nobody waits for the comparison. A gate that
--              is not among them is named by `or_nan`, so that its NaN is not lost. Without this field:
--              each new state by itself.
-- reset        { gates, of, value }: the recurrent product of the gates `of` takes not h but `value`, which is made of
--              `gates` and the state. Among all gates these come first, and those of `of` last
-- constant     the name of the cell in rnnc.h
-- variants     rows by the spec's `nonlinearity`, instead of the fields above
--
-- Formulas: torch.nn.RNN, LSTM (Gers, Schmidhuber, Cummins 2000), GRU (Cho et al. 2014, with the reset
-- gate after the product, as cuDNN and PyTorch have it, or, as the paper has it, before).
local cells = {}

-- States below this become 0: those that decay would end in subnormal numbers (below 2^-126), with which a step takes
-- 20 to 100 times as long. As C; 1.9e-34. It stands 2^14 above the subnormal numbers, so that the products of larger
-- states with weights are none of these unless a weight is below 2^-14. Higher, it would stop more of the states that
-- grow where nothing else feeds them; lower, states that stay just above it would be slow: on a Xeon of 2019, weights
-- up to 0.011, 20 units, a step takes 1.2 to 4.9 times as long with states at twice 2^-112, 8 to 29 times at twice
-- 2^-116, and as long as ever at twice 1e-30.
cells.flush_below = "0x1p-112f"

local function gate(name) return { "gate", name } end

cells.rnn = { variants = {} }

for _, name in ipairs { "tanh", "relu" } do
    cells.rnn.variants[name] = {
        constant = "RNNC_RNN_" .. name:upper(), gates = { "h" }, apart = {}, states = { "h" },
        update = { { "h", { name, gate "h" } } }, tiny = { h = gate "h" },
    }
end

cells.lstm = {
    constant = "RNNC_LSTM", gates = { "i", "f", "g", "o" }, apart = {}, states = { "h", "c" },
    update = {
        { "c", { "add", { "mul", { "sigmoid", gate "f" }, { "state", "c" } },
                        { "mul", { "sigmoid", gate "i" }, { "tanh", gate "g" } } } },
        { "h", { "mul", { "sigmoid", gate "o" }, { "tanh", { "new", "c" } } } },
    },
    tiny = { c = { "new", "c" }, h = { "or_nan", { "new", "c" }, gate "o" } },
}

local function peep(name, state) return { "mul", { "weight", name }, state } end

-- LSTM with peepholes = true: gates see the cell state too (Gers, Schraudolph, Schmidhuber 2002).
cells.lstm.peephole = {
    constant = "RNNC_LSTM", gates = { "i", "f", "g", "o" }, apart = {}, states = { "h", "c" },
    vectors = { "weight_ci", "weight_cf", "weight_co" },
    update = {
        { "c", { "add",
            { "mul", { "sigmoid", { "add", gate "f", peep("weight_cf", { "state", "c" }) } }, { "state", "c" } },
            { "mul", { "sigmoid", { "add", gate "i", peep("weight_ci", { "state", "c" }) } },
                     { "tanh", gate "g" } } } },
        { "h", { "mul", { "sigmoid", { "add", gate "o", peep("weight_co", { "new", "c" }) } },
                        { "tanh", { "new", "c" } } } },
    },
}

local gru_n = { "tanh", { "add", { "input", "n" }, { "mul", { "sigmoid", gate "r" }, { "recurrent", "n" } } } }

local function mixed(n) return { "add", n, { "mul", { "sigmoid", gate "z" }, { "sub", { "state", "h" }, n } } } end

cells.gru = {
    constant = "RNNC_GRU", gates = { "r", "z", "n" }, apart = { "n" }, states = { "h" },
    update = { { "h", mixed(gru_n) } },
    tiny = { h = { "or_nan",
                   { "or_nan", { "either", { "state", "h" }, { "either", { "input", "n" }, { "recurrent", "n" } } },
                     gate "r" }, gate "z" } },
}

-- GRU with reset_after = false: n = tanh(W_in x + b_in + W_hn (r h) + b_hn).
cells.gru.reset_before = {
    constant = "RNNC_GRU", gates = { "r", "z", "n" }, apart = {}, states = { "h" },
    reset = { gates = { "r" }, of = { "n" }, value = { "mul", { "sigmoid", gate "r" }, { "state", "h" } } },
    update = { { "h", mixed { "tanh", gate "n" } } },
}

local function tiny_by_itself(states)
    local tiny = {}
    for _, state in ipairs(states) do tiny[state] = { "new", state } end
    return tiny
end

-- cells.of(spec) -> the row for a validated spec.
function cells.of(spec)
    local cell = assert(cells[spec.cell], "no such cell")
    local row = cell.variants and assert(cell.variants[spec.nonlinearity], "no such nonlinearity") or cell
    if spec.reset_after == false then row = assert(row.reset_before, "a cell without a reset") end
    if spec.peepholes then row = assert(row.peephole, "a cell without peepholes") end
    row.tiny = row.tiny or tiny_by_itself(row.states)
    return row
end

return cells
