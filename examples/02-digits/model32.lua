-- The network of model.lua, specialised for 32 digits at once.
return rnn {
  name = "digits32",
  cell = "rnn", nonlinearity = "tanh",
  input_size = 8, hidden_size = 64, num_layers = 2,
  batch_first = true,
  weights = "digits.safetensors",
  prefix = "rnn.",
  batch = 32,
  seq_len = 8,
}
