"""How many multiplications, each with an addition, a layer takes for one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cnnfast.nn import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    LocallyConnected2d,
    Module,
)


def multiply_adds(layer: Module, x_shape: Sequence[int], y_shape: Sequence[int]) -> int:
    """Count those with weights, by the direct method, for an input and an output of these shapes.

    What is done once for an element of the output, or less, is not counted: biases, activations,
    normalisation, pooling.

    Examples
    --------
    >>> conv = Conv2d(3, 96, 11, stride=4)
    >>> multiply_adds(conv, (1, 3, 227, 227), (1, 96, 55, 55)) == 96 * 363 * 3025
    True
    """
    if isinstance(layer, (Conv1d, Conv2d, Conv3d)):  # every filter, at every output
        return layer.weight.size * y_shape[0] * math.prod(y_shape[2:])
    if isinstance(layer, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)):  # at every input
        return layer.weight.size * x_shape[0] * math.prod(x_shape[2:])
    if isinstance(layer, LocallyConnected2d):  # filters of its own for every output
        return layer.weight.size * y_shape[0]
    if isinstance(layer, Linear):
        return layer.weight.size * math.prod(y_shape[:-1])
    return 0
