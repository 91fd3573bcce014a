-- Predicts the next character of a text: 63 characters, a token for each.
return model {
  name = "charlm",
  weights = "charlm.safetensors",  -- float16, made float32 when the C is generated
  batch = 1,                       -- one stream of characters
  seq_len = "any",
  layers = {
    embedding { num_embeddings = 63, dim = 32, prefix = "embed." },
    rnn { cell = "gru", hidden_size = 192, prefix = "rec." },
    dense { units = 63, activation = "log_softmax", prefix = "head." },
  },
}
