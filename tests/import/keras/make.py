"""Makes the files of this folder: models as Keras saves them, with random weights, and what they compute, x, or
tokens, and y, by Keras' formulas in double precision (numpy), without Keras and without rnnc.

    python3 make.py        needs python3-h5py
"""
import io
import json
import struct
import zipfile

import h5py
import numpy as np

random = np.random.default_rng(3)


def draw(*shape):
    return random.normal(0, 0.6, shape).astype("f4")


# ---- formulas; kernels as Keras has them: (inputs, gates * units) ----

def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def softmax(v):
    e = np.exp(v - v.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lstm(x, weights, gate=sigmoid, function=np.tanh):
    kernel, own, bias = (np.asarray(w, "f8") for w in weights)
    h = c = np.zeros(own.shape[0])
    out = []
    for step in x:
        i, f, g, o = np.split(step @ kernel + h @ own + bias, 4)
        c = gate(f) * c + gate(i) * function(g)
        h = gate(o) * function(c)
        out.append(h)
    return np.array(out)


def gru(x, weights, reset_after=True, gate=sigmoid, function=np.tanh):
    kernel, own, bias = (np.asarray(w, "f8") for w in weights)
    units, out = own.shape[0], []
    h = np.zeros(units)
    for step in x:
        if reset_after:
            zx, rx, nx = np.split(step @ kernel + bias[0], 3)
            zh, rh, nh = np.split(h @ own + bias[1], 3)
            z, r = gate(zx + zh), gate(rx + rh)
            n = function(nx + r * nh)
        else:
            zx, rx, nx = np.split(step @ kernel + bias, 3)
            z, r = gate(zx + h @ own[:, :units]), gate(rx + h @ own[:, units:2 * units])
            n = function(nx + (r * h) @ own[:, 2 * units:])
        h = z * h + (1 - z) * n
        out.append(h)
    return np.array(out)


def simple(x, weights, function):
    kernel, own = (np.asarray(w, "f8") for w in weights)
    h, out = np.zeros(own.shape[0]), []
    for step in x:
        h = function(step @ kernel + h @ own)
        out.append(h)
    return np.array(out)


def dense(x, weights):
    return x @ np.asarray(weights[0], "f8") + (np.asarray(weights[1], "f8") if len(weights) > 1 else 0)


# What Keras makes of CuDNN's weights when it loads them into an LSTM or a GRU.
def from_cudnn(weights, gates):
    kernel, own, bias = weights
    parts = [k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, gates)]
    return [np.hstack(parts), np.hstack([k.T for k in np.hsplit(own, gates)]), bias]


# ---- files ----

def layer(name_of_class, name, **config):
    return {"class_name": name_of_class, "config": dict(config, name=name)}


def cell(name_of_class, name, units, sequences, **more):
    config = dict(units=units, return_sequences=sequences, activation="tanh", recurrent_activation="sigmoid",
                  use_bias=True, go_backwards=False, stateful=False)
    return layer(name_of_class, name, **dict(config, **more))


def write_h5(path, layers, weights):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential",
                                                 "config": {"name": "net", "layers": layers}})
        file.attrs["keras_version"] = "2.15.0"
        for name, tensors in weights.items():
            for own, values in tensors:
                file["model_weights/%s/%s/%s:0" % (name, name, own)] = values


def write_keras(path, config, weights, version="3.4.1", group="layers/%s"):
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        for name, values in weights.items():
            file[group % name] = values
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("metadata.json", json.dumps({"keras_version": version})),
                           ("config.json", json.dumps(config)), ("model.weights.h5", held.getvalue())):
            archive.writestr(zipfile.ZipInfo(name), text)


def write_case(path, **arrays):
    header, data = {}, b""
    for name, values in arrays.items():
        values = np.ascontiguousarray(values, "i4" if name == "tokens" else "f4")
        header[name] = {"dtype": "I32" if name == "tokens" else "F32", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def named(own, weights):
    return list(zip(["%skernel" % own, "%srecurrent_kernel" % own, "%sbias" % own], weights))


def bidirectional():
    there, back = [draw(3, 16), draw(4, 16), draw(16)], [draw(3, 16), draw(4, 16), draw(16)]
    second, head = [draw(8, 15), draw(5, 15), draw(2, 15)], [draw(5, 2), draw(2)]
    write_h5("bidirectional.h5", [
        layer("InputLayer", "x", batch_input_shape=[None, None, 3]),
        layer("Bidirectional", "both", merge_mode="concat", layer=cell("LSTM", "lstm", 4, True)),
        layer("Dropout", "drop", rate=0.5),
        cell("GRU", "gru", 5, False, reset_after=True),
        layer("Dense", "head", units=2, activation="softmax", use_bias=True)],
        {"both": named("forward_lstm/lstm_cell/", there) + named("backward_lstm/lstm_cell/", back),
         "gru": named("gru_cell/", second), "head": [("kernel", head[0]), ("bias", head[1])]})
    x = draw(9, 3)
    h = np.hstack([lstm(x, there), lstm(x[::-1], back)[::-1]])
    write_case("bidirectional.safetensors", x=x, y=softmax(dense(gru(h, second)[-1:], head)))


def tensor(name):
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, None, 4], "keras_history": [name, 0, 0]}}


def reads(name, entry):
    return dict(entry, inbound_nodes=[{"args": [tensor(name)], "kwargs": {"mask": None}}])


# A functional model; layers of one class are numbered in the archive, whatever they are called.
def text():
    table, first, second = draw(11, 4), [draw(4, 6), draw(6, 6)], [draw(6, 3), draw(3, 3)]
    inner, head = [draw(3, 5), draw(5)], [draw(5, 2)]
    layers = [
        layer("InputLayer", "tokens", batch_shape=[None, None]),
        reads("tokens", layer("Embedding", "table", input_dim=11, output_dim=4, mask_zero=False)),
        reads("table", cell("SimpleRNN", "b", 6, True, activation="relu", use_bias=False)),
        reads("b", cell("SimpleRNN", "a", 3, True, use_bias=False)),
        reads("a", layer("TimeDistributed", "inner", layer=layer("Dense", "own", units=5, activation="linear",
                                                                 use_bias=True))),
        reads("inner", layer("Activation", "function", activation="tanh")),
        reads("function", layer("Dense", "head", units=2, activation="sigmoid", use_bias=False))]
    for entry in layers:
        entry["module"], entry["name"] = "keras.layers", entry["config"]["name"]
    layers[0]["inbound_nodes"] = []
    write_keras("text.keras",
                {"module": "keras.src.models.functional", "class_name": "Functional",
                 "config": {"name": "text", "layers": layers, "input_layers": [["tokens", 0, 0]],
                            "output_layers": [["head", 0, 0]]}},
                {"embedding/vars/0": table, "simple_rnn/cell/vars/0": first[0], "simple_rnn/cell/vars/1": first[1],
                 "simple_rnn_1/cell/vars/0": second[0], "simple_rnn_1/cell/vars/1": second[1],
                 "time_distributed/layer/vars/0": inner[0], "time_distributed/layer/vars/1": inner[1],
                 "dense/vars/0": head[0]})
    tokens = random.integers(0, 11, 12)
    h = simple(np.asarray(table, "f8")[tokens], first, lambda v: np.maximum(v, 0))
    h = np.tanh(dense(simple(h, second, np.tanh), inner))
    write_case("text.safetensors", tokens=tokens, y=sigmoid(dense(h, head)))


def cudnn():
    first, second, head = [draw(3, 16), draw(4, 16), draw(32)], [draw(4, 15), draw(5, 15), draw(30)], [draw(5, 2)]
    write_h5("cudnn.h5", [
        layer("CuDNNLSTM", "lstm", units=4, return_sequences=True, batch_input_shape=[None, 7, 3]),
        layer("CuDNNGRU", "gru", units=5, return_sequences=True),
        layer("Dense", "head", units=2, activation="relu", use_bias=False)],
        {"lstm": named("", first), "gru": named("", second), "head": [("kernel", head[0])]})
    kernel, own, bias = from_cudnn(first, 4)
    x = draw(7, 3)
    h = lstm(x, [kernel, own, bias[:16].astype("f8") + bias[16:]])
    kernel, own, bias = from_cudnn(second, 3)
    h = gru(h, [kernel, own, bias.reshape(2, 15)])
    write_case("cudnn.safetensors", x=x, y=np.maximum(dense(h, head), 0))


# Steps that are read from the end, and layers that read what such a one gives.
def backwards():
    first, second, head = [draw(2, 12), draw(4, 12), draw(12)], [draw(4, 20), draw(5, 20), draw(20)], [draw(5, 3)]
    write_h5("backwards.h5", [
        cell("GRU", "gru", 4, True, reset_after=False, go_backwards=True, batch_input_shape=[None, None, 2]),
        cell("LSTM", "lstm", 5, False),
        layer("Dense", "head", units=3, activation="linear", use_bias=False)],
        {"gru": named("", first), "lstm": named("", second), "head": [("kernel", head[0])]})
    x = draw(8, 2)
    h = lstm(gru(x[::-1], first, False), second)
    write_case("backwards.safetensors", x=x, y=dense(h[-1:], head))


# As Keras 2.13 names groups on Windows, where every layer counts twice.
def windows():
    first, second, head = [draw(2, 12), draw(3, 12), draw(12)], [draw(3, 16), draw(4, 16), draw(16)], [draw(4, 2)]
    layers = [cell("LSTM", "a", 3, True, batch_input_shape=[None, None, 2]), cell("LSTM", "b", 4, True),
              layer("Dense", "head", units=2, activation="linear", use_bias=False),
              layer("ReLU", "function", max_value=None, negative_slope=0.0, threshold=0.0)]
    weights = {"dense\\vars/0": head[0]}
    for group, tensors in (("lstm", first), ("lstm_2", second)):
        for i, values in enumerate(tensors):
            weights["%s\\cell\\vars/%d" % (group, i)] = values
    write_keras("windows.keras", {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}, weights,
                "2.13.1", "_layer_checkpoint_dependencies\\%s")
    x = draw(6, 2)
    write_case("windows.safetensors", x=x, y=np.maximum(dense(lstm(lstm(x, first), second), head), 0))


# Weights that are not in the file itself, or not as they are.
def elsewhere():
    head = [layer("Dense", "head", units=2, activation="linear", use_bias=False, batch_input_shape=[None, None, 5])]
    for name in ("linked", "squeezed"):
        write_h5(name + ".h5", head, {})
        with h5py.File(name + ".h5", "a") as file:
            if name == "linked":
                file["model_weights/head/kernel:0"] = h5py.ExternalLink("bidirectional.h5",
                                                                        "model_weights/head/head/kernel:0")
            else:
                file.create_dataset("model_weights/head/kernel:0", data=draw(5, 2), compression="gzip")


# Functions of cells, by name and as objects; null is a linear one.
def functions():
    first, second = [draw(2, 12), draw(4, 12), draw(2, 12)], [draw(4, 20), draw(5, 20), draw(20)]
    third, fourth = [draw(5, 9), draw(3, 9), draw(9)], [draw(3, 4), draw(4, 4)]
    slope = {"module": "keras.layers", "class_name": "LeakyReLU", "config": {"negative_slope": 0.25}}
    layers = [cell("GRU", "gru", 4, True, activation="softsign", recurrent_activation="hard_sigmoid", reset_after=True,
                   batch_shape=[None, None, 2]),
              cell("LSTM", "lstm", 5, True, activation=None, recurrent_activation="softsign"),
              cell("GRU", "own", 3, True, activation="sigmoid", recurrent_activation="tanh", reset_after=False),
              cell("SimpleRNN", "rnn", 4, True, activation=slope, use_bias=False)]
    write_keras("functions.keras", {"class_name": "Sequential", "config": {"name": "net", "layers": layers}},
                {"%s/cell/vars/%d" % (group, i): values
                 for group, tensors in (("gru", first), ("lstm", second), ("gru_1", third), ("simple_rnn", fourth))
                 for i, values in enumerate(tensors)})

    def hard(v):
        return np.clip(v / 6 + 0.5, 0, 1)

    def softsign(v):
        return v / (1 + np.abs(v))

    x = draw(9, 2)
    h = lstm(gru(x, first, True, hard, softsign), second, softsign, lambda v: v)
    h = gru(h, third, False, np.tanh, sigmoid)
    write_case("functions.safetensors", x=x, y=simple(h, fourth, lambda v: np.where(v > 0, v, 0.25 * v)))


# Two outputs beside each other, of one function.
def heads():
    first = [draw(3, 16), draw(4, 16), draw(16)]
    gain, voice = [draw(4, 3), draw(3)], [draw(4, 1)]
    layers = [
        layer("InputLayer", "x", batch_shape=[None, None, 3]),
        reads("x", cell("LSTM", "trunk", 4, True)),
        reads("trunk", layer("Dense", "voice", units=1, activation="sigmoid", use_bias=False)),
        reads("trunk", layer("Dense", "gain", units=3, activation="sigmoid", use_bias=True))]
    layers[0]["inbound_nodes"] = []
    write_keras("heads.keras",
                {"class_name": "Functional",
                 "config": {"name": "heads", "layers": layers, "input_layers": [["x", 0, 0]],
                            "output_layers": [["gain", 0, 0], ["voice", 0, 0]]}},
                {"lstm/cell/vars/0": first[0], "lstm/cell/vars/1": first[1], "lstm/cell/vars/2": first[2],
                 "dense/vars/0": voice[0], "dense_1/vars/0": gain[0], "dense_1/vars/1": gain[1]})
    x = draw(7, 3)
    h = lstm(x, first)
    write_case("heads.safetensors", x=x, y=sigmoid(np.hstack([dense(h, gain), dense(h, voice)])))


# Functions that are layers by themselves.
def layers_of_functions():
    first, second, third = [draw(2, 16), draw(4, 16), draw(16)], [draw(4, 5), draw(5)], [draw(5, 4)]
    fourth, head = [draw(4, 3), draw(3)], [draw(3, 4), draw(4)]

    def linear(name, units, use_bias=True):
        return layer("Dense", name, units=units, activation="linear", use_bias=use_bias)

    write_h5("layers.h5", [
        cell("LSTM", "lstm", 4, True, batch_input_shape=[None, None, 2]),
        layer("ELU", "elu", alpha=0.5),
        linear("a", 5), layer("LeakyReLU", "leaky", alpha=0.125),
        linear("b", 4, False), layer("ReLU", "relu", max_value=None, negative_slope=0.25, threshold=0.0),
        linear("c", 3), layer("Activation", "softsign", activation="softsign"),
        linear("d", 4), layer("Softmax", "softmax", axis=-1)],
        {"lstm": named("", first), "a": [("kernel", second[0]), ("bias", second[1])], "b": [("kernel", third[0])],
         "c": [("kernel", fourth[0]), ("bias", fourth[1])], "d": [("kernel", head[0]), ("bias", head[1])]})
    x = draw(8, 2)
    h = lstm(x, first)
    h = dense(np.where(h > 0, h, 0.5 * np.expm1(h)), second)
    h = dense(np.where(h > 0, h, 0.125 * h), third)
    h = dense(np.where(h > 0, h, 0.25 * h), fourth)
    write_case("layers.safetensors", x=x, y=softmax(dense(h / (1 + np.abs(h)), head)))


def merged():
    def halves(units, inputs):
        return [[draw(inputs, 4 * units), draw(units, 4 * units), draw(4 * units)] for _ in range(2)]

    first, second, head = halves(4, 3), halves(5, 4), [draw(5, 2), draw(2)]
    write_h5("merged.h5", [
        layer("InputLayer", "x", batch_input_shape=[None, None, 3]),
        layer("Bidirectional", "sums", merge_mode="sum", layer=cell("LSTM", "lstm", 4, True)),
        layer("Bidirectional", "means", merge_mode="ave", layer=cell("LSTM", "lstm", 5, False)),
        layer("Dense", "head", units=2, activation="tanh", use_bias=True)],
        {"sums": named("forward_lstm/lstm_cell/", first[0]) + named("backward_lstm/lstm_cell/", first[1]),
         "means": named("forward_lstm/lstm_cell/", second[0]) + named("backward_lstm/lstm_cell/", second[1]),
         "head": [("kernel", head[0]), ("bias", head[1])]})
    x = draw(9, 3)
    h = lstm(x, first[0]) + lstm(x[::-1], first[1])[::-1]
    ends = (lstm(h, second[0])[-1:] + lstm(h[::-1], second[1])[-1:]) / 2
    write_case("merged.safetensors", x=x, y=np.tanh(dense(ends, head)))


def scaled():
    first, second, head = [draw(3, 4), draw(4, 4)], [draw(4, 5), draw(5, 5)], [draw(5, 2), draw(2)]
    mean, variance, slopes = draw(3), draw(3) ** 2 + np.float32(0.1), draw(1, 4)
    gamma, beta, center, spread = draw(4), draw(4), draw(4), draw(4) ** 2
    only_mean, only_variance = draw(5), draw(5) ** 2
    write_h5("scaled.h5", [
        layer("InputLayer", "x", batch_input_shape=[None, None, 3]),
        layer("Normalization", "normal", axis=[-1], invert=False),
        cell("SimpleRNN", "rnn", 4, True, use_bias=False),
        layer("BatchNormalization", "batch", axis=[2], epsilon=0.01, center=True, scale=True),
        layer("PReLU", "slopes", shared_axes=[1]),
        cell("SimpleRNN", "last", 5, False, use_bias=False),
        layer("BatchNormalization", "second", axis=-1, center=False, scale=False),
        layer("Dense", "head", units=2, activation="linear", use_bias=True),
        layer("Rescaling", "out", scale=2.5, offset=-0.75)],
        {"normal": [("mean", mean), ("variance", variance), ("count", np.int64(7))],
         "rnn": named("simple_rnn_cell/", first), "last": named("simple_rnn_cell/", second),
         "batch": [("gamma", gamma), ("beta", beta), ("moving_mean", center), ("moving_variance", spread)],
         "slopes": [("alpha", slopes)],
         "second": [("moving_mean", only_mean), ("moving_variance", only_variance)],
         "head": [("kernel", head[0]), ("bias", head[1])]})
    x = draw(9, 3)
    h = simple((x - mean) / np.sqrt(np.asarray(variance, "f8")), first, np.tanh)
    h = gamma * (h - center) / np.sqrt(np.asarray(spread, "f8") + 0.01) + beta
    h = simple(np.where(h > 0, h, slopes * h), second, np.tanh)[-1:]
    h = (h - only_mean) / np.sqrt(np.asarray(only_variance, "f8") + 0.001)
    write_case("scaled.safetensors", x=x, y=dense(h, head) * 2.5 - 0.75)


# All steps side by side, with the middle layer a Reshape to the same.
def flat():
    first = [draw(3, 16), draw(4, 16), draw(16)]
    second, head = [draw(20, 5), draw(5)], [draw(5, 2)]
    write_h5("flat.h5", [
        layer("InputLayer", "x", batch_input_shape=[None, 5, 3]),
        cell("LSTM", "lstm", 4, True), layer("Dropout", "dropout", rate=0.5),
        layer("Flatten", "flatten", data_format="channels_last"),
        layer("Reshape", "row", target_shape=[20]),
        layer("Dense", "a", units=5, activation="relu", use_bias=True),
        layer("Dense", "b", units=2, activation="linear", use_bias=False)],
        {"lstm": named("lstm_cell/", first), "a": [("kernel", second[0]), ("bias", second[1])],
         "b": [("kernel", head[0])]})
    x = draw(5, 3)
    h = lstm(x, first).reshape(1, 20)
    write_case("flat.safetensors", x=x, y=dense(np.maximum(dense(h, second), 0), head))


bidirectional()
text()
cudnn()
backwards()
elsewhere()
windows()
functions()
heads()
layers_of_functions()
merged()
scaled()
flat()
