#!/usr/bin/python3
"""Trains the character language model and writes the files beside this script.

The text is the King James Version of the Bible as the Debian package bible-kjv prints it, a verse
on each line, without the references. The book of Ruth is held out. A token stands for a character;
nn.Embedding -> nn.GRU -> nn.Linear -> log_softmax gives the logarithms of the probabilities of the
next one. Training reads 64 parts of the text side by side and carries the state on from one piece
of 64 characters to the next; it starts from zero again with each pass over the text.

charlm.safetensors   the model's state_dict, rounded to float16: embed.weight, rec.weight_ih_l0 ...
                     rec.bias_hh_l0, head.weight, head.bias
held_out.txt         the book of Ruth
test.safetensors     what PyTorch makes of it with the rounded weights, in double precision, when
                     it reads a newline (token 0) before the text: log_probs (200, 63) of its first
                     200 characters and the state hn (1, 1, 192) after them, and
                     bits_per_character, the mean of -log2 of the probabilities of all characters
                     of the text

Needs python3-torch and bible-kjv; takes about eight minutes of one core. The same seed and the same
versions of these give the same files.
"""
import argparse
import json
import math
import pathlib
import struct
import subprocess

import torch
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
# Every character of the text, in the order of its token; vocabulary.c has the same.
VOCABULARY = "\n !'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz"
DIM, HIDDEN = 32, 192
EPOCHS, STREAMS, STEPS, LEARNING_RATE = 5, 64, 64, 5e-3
RECORDED = 200


class CharacterModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(VOCABULARY), DIM)
        self.rec = nn.GRU(DIM, HIDDEN)
        self.head = nn.Linear(HIDDEN, len(VOCABULARY))

    def forward(self, tokens, h=None):  # (T, B) -> logarithms (T, B, vocabulary), state (1, B, H)
        y, hn = self.rec(self.embed(tokens), h)
        return functional.log_softmax(self.head(y), -1), hn


def read_text():
    """The text to train with and the book of Ruth, a verse on each line."""
    command = ["bible", "-f", "gen1:1-rev22:21"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    verses = [line.split(" ", 1) for line in lines]
    seen = "".join(text + "\n" for place, text in verses if not place.startswith("Ruth"))
    held_out = "".join(text + "\n" for place, text in verses if place.startswith("Ruth"))
    return seen, held_out


def to_tokens(text):
    token = {character: i for i, character in enumerate(VOCABULARY)}
    return torch.tensor([token[character] for character in text])


def mean_bits(log_probs, targets):
    return functional.nll_loss(log_probs.flatten(0, 1), targets.flatten()) / math.log(2)


def train(model, tokens):
    """The first character of each stream is only read, the others are predicted, too."""
    pieces = (len(tokens) - 1) // STREAMS // STEPS
    length = pieces * STEPS
    starts = torch.arange(STREAMS) * ((len(tokens) - 1) // STREAMS)
    streams = torch.stack([tokens[start : start + length + 1] for start in starts], 1)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * pieces
    )
    for epoch in range(EPOCHS):
        h, total = None, 0.0
        for begin in range(0, length, STEPS):
            piece = streams[begin : begin + STEPS + 1]
            log_probs, h = model(piece[:-1], h)
            h = h.detach()
            loss = mean_bits(log_probs, piece[1:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {EPOCHS}: {total / pieces:.4f} bits per character", flush=True)


def save(path, tensors, dtype):
    """Writes a dict of tensors as F16 or F32 in the safetensors format."""
    kind = {"F16": (torch.float16, "<f2"), "F32": (torch.float32, "<f4")}[dtype]
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().to(kind[0]).numpy().astype(kind[1]).tobytes()
        offsets = [len(data), len(data) + len(values)]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": offsets}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin aligned
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=1, help="of the first weights (1)")
    torch.manual_seed(arguments.parse_args().seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    seen, held_out = read_text()
    print(f"{len(seen)} characters to train with, {len(held_out)} held out", flush=True)
    model = CharacterModel()
    train(model, to_tokens(seen))

    save(HERE / "charlm.safetensors", model.state_dict(), "F16")
    (HERE / "held_out.txt").write_text(held_out)

    model.half().double()  # the weights as they are in the file
    targets = to_tokens(held_out)[:, None]
    tokens = torch.cat([targets.new_zeros(1, 1), targets[:-1]])
    with torch.no_grad():
        bits = mean_bits(model(tokens)[0], targets)
        log_probs, hn = model(tokens[:RECORDED])
    print(f"held out: {bits:.6f} bits per character")
    save(
        HERE / "test.safetensors",
        {"log_probs": log_probs[:, 0], "hn": hn, "bits_per_character": bits},
        "F32",
    )


if __name__ == "__main__":
    main()
