#!/usr/bin/python3
"""Trains a network to sound as a distortion circuit, and writes amp.safetensors and
reference.safetensors beside this script.

The circuit is the diode clipper of distortion pedals, see circuit.h. Training has no recordings:
plucked strings (Karplus and Strong) go through the circuit's differential equation, and an LSTM
with 20 units, a linear layer and the input added to the output (Wright et al.) learn what comes
out.

amp.safetensors        the model's state_dict: rec.weight_ih_l0 ..., lin.weight, lin.bias
reference.safetensors  a second of sound that training never saw: `input` (48000), `pytorch`
                       (48000), the trained model's output, computed in double precision, and
                       `circuit` (48000), the circuit's; everything float32

Needs python3-torch and python3-numpy; takes about four minutes. The same versions of these give
the same files.

A. Wright, E.-P. Damskägg, L. Juvela, V. Välimäki, "Real-Time Guitar Amplifier Emulation with
Deep Learning", Applied Sciences 10(3), 2020.
"""
import argparse
import json
import pathlib
import struct
import time

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
RATE = 48000  # samples per second

# The circuit, with the values of circuit.c.
RESISTOR, CAPACITOR = 2200.0, 10e-9  # ohm, farad
SATURATION, THERMAL = 2.52e-9, 45.3e-3  # of the diodes: ampere, volt
GAIN, FULL_SCALE = 4.5, 0.65  # volts of input and of output for a sample of 1
OVERSAMPLING = 8

HIDDEN = 20
SEQUENCES, SECONDS = 64, 0.5  # all of them in one batch: 32 seconds of sound
CHUNK = 96  # time steps between updates of the weights: 2 ms
START = 32  # time steps that are also trained from a state of zero
EPOCHS, LEARNING_RATE = 30, 8e-3


def clipper(x):
    """The voltage over the diodes for inputs (sequences, time), by the trapezoidal rule. The input
    is a straight line from sample to sample; Newton's method solves each small step."""
    step = 1.0 / (RATE * OVERSAMPLING)

    def slope(u, v):
        through_resistor = (u - v) / (RESISTOR * CAPACITOR)
        return through_resistor - 2 * SATURATION / CAPACITOR * numpy.sinh(v / THERMAL)

    def slope_by_v(v):
        conductance = 2 * SATURATION / THERMAL * numpy.cosh(v / THERMAL)
        return -(1 / RESISTOR + conductance) / CAPACITOR

    y = numpy.zeros_like(x)
    v = numpy.zeros(len(x))
    u = numpy.zeros(len(x))
    for n in range(x.shape[1]):
        rise = (GAIN * x[:, n] - u) / OVERSAMPLING
        for _ in range(OVERSAMPLING):
            known = v + step / 2 * slope(u, v)
            u = u + rise
            change = 1.0
            while numpy.max(numpy.abs(change)) > 1e-9:
                residue = v - known - step / 2 * slope(u, v)
                change = numpy.clip(residue / (1 - step / 2 * slope_by_v(v)), -0.1, 0.1)
                v = v - change
        y[:, n] = v
    return y / FULL_SCALE


def pluck(random, count):
    """`count` samples of a plucked string: noise that goes round a delay line and is averaged with
    the sample before (K. Karplus, A. Strong, "Digital Synthesis of Plucked-String and Drum
    Timbres", Computer Music Journal 7(2), 1983). From E2 to E6, of any brightness and damping."""
    period = int(RATE / (82.4 * 2 ** random.uniform(0, 4)))
    brightness, damping = random.uniform(0.1, 1), random.uniform(0.98, 1)
    turn = numpy.zeros(period)
    smooth = 0.0
    for i, noise in enumerate(random.uniform(-1, 1, period)):
        smooth += brightness * (noise - smooth)
        turn[i] = smooth
    turn -= turn.mean()  # a string has no direct current
    turns, last = [turn], 0.0
    for _ in range(count // period):
        before = numpy.concatenate(([last], turn[:-1]))
        last = turn[-1]
        turn = damping * (turn + before) / 2
        turns.append(turn)
    return numpy.concatenate(turns)[:count]


def guitar(random, count):
    """Up to six strings, the first struck within START samples, with a peak of 0.02 to 1."""
    sound = numpy.zeros(count)
    for string in range(random.integers(1, 7)):
        start = int(random.uniform(0, 0.5) * count) if string > 0 else random.integers(START)
        sound[start:] += random.uniform(0.3, 1) * pluck(random, count - start)
    return sound / numpy.abs(sound).max() * 50 ** random.uniform(-1, 0)


class Amp(nn.Module):
    def __init__(self):
        super().__init__()
        self.rec = nn.LSTM(1, HIDDEN, batch_first=True)
        self.lin = nn.Linear(HIDDEN, 1)

    def forward(self, x, state=None):  # (B, T, 1) -> (B, T, 1)
        hidden, state = self.rec(x, state)
        return x + self.lin(hidden), state


def error_to_signal(y, target):
    return ((y - target) ** 2).sum() / (target**2).sum()


def train(model, x, target, epochs):
    """Truncated backpropagation through time: the state is carried on from chunk to chunk, the
    gradient is not. A state of zero is not where the network comes to rest in silence; the start of
    every sound is a part of every loss, or playing would begin with a click."""
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    chunks = -(-x.shape[1] // CHUNK)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * chunks, pct_start=0.1
    )
    begin = time.time()
    for epoch in range(epochs):
        state, total = None, 0.0
        for x_chunk, target_chunk in zip(x.split(CHUNK, 1), target.split(CHUNK, 1)):
            y, state = model(x_chunk, state)
            state = tuple(part.detach() for part in state)
            loss = error_to_signal(y, target_chunk)
            total += loss.item()
            loss = loss + error_to_signal(model(x[:, :START])[0], target[:, :START])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        seconds = time.time() - begin
        print(f"epoch {epoch + 1}: {100 * total / chunks:.4f} %, {seconds:.0f} s", flush=True)


def save(path, tensors):
    """Writes a dict of tensors as float32 in the safetensors format: the size of the header in 8
    bytes, the header in JSON, the data."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().to(torch.float32).numpy().astype("<f4").tobytes()
        offsets = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin aligned
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser(description="trains the network of this example")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers (1)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"({EPOCHS})")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE, help="where to write (here)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    random = numpy.random.default_rng(options.seed)

    print("sound and circuit ...", flush=True)
    count = int(SECONDS * RATE)
    sounds = numpy.stack([guitar(random, count) for _ in range(SEQUENCES)])
    held_out = guitar(random, RATE)
    held_out = held_out / numpy.abs(held_out).max() * 0.7
    held_out = held_out.astype(numpy.float32)  # as it will be in the file
    x = torch.tensor(sounds, dtype=torch.float32).unsqueeze(2)
    target = torch.tensor(clipper(sounds), dtype=torch.float32).unsqueeze(2)
    circuit = torch.tensor(clipper(held_out.astype(float)[None])[0])

    model = Amp()
    train(model, x, target, options.epochs)

    with torch.no_grad():
        y, _ = model.double()(torch.tensor(held_out, dtype=torch.float64).reshape(1, -1, 1))
    y = y.flatten()
    print(f"held out: error-to-signal ratio {100 * error_to_signal(y, circuit):.4f} %")

    save(options.folder / "amp.safetensors", model.state_dict())
    save(
        options.folder / "reference.safetensors",
        {"input": torch.tensor(held_out), "pytorch": y, "circuit": circuit},
    )


if __name__ == "__main__":
    main()
