"""A DCGAN's generator: noise becomes images by transposed convolutions, forward and backward.

    python examples/generator.py

Instead of playing against a discriminator it learns some of the bundled digits by heart: each has
its own noise, which never changes, and the mean squared difference to the digit is the loss. The
pictures come in a grid, digits above what the network makes (with matplotlib, if it is installed).

A. Radford, L. Metz, S. Chintala, "Unsupervised representation learning with deep convolutional
generative adversarial networks", 2015.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast.data import digits
from cnnfast.nn import BatchNorm2d, ConvTranspose2d, ReLU, Sequential, Tanh
from cnnfast.optim import Adam

ROW = 8  # digits in a row of the picture


def generator(noise: int, width: int, rng: np.random.Generator) -> Sequential:
    """Make the network: (N, noise, 1, 1) to images (N, 1, 28, 28) in [-1, 1]."""
    return Sequential(
        ConvTranspose2d(noise, 2 * width, 7, bias=False, rng=rng),  # 7x7
        BatchNorm2d(2 * width),
        ReLU(),
        ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False, rng=rng),  # 14x14
        BatchNorm2d(width),
        ReLU(),
        ConvTranspose2d(width, 1, 4, stride=2, padding=1, rng=rng),  # 28x28
        Tanh(),
    )


def step(model: Sequential, optimizer: Adam, noise: np.ndarray, images: np.ndarray) -> float:
    """Move the parameters a little towards these images, and give the loss before that."""
    made, backward = model.forward(noise)
    difference = made - images
    backward(2 * difference / difference.size, input_grad=False)
    optimizer.step()
    optimizer.zero_grad()
    return float(np.mean(difference**2))


def grid(images: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Put the images into rows of one picture, and what was made of the noise below each."""
    rows = []
    for start in range(0, len(images), ROW):
        for part in (images, made):
            row = np.full((ROW, 28, 28), -1, np.float32)
            chosen = part[start : start + ROW, 0]
            row[: len(chosen)] = chosen
            rows.append(np.hstack(row))
    return np.vstack(rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Let a DCGAN's generator learn digits by heart.")
    parser.add_argument("--digits", type=int, default=32, help="how many; default: %(default)s")
    parser.add_argument("--steps", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--width", type=int, default=32, help="channels; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("generator.png"), help="the picture")
    options = parser.parse_args(argv)

    rng = np.random.default_rng(0)
    images = 2 * digits().train_images[: options.digits] - 1
    noise = rng.standard_normal((len(images), 64, 1, 1), np.float32)
    model = generator(64, options.width, rng)
    optimizer = Adam(model.parameters(), lr=0.005)
    for number in range(1, options.steps + 1):
        loss = step(model, optimizer, noise, images)
        if number == 1 or number % max(1, options.steps // 10) == 0:
            print(f"step {number:4}   mean squared difference {loss:.4f}")
    try:
        from matplotlib.image import imsave
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    imsave(options.out, grid(images, model(noise)), cmap="gray", vmin=-1, vmax=1)
    print(f"saved {options.out}")


if __name__ == "__main__":
    main()
