#!/usr/bin/env python3
"""Records what PyTorch computes for packed sequences: tests/cases/packed.py [DIRECTORY]

Writes one safetensors file for each network below into tests/cases/packed (or DIRECTORY). Run it with a
Python that has PyTorch (Debian: python3-torch); the tests read the files that are committed and need
neither. Weights, x, h0 and c0 are random float32 numbers of a fixed seed; PyTorch computes in float64, and
its results are rounded to float32. Inputs beyond a sequence's length are NaN, so that whoever reads them
cannot be right.
"""
import json
import os
import struct
import sys

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = {
    "rnn_tanh": lambda *sizes, **options: torch.nn.RNN(*sizes, nonlinearity="tanh", **options),
    "rnn_relu": lambda *sizes, **options: torch.nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}

# I, H, L, D, bias, batch_first, T, lengths, whether h0 (c0) is given. Nothing is sorted; the longest is
# first, in the middle or last, and not always T; the shortest is 1. 18 sequences fill a vector and a rest;
# 50 steps are more than a chunk of time.
NETWORKS = [
    (5, 7, 1, 1, True, False, 9, [4, 9, 1, 6], True),
    (3, 6, 1, 2, False, True, 7, [2, 7, 7, 1, 5], True),
    (6, 9, 2, 1, False, True, 11, [3, 8, 1], True),
    (4, 5, 2, 2, True, False, 13, [13, 2, 11, 1, 6, 12], True),
    (7, 4, 3, 2, True, True, 6, [5, 1, 6, 2, 4, 3, 6], False),
    (2, 10, 3, 1, True, False, 8, [1, 5], False),
    (1, 3, 2, 2, False, False, 5, [3, 1, 5, 2, 4, 1, 2, 5, 3, 3, 1, 4, 2, 5, 1, 2, 3, 4], True),
    (2, 17, 1, 1, True, True, 50, [20, 50, 45], True),
]


def write_safetensors(path, tensors, metadata):
    """A length of 8 bytes, little-endian; a JSON header, padded to 8 bytes; the numbers (F32)."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().float().flatten().tolist()
        piece = struct.pack("<%df" % len(values), *values)
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(piece)],
        }
        data += piece
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def float32_numbers(shape, scale):
    """Random in +-scale, of float32's precision but as float64."""
    return ((2 * torch.rand(shape, dtype=torch.float64) - 1) * scale).float().double()


def record(directory, cell, network):
    I, H, L, D, bias, batch_first, T, lengths, with_state = network
    B = len(lengths)
    model = CELLS[cell](I, H, L, bias=bias, batch_first=batch_first, bidirectional=D == 2).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(float32_numbers(weight.shape, H**-0.5))
    x = float32_numbers((B, T, I) if batch_first else (T, B, I), 1.0)
    for b, length in enumerate(lengths):
        (x[b] if batch_first else x[:, b])[length:] = float("nan")
    states = [float32_numbers((L * D, B, H), 1.0) for _ in range(2 if cell == "lstm" else 1)]
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted=False)
    start = None
    if with_state:
        start = tuple(states) if cell == "lstm" else states[0]
    with torch.no_grad():
        out, end = model(packed, start)
    y, _ = pad_packed_sequence(out, batch_first, total_length=T)
    tensors = dict(model.named_parameters(), x=x, y=y)
    tensors.update(zip(("hn", "cn"), end if cell == "lstm" else [end]))
    if with_state:
        tensors.update(zip(("h0", "c0"), states))
    sizes = dict(I=I, H=H, L=L, D=D, bias=int(bias), batch_first=int(batch_first), T=T, B=B)
    metadata = {key: str(value) for key, value in sizes.items()}
    metadata.update(cell=cell, lengths=" ".join(map(str, lengths)), states=str(int(with_state)))
    name = "_".join([cell] + list(map(str, sizes.values()))) + ".safetensors"
    write_safetensors(os.path.join(directory, name), tensors, metadata)


def main():
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "packed")
    if len(sys.argv) > 1:
        directory = sys.argv[1]
    os.makedirs(directory, exist_ok=True)
    torch.manual_seed(20)
    for cell in CELLS:
        for network in NETWORKS:
            record(directory, cell, network)


if __name__ == "__main__":
    main()
