-- roles: what functions are for in a recurrent cell, by the field of a spec that names one.
--
-- alpha   the field with its alpha
-- beta    the field with its beta
-- clips   a spec's `clip` bounds what it is of. As in ONNX Runtime these are the sums of gates and candidates; the
--         function of the cell state on its way out takes that as it is.
-- of      what it is the function of, for people
local roles = {
    nonlinearity = { alpha = "alpha", beta = "beta", clips = true, of = "the sum of a cell \"rnn\"" },
    gate_activation = { alpha = "gate_alpha", beta = "gate_beta", clips = true, of = "the gates" },
    candidate_activation = { alpha = "candidate_alpha", beta = "candidate_beta", clips = true, of = "the candidate" },
    output_activation = { alpha = "output_alpha", beta = "output_beta", clips = false,
                          of = "the cell state on its way out" },
}

return roles
