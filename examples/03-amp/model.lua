-- A distortion circuit: one sample in, one sample out, 48000 times a second.
return model {
  name = "amp",
  batch = 1,
  residual = true,                 -- the input is added to the output
  weights = "amp.safetensors",
  layers = {
    rnn { cell = "lstm", input_size = 1, hidden_size = 20, prefix = "rec." },
    dense { units = 1, prefix = "lin." },
  },
}
