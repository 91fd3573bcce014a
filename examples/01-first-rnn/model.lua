-- The network of the PyTorch tutorial: nn.RNN(20, 50, 2).
return rnn {
  name = "first_rnn",
  cell = "rnn", nonlinearity = "tanh",
  input_size = 20, hidden_size = 50, num_layers = 2,
  weights = "first_rnn.safetensors",
  batch = 32,        -- always 32 sequences at once: a constant in the generated code
  seq_len = "any",   -- as many time steps as the call says
}
