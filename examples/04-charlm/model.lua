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
  training = training {            -- `make train`; as train.py does
    loss = "cross_entropy", data = define.text or "bible.txt",
    vocabulary = "\n !'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz",
    optimiser = adamw { lr = 5e-3 }, schedule = one_cycle { },
    epochs = 5, batch = 64, piece = 64, clip = 1.0,
  },
}
