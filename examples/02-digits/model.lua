-- Reads one handwritten digit: 8 rows of 8 pixels, a row for each time step.
return model {
  name = "digits",
  batch_first = true,              -- x is (batch, row, pixel), as images lie in memory
  weights = "digits.safetensors",  -- rnn.weight_ih_l0 ... linear.bias
  batch = 1,
  seq_len = 8,
  layers = {
    rnn {
      cell = "rnn", nonlinearity = "tanh",
      input_size = 8, hidden_size = 64, num_layers = 2,
      prefix = "rnn.",
    },
    dense { units = 10, last_step = true, prefix = "linear." },  -- a logit for each of 0 .. 9
  },
  training = training {            -- `make train`
    loss = "cross_entropy", data = "train.npz", test = "held_out.npz",
    optimiser = adamw { lr = 2e-3, weight_decay = 1e-2 }, schedule = cosine { }, warm_up = 100,
    epochs = 30, batch = 32, clip = 1.0, seed = 2,
  },
}
