"""Dilated convolutions: a receptive field that doubles with every layer, for no more weights.

    python examples/dilated.py

Each layer has 3x3 filters, and their taps lie twice as far apart as in the layer before. An output
of n such layers then sees 2^(n+1) - 1 pixels along each axis; without dilation it sees 2n + 1.
That is computed here from the layers, and then seen in the network: the gradient of one output
reaches the pixels that the output depends on, and no others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import numpy as np

from cnnfast.nn import Conv2d, Sequential


def stack(dilations: Iterable[int], rng: np.random.Generator) -> Sequential:
    """Put layers behind each other that keep the size of the image."""
    return Sequential(
        *[Conv2d(1, 1, 3, padding="same", dilation=d, rng=rng, dtype=np.float64) for d in dilations]
    )


def receptive_field(model: Sequential) -> int:
    """Compute how many pixels along an axis an output depends on.

    Another layer lets an output see as far as the outermost taps of a filter are apart beyond what
    each of the values under these taps sees.
    """
    return 1 + sum(layer.dilation[0] * (layer.kernel_size[0] - 1) for layer in model)


def seen(model: Sequential, side: int) -> tuple[int, int]:
    """Measure it: how many rows and columns the gradient of the output in the middle reaches."""
    _, backward = model.forward(np.zeros((1, 1, side, side)))
    grad = np.zeros((1, 1, side, side))
    grad[0, 0, side // 2, side // 2] = 1
    reached = backward(grad)[0, 0] != 0
    return int(reached.any(axis=1).sum()), int(reached.any(axis=0).sum())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How receptive fields grow with dilation.")
    parser.add_argument("--layers", type=int, default=7, help="default: %(default)s")
    options = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    print("layers  dilation  weights  receptive field  measured  without dilation")
    for count in range(1, options.layers + 1):
        model = stack([2**i for i in range(count)], rng)
        field = receptive_field(model)
        rows, columns = seen(model, side=field + 2)  # a pixel more on each side
        if not rows == columns == field:
            raise AssertionError(f"{count} layers: computed {field}, measured {rows} x {columns}")
        plain = receptive_field(stack([1] * count, rng))
        weights = sum(layer.weight.size for layer in model)
        print(
            f"{count:6}{2 ** (count - 1):10}{weights:9}{f'{field} x {field}':>17}"
            f"{f'{rows} x {columns}':>10}{f'{plain} x {plain}':>18}"
        )


if __name__ == "__main__":
    main()
