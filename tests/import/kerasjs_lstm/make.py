"""Makes N.h5 and N.safetensors of the cases in LSTM.json: models as Keras 2.0 saves them, with the recorded weights,
and x, y and hn to verify them with. Of a stateful layer what is recorded is a second call, so x stands there twice.
Steps that are not recorded (of that first call, and before the last state where Keras gives that alone) are computed
here in double precision.

    python3 make.py        needs python3-h5py
"""
import json
import struct

import h5py
import numpy as np


def hard_sigmoid(v):
    return np.clip(0.2 * v + 0.5, 0, 1)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def computed(x, weights, gate, function):
    kernel, own, bias = weights
    h = c = np.zeros(own.shape[0])
    out = []
    for step in x:
        i, f, g, o = np.split(step @ kernel + h @ own + bias, 4)
        c = gate(f) * c + gate(i) * function(g)
        h = gate(o) * function(c)
        out.append(h)
    return np.array(out)


def tensor(entry):
    return np.array(entry["data"], "f8").reshape(entry["shape"])


def write_case(path, **arrays):
    header, data = {}, b""
    for name, values in arrays.items():
        values = np.ascontiguousarray(values, "f4")
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


with open("LSTM.json") as file:
    cases = json.load(file)
for number in range(9):
    case = cases["recurrent.LSTM.%d" % number]
    x, y, weights = tensor(case["input"]), tensor(case["expected"]), [tensor(w) for w in case["weights"]]
    sequences, backwards, stateful = number in (2, 4, 6, 8), number in (3, 4, 7, 8), number >= 5
    config = {"name": "lstm", "units": y.shape[-1], "return_sequences": sequences, "go_backwards": backwards,
              "stateful": stateful, "use_bias": True, "activation": "sigmoid" if number == 1 else "tanh",
              "recurrent_activation": "sigmoid" if number == 1 else "hard_sigmoid",
              "batch_input_shape": [1, None, x.shape[-1]]}
    with h5py.File("%d.h5" % number, "w") as model:
        model.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [
            {"class_name": "LSTM", "config": config}]})
        model.attrs["keras_version"] = "2.0.8"
        for name, values in zip(("kernel", "recurrent_kernel", "bias"), weights):
            model["model_weights/lstm/lstm/%s:0" % name] = values.astype("f4")
    # One call after the other; of a layer that gives its last state alone, that is what is recorded.
    all_x = np.concatenate([x, x]) if stateful else x
    all_y = computed(all_x[::-1] if backwards else all_x, weights, sigmoid if number == 1 else hard_sigmoid,
                     sigmoid if number == 1 else np.tanh)
    assert np.abs(all_y[len(all_y) - len(np.atleast_2d(y)):] - y).max() < 1e-5
    all_y[len(all_y) - len(np.atleast_2d(y)):] = y
    # rnnc's step t is the one that read step t of x.
    write_case("%d.safetensors" % number, x=all_x, y=all_y[::-1] if backwards else all_y,
               hn=np.atleast_2d(y)[-1].reshape(1, 1, -1))
