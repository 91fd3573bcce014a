/* cell_rows.h: the recurrent cells, a row each; see cells.h.
 *
 *   CELL(constant, name, gates, separate, states, update)
 *     constant of rnnc_cell, which is RNNC_ and the name in capitals
 *     gates    in PyTorch's order of weight rows
 *     separate 1u << g for each gate g of which the update uses INPUT and RECURRENT
 *     states   1: h; 2: h and c
 *     update   sets h and c to the new states of a unit, from
 *                INPUT(g)      W_ih x + b_ih of gate g, if it is separate
 *                RECURRENT(g)  W_hh h + b_hh of gate g, if it is separate
 *                GATE(g)       their sum, if it is not
 *                h, c          the old states
 *                PEEPHOLE(k, v)  v times the unit's value of weight_ci, _cf or _co, 0 without them
 *                RESET_BEFORE  RECURRENT(2) of a gru is W_hn (r h) + b_hn
 *                OPEN(v), CANDIDATE(v), OUTPUT(v)  of a sum, a sum and a cell state, what the
 * config's functions make of it; without its own: sigmoid, tanh and tanh in the type `real`, which
 * is double and float in turn
 *
 * No include guard: it is included once for each thing that is made of a row. Formulas are those of
 * the documentation of torch.nn.RNN, LSTM and GRU. */

CELL(RNNC_RNN_TANH, rnn_tanh, 1, 0, 1, { h = CANDIDATE(GATE(0)); })

CELL(RNNC_RNN_RELU, rnn_relu, 1, 0, 1, { h = CANDIDATE(GATE(0)); })

CELL(RNNC_LSTM, lstm, 4, 0, 2, {
    c = OPEN(GATE(1) + PEEPHOLE(1, c)) * c + OPEN(GATE(0) + PEEPHOLE(0, c)) * CANDIDATE(GATE(2));
    h = OPEN(GATE(3) + PEEPHOLE(2, c)) * OUTPUT(c);
})

CELL(RNNC_GRU, gru, 3, 1u << 2, 1, {
    const real n = CANDIDATE(INPUT(2) + (RESET_BEFORE ? 1 : OPEN(GATE(0))) * RECURRENT(2));
    const real z = OPEN(GATE(1));
    h = (1 - z) * n + z * h;
})
