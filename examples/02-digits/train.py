#!/usr/bin/python3
"""Trains the digit reader and writes digits.safetensors and test.safetensors beside this script.

The data are the UCI handwritten digits, 1,797 images of 8x8 pixels with values 0..16, as
scikit-learn carries them. An image is read as a sequence: its 8 rows are the time steps, and the
8 pixels of a row, divided by 16, are the inputs of a step. The last hidden state of an nn.RNN goes
through an nn.Linear to ten logits.

digits.safetensors   the model's state_dict: rnn.weight_ih_l0 ... rnn.bias_hh_l1, linear.weight,
                     linear.bias
test.safetensors     352 images that training never saw, drawn evenly from the ten classes: images
                     (352, 8, 8), labels (352), and PyTorch's logits (352, 10) and predictions
                     (352) for them; everything float32

Needs python3-torch and python3-sklearn; takes about 20 seconds. The same versions of these give
the same files.
"""
import json
import pathlib
import struct

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
HIDDEN, LAYERS = 64, 2
TEST = 352  # 11 batches of 32
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 200, 32, 2e-3, 1e-2


class DigitReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(8, HIDDEN, LAYERS, nonlinearity="tanh", batch_first=True)
        self.linear = nn.Linear(HIDDEN, 10)

    def forward(self, images):  # (B, 8, 8) -> (B, 10)
        _, hn = self.rnn(images)
        return self.linear(hn[-1])


def shifted(images):
    """The images moved by up to one pixel, all by the same random amount; empty pixels are 0."""
    row, col = torch.randint(0, 3, (2,)).tolist()
    return functional.pad(images, (1, 1, 1, 1))[:, row : row + 8, col : col + 8]


def train(model, images, labels):
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = functional.cross_entropy(model(shifted(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def save(path, tensors):
    """Writes a dict of tensors as float32 in the safetensors format."""
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
    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.use_deterministic_algorithms(True)

    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    seen, held_out = train_test_split(
        range(len(images)), test_size=TEST, random_state=1, stratify=digits.target
    )

    model = DigitReader()
    train(model, images[seen], labels[seen])

    with torch.no_grad():
        fit = model(images[seen]).argmax(1) == labels[seen]
        logits = model(images[held_out])
    predictions = logits.argmax(1)
    right = predictions == labels[held_out]
    top = logits.topk(2).values
    print(f"trained on {len(seen)} images, {100 * fit.float().mean():.2f} % of them right")
    print(f"held out:  {len(held_out)} images, {100 * right.float().mean():.2f} % of them right")
    print(f"closest call: the two largest logits differ by {(top[:, 0] - top[:, 1]).min():.4f}")

    save(HERE / "digits.safetensors", model.state_dict())
    save(
        HERE / "test.safetensors",
        {
            "images": images[held_out],
            "labels": labels[held_out],
            "logits": logits,
            "predictions": predictions,
        },
    )


if __name__ == "__main__":
    main()
