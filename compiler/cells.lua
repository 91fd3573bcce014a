-- cells: the recurrent cells, a row each.
--
-- gates        names of the gates in PyTorch's order of weight rows
-- states       what a unit carries from step to step; the first one is the output
-- update       for each state, an expression tree over the gates' pre-activations, which are the
--              sums W_ih x + b_ih + W_hh h + b_hh:  { "gate", NAME }, { FUNCTION, ARGUMENT, ... }
-- activations  the functions that the trees use and that templates/activations.c.t defines
-- constant     the name of the cell in rnnc.h
--
-- torch.nn.RNN: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in place of tanh.
local cells = {}

cells.rnn = {
    variants = {
        tanh = {
            constant = "RNNC_RNN_TANH", gates = { "h" }, states = { "h" },
            update = { h = { "tanh", { "gate", "h" } } }, activations = { "tanh" },
        },
        relu = {
            constant = "RNNC_RNN_RELU", gates = { "h" }, states = { "h" },
            update = { h = { "relu", { "gate", "h" } } }, activations = { "relu" },
        },
    },
}

-- cells.of(spec) -> the row for a validated spec.
function cells.of(spec)
    local cell = assert(cells[spec.cell], "no such cell")
    return cell.variants and assert(cell.variants[spec.nonlinearity], "no such nonlinearity") or cell
end

return cells
