#!/usr/bin/python3
"""Writes train.npz and held_out.npz beside this script, which `rnnc train model.lua` learns from.

The same images as those of train.py, in the same division: 1,445 to learn from, and the 352 that training never sees.
x (N, 8, 8) are pixels divided by 16, as float16, which has them exactly; y (N) labels.

Needs python3-numpy and python3-sklearn.
"""
import pathlib

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).parent
TEST = 352


def main():
    digits = load_digits()
    divided = train_test_split(
        range(len(digits.images)), test_size=TEST, random_state=1, stratify=digits.target
    )
    for name, numbers in zip(("train", "held_out"), divided):
        numpy.savez_compressed(
            HERE / f"{name}.npz",
            x=(digits.images[numbers] / 16).astype("<f2"),
            y=digits.target[numbers].astype("u1"),
        )


if __name__ == "__main__":
    main()
