-- The network of model.lua, specialised for 32 digits at once.
return model {
  name = "digits32",
  batch_first = true,
  weights = "digits.safetensors",
  batch = 32,
  seq_len = 8,
  layers = {
    rnn {
      cell = "rnn", nonlinearity = "tanh",
      input_size = 8, hidden_size = 64, num_layers = 2,
      prefix = "rnn.",
    },
    dense { units = 10, last_step = true, prefix = "linear." },
  },
}
