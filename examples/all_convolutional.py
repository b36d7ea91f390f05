"""A network without pooling: convolutions with stride 2 make the maps smaller.

    python examples/all_convolutional.py

It learns the bundled digits, and so does the same network with max pooling in their place. The end
has no fully connected layer, either: 1x1 convolutions, and the average over the map.

J. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all
convolutional net", 2014.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from cnnfast.data import DataLoader, digits
from cnnfast.nn import (
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from cnnfast.optim import Adam
from cnnfast.training import evaluate, train_epoch


def network(width: int, pooling: bool, rng: np.random.Generator) -> Sequential:
    """Make the network: images (N, 1, 28, 28) to scores (N, 10), over maps of 14x14 and 7x7."""

    def conv(channels: int, filters: int, size: int = 3) -> list[Module]:
        return [Conv2d(channels, filters, size, padding=size // 2, rng=rng), ReLU()]

    def smaller(channels: int) -> list[Module]:
        if pooling:
            return [*conv(channels, channels), MaxPool2d(2)]
        return [Conv2d(channels, channels, 3, stride=2, padding=1, rng=rng), ReLU()]

    return Sequential(
        *conv(1, width),
        *smaller(width),
        *conv(width, 2 * width),
        *smaller(2 * width),
        *conv(2 * width, 2 * width),
        *conv(2 * width, 2 * width, size=1),
        Conv2d(2 * width, 10, 1, rng=rng),
        GlobalAvgPool2d(),
        Flatten(),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Strided convolutions in place of pooling.")
    parser.add_argument("--images", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--width", type=int, default=32, help="channels; default: %(default)s")
    options = parser.parse_args(argv)

    images, labels, test_images, test_labels = digits()
    images, labels = images[: options.images], labels[: options.images]
    for title, pooling in (("max pooling", True), ("strided convolutions", False)):
        model = network(options.width, pooling, np.random.default_rng(0))
        optimizer = Adam(model.parameters(), lr=0.003)
        loader = DataLoader(images, labels, batch_size=64, shuffle=True, seed=0)
        for _ in range(options.epochs):
            train_epoch(model, loader, CrossEntropyLoss(), optimizer)
        accuracy = evaluate(model, test_images, test_labels)
        print(f"{title:22}{sum(p.size for p in model.parameters()):,} parameters, {accuracy:.1%}")


if __name__ == "__main__":
    main()
