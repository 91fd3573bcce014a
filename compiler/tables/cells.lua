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
--                { FUNCTION, TREE, ... }  a row of expressions.lua
-- tiny         by state, what it becomes 0 with: a tree whose value is below 1e-30 when the new state is.
--              States that decay would end in subnormal numbers, which take a hundred times as long. The
--              sums are known before their functions are, so nobody waits for the comparison. A gate that
--              is not among them is named by `or_nan`, so that its NaN is not lost. Without this field:
--              each new state by itself.
-- constant     the name of the cell in rnnc.h
-- variants     rows by the spec's `nonlinearity`, instead of the fields above
--
-- Formulas: torch.nn.RNN, LSTM (Gers, Schmidhuber, Cummins 2000), GRU (Cho et al. 2014, with the reset
-- gate after the product, as cuDNN and PyTorch have it).
local cells = {}

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

local gru_n = { "tanh", { "add", { "input", "n" }, { "mul", { "sigmoid", gate "r" }, { "recurrent", "n" } } } }

cells.gru = {
    constant = "RNNC_GRU", gates = { "r", "z", "n" }, apart = { "n" }, states = { "h" },
    update = { { "h", { "add", gru_n, { "mul", { "sigmoid", gate "z" }, { "sub", { "state", "h" }, gru_n } } } } },
    tiny = { h = { "or_nan", { "or_nan", { "either", { "state", "h" }, { "either", { "input", "n" }, { "recurrent", "n" } } },
                               gate "r" }, gate "z" } },
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
    row.tiny = row.tiny or tiny_by_itself(row.states)
    return row
end

return cells
