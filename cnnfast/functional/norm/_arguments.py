"""What the normalisations check, and the memory they work in."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, number, same_dtype, same_shape
from cnnfast.functional._memory import is_channels_last

SHAPES = {2: "(N, C)", 3: "(N, C, L)", 4: "(N, C, H, W)", 5: "(N, C, D, H, W)"}

Vector = np.ndarray | None
Gradients = tuple[Vector, Vector, Vector]


def checked_input(
    function: str, x: np.ndarray, dimensions: Collection[int] = (2, 3, 4, 5)
) -> np.ndarray:
    """Check an array of one of these numbers of dimensions."""
    x = float_array(function, "x", x)
    if x.ndim not in dimensions:
        shapes = " or ".join(SHAPES[n] for n in dimensions)
        raise ValueError(f"{function}: x must have a shape {shapes}, got {x.shape}")
    nonempty(function, "x", x)
    return x


def checked_eps(function: str, eps: float) -> float:
    return number(function, "eps", eps, 0)


def channel_vectors(function: str, x: np.ndarray, **vectors: Vector) -> list[Vector]:
    """Check that each vector (None is passed on) has the dtype of x and one element a channel."""
    checked: list[Vector] = []
    for name, vector in vectors.items():
        if vector is not None:
            vector = np.ascontiguousarray(float_array(function, name, vector, 1))
            same_dtype(function, "x", x, **{name: vector})
            same_shape(function, name, vector, x.shape[1:2], "the number of channels")
        checked.append(vector)
    return checked


def image(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """View `x` as dense (N, C, H, W), a copy if need be; and whether that is channels-last."""
    if x.ndim == 5:
        x = x.reshape(*x.shape[:3], x.shape[3] * x.shape[4])
    x = x.reshape(x.shape + (1,) * (4 - x.ndim))
    channels_last = is_channels_last(x)
    return (x if channels_last else np.ascontiguousarray(x)), channels_last
