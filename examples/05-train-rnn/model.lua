-- nn.RNN(20, 50, 2) of the PyTorch tutorial, with nn.Linear(50, 1) on it, which is to be trained.
return model {
  name = "train_rnn",
  batch = 32,
  seq_len = "any",
  train = true,   -- also train_rnn_train.h and train_rnn_train.c
  layers = {
    rnn { cell = "rnn", nonlinearity = "tanh", input_size = 20, hidden_size = 50, num_layers = 2, prefix = "rnn." },
    dense { units = 1, prefix = "head." },
  },
}
