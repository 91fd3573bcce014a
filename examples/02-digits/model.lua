-- Reads one handwritten digit: 8 rows of 8 pixels, a row for each time step.
return rnn {
  name = "digits",
  cell = "rnn", nonlinearity = "tanh",
  input_size = 8, hidden_size = 64, num_layers = 2,
  batch_first = true,              -- x is (batch, row, pixel), as images lie in memory
  weights = "digits.safetensors",
  prefix = "rnn.",                 -- rnn.weight_ih_l0 ...; linear.* is main.c's business
  batch = 1,
  seq_len = 8,
}
