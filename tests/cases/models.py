#!/usr/bin/env python3
"""Records what PyTorch computes for whole models: tests/cases/models.py [DIRECTORY]

Writes one safetensors file for each model below into tests/cases/models (or DIRECTORY). Run it with a
Python that has PyTorch (Debian: python3-torch); the tests read the files that are committed and need
neither. Weights, inputs and states are random float32 numbers of a fixed seed; PyTorch computes in float64,
and its results are rounded to float32. The metadata hold the specification without what a test varies.
"""
import os
import sys

import torch

from packed import float32_numbers, write_safetensors

ACTIVATIONS = {
    "none": lambda v: v,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda v: torch.softmax(v, -1),
    "log_softmax": lambda v: torch.log_softmax(v, -1),
}


def rnn(cell, hidden, **options):
    return ("rnn", cell, hidden, options)


def dense(units, activation="none", bias=True, last_step=False):
    return ("dense", units, activation, bias, last_step)


# name, width of x or ("tokens", how many, width), layers, T, lengths or the batch, batch_first, residual
MODELS = [
    ("amp", 1, [rnn("lstm", 20), dense(1)], 70, 1, False, True),
    ("charlm", ("tokens", 13, 6), [rnn("gru", 17), dense(13, "log_softmax")], 40, 3, False, False),
    ("classifier", 5, [rnn("gru", 9, num_layers=2), dense(7, "relu", last_step=True), dense(4, "softmax")],
     12, [12, 3, 7, 1, 12], True, False),
    ("tagger", ("tokens", 9, 5), [rnn("lstm", 6, bidirectional=True, num_layers=2), dense(3, "softmax")],
     9, [4, 9, 1, 6], True, False),
    ("mixed", 3, [rnn("rnn_relu", 5), rnn("lstm", 7, bias=False), rnn("gru", 4), dense(8, "tanh", bias=False),
                  dense(3, "sigmoid")], 11, 18, False, True),
    ("both", 6, [rnn("gru", 5, bidirectional=True), rnn("rnn_tanh", 3, bidirectional=True, num_layers=3)],
     8, [8, 2, 5], False, True),
    ("projected", 4, [rnn("lstm", 9, proj_size=5, num_layers=2), rnn("lstm", 8, proj_size=3, bidirectional=True),
                      dense(2)], 7, [3, 7, 5, 1], False, False),
    ("projected_batch", 3, [rnn("lstm", 21, proj_size=18)], 6, 32, True, False),
    ("front", 7, [dense(5, "tanh"), rnn("rnn_tanh", 18), dense(7)], 60, 20, False, True),
]


def lua(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"%s"' % value if isinstance(value, str) else str(value)


def call(function, fields):
    return "%s { %s }" % (function, ", ".join("%s = %s" % (key, lua(value)) for key, value in fields.items()))


def build(x_width, layers):
    """The modules, in float64, and the layers in Lua."""
    modules, texts, width, at = [], [], x_width, 0
    if isinstance(x_width, tuple):
        _, count, width = x_width
        modules.append(("embedding", torch.nn.Embedding(count, width)))
        texts.append(call("embedding", dict(num_embeddings=count, dim=width, prefix="l0.")))
    for layer in layers:
        at = len(modules)
        own = {} if at else {"input_size": width}
        if layer[0] == "dense":
            _, units, activation, bias, last_step = layer
            modules.append((layer, torch.nn.Linear(width, units, bias=bias)))
            own.update(units=units, activation=activation, bias=bias, last_step=last_step)
            texts.append(call("dense", dict(own, prefix="l%d." % at)))
            width = units
        else:
            _, cell, hidden, options = layer
            kind, _, function = cell.partition("_")
            extra = {"nonlinearity": function} if function else {}
            module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind]
            modules.append((layer, module(width, hidden, **options, **extra)))
            texts.append(call("rnn", dict(own, cell=kind, hidden_size=hidden, prefix="l%d." % at, **options, **extra)))
            width = options.get("proj_size", hidden) * (2 if options.get("bidirectional") else 1)
    return [(layer, module.double()) for layer, module in modules], texts


def start_of(layer, module, batch):
    """Random h0 and, for LSTM, c0."""
    rows = module.num_layers * (2 if module.bidirectional else 1)
    widths = [module.proj_size or module.hidden_size]
    if layer[1] == "lstm":
        widths.append(module.hidden_size)
    return [float32_numbers((rows, batch, width), 1.0) for width in widths]


def run(modules, x, starts, residual):
    """One sequence (steps, 1, width): y and the states at the end."""
    value, ends, starts = x, [], iter(starts)
    for layer, module in modules:
        if layer == "embedding":
            value = module(value)
        elif layer[0] == "dense":
            value = ACTIVATIONS[layer[2]](module(value[-1:] if layer[4] else value))
        else:
            start = next(starts)
            value, end = module(value, tuple(start) if len(start) == 2 else start[0])
            ends.append(list(end) if len(start) == 2 else [end])
    return value + x if residual else value, ends


def record(directory, model):
    name, x_width, layers, T, batch, batch_first, residual = model
    lengths = batch if isinstance(batch, list) else [T] * batch
    B = len(lengths)
    modules, texts = build(x_width, layers)
    tokens = isinstance(x_width, tuple)
    with torch.no_grad():
        for _, module in modules:
            for weight in module.parameters():
                weight.copy_(float32_numbers(weight.shape, 2 * weight.shape[-1] ** -0.5))
        x = torch.randint(0, x_width[1], (T, B)) if tokens else float32_numbers((T, B, x_width), 1.0)
        recurrent = [(layer, module) for layer, module in modules if layer[0] == "rnn"]
        starts = [start_of(layer, module, B) for layer, module in recurrent]
        last_step = any(layer[0] == "dense" and layer[4] for layer, _ in modules)
        outputs, ends = [], [[torch.empty_like(state) for state in start] for start in starts]
        for b, length in enumerate(lengths):
            own = [[state[:, b : b + 1].contiguous() for state in start] for start in starts]
            y, end = run(modules, x[:length, b : b + 1], own, residual)
            padded = torch.zeros((1 if last_step else T, 1, y.shape[2]), dtype=torch.float64)
            padded[: y.shape[0]] = y
            outputs.append(padded)
            for all_ends, own_ends in zip(ends, end):
                for state, own_state in zip(all_ends, own_ends):
                    state[:, b] = own_state[:, 0]
    y = torch.cat(outputs, 1)
    y = y[0] if last_step else y.transpose(0, 1) if batch_first else y
    x = x.transpose(0, 1) if batch_first else x
    tensors = {"tokens" if tokens else "x": x.contiguous(), "y": y.contiguous()}
    for state, index in (("h", 0), ("c", 1)):
        for suffix, values in (("0", starts), ("n", ends)):
            pieces = [value[index].flatten() for value in values if len(value) > index]
            if pieces:
                tensors[state + suffix] = torch.cat(pieces)
    for at, (_, module) in enumerate(modules):
        for key, value in module.state_dict().items():
            tensors["l%d.%s" % (at, key)] = value
    spec = "batch_first = %s, residual = %s, layers = { %s }" % (lua(batch_first), lua(residual), ", ".join(texts))
    metadata = {"spec": spec, "T": str(T), "B": str(B)}
    if isinstance(batch, list):
        metadata["lengths"] = " ".join(map(str, lengths))
    write_safetensors(os.path.join(directory, name + ".safetensors"), tensors, metadata)


def main():
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
    if len(sys.argv) > 1:
        directory = sys.argv[1]
    os.makedirs(directory, exist_ok=True)
    torch.manual_seed(21)
    for model in MODELS:
        record(directory, model)


if __name__ == "__main__":
    main()
