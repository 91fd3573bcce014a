-- A small LSTM; the build says how many units it has: rnnc compile --define=hidden=16 model.lua
return rnn {
  name = "counter", cell = "lstm",
  input_size = 4, hidden_size = define.hidden or 12,
  weights = "model.safetensors",
  batch = 1, seq_len = "any",
  target = { "portable", "avx2", "avx512" },   -- one file for every CPU
}
