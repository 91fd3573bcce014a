#!/usr/bin/python3
"""Records runs.safetensors beside this script: 50 steps of PyTorch's optimisers on one small network.

x, y               the data (23, 11, 3) and (23, 11, 2), random, all of them in each step
net.weight_ih_l0 ..., net.weight, net.bias
                   the first weights of nn.LSTM(3, 5, 2) and nn.Linear(5, 2)
losses.NAME        (50), the loss (mse) before each step; OPTIMISERS says what NAME is

Gradients are clipped to a norm of 0.05, which they exceed in more than half of the steps. Needs python3-torch; made with 1.13.0 of Debian
12 (BSD licence). The random numbers are this script's own data.
"""
import json
import pathlib
import struct

import torch
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
STEPS, CLIP = 50, 0.05
OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.5, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.005, betas=(0.8, 0.99), weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.003, alpha=0.9, momentum=0.5),
}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.rec = nn.LSTM(3, 5, 2, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.rec(x)[0])


def save(path, tensors):
    """Writes a dict of tensors as float32 in the safetensors format."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
        offsets = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    x = torch.rand(23, 11, 3) * 2 - 1
    y = torch.stack([x[:, :, 2], torch.cumsum(x[:, :, 0] * x[:, :, 1], 1)], 2)
    start = Network()
    tensors = {"x": x, "y": y}
    for name, value in start.state_dict().items():
        tensors["net." + name.split(".")[1]] = value.clone()
    clipped = 0
    for name, make in OPTIMISERS.items():
        network = Network()
        network.load_state_dict(start.state_dict())
        optimiser, losses = make(network.parameters()), []
        for _ in range(STEPS):
            loss = functional.mse_loss(network(x), y)
            losses.append(loss.item())
            optimiser.zero_grad()
            loss.backward()
            clipped += nn.utils.clip_grad_norm_(network.parameters(), CLIP) > CLIP
            optimiser.step()
        print(f"{name}: {losses[0]:.4f} to {losses[-1]:.4f}")
        tensors["losses." + name] = torch.tensor(losses)
    print(f"{clipped} of {STEPS * len(OPTIMISERS)} gradients were clipped")
    save(HERE / "runs.safetensors", tensors)


if __name__ == "__main__":
    main()
