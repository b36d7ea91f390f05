"""What several operators need: sums over what was repeated, axes, and bounds on sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

#: More elements than this a number in a file cannot ask for: it is taken for an attack.
MOST_ELEMENTS = 2**31


def is_float(x: np.ndarray) -> bool:
    """Whether `x` can have a gradient; NumPy does not count bfloat16 among the floats."""
    return x.dtype.kind == "f" or x.dtype.name == "bfloat16"


def sum_to(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes along which broadcasting repeated an array of `shape`."""
    if grad.shape == shape:
        return grad
    added = grad.ndim - len(shape)
    repeated = [added + i for i, size in enumerate(shape) if size != grad.shape[added + i]]
    return np.asarray(grad.sum(axis=(*range(added), *repeated))).reshape(shape)


def as_axes(axes: Iterable[int], ndim: int) -> tuple[int, ...]:
    """Count `axes` from the front; ValueError if one is not among `ndim`, or there twice."""
    given = tuple(map(int, axes))
    counted = tuple(axis + ndim if axis < 0 else axis for axis in given)
    if not all(0 <= axis < ndim for axis in counted) or len(set(counted)) < len(counted):
        raise ValueError(f"axes {given} must differ and lie in {-ndim}..{ndim - 1}")
    return counted


def as_shape(operator: str, shape: Iterable[int]) -> tuple[int, ...]:
    """Check a shape that the model computes, before memory is taken for it."""
    sizes = tuple(map(int, shape))
    if min(sizes, default=0) < 0:
        raise ValueError(f"{operator}: a shape must not be negative, got {sizes}")
    if math.prod(sizes) > MOST_ELEMENTS:
        raise ValueError(
            f"{operator}: shape {sizes} has {math.prod(sizes):,} elements, more than the "
            f"{MOST_ELEMENTS:,} that a model may ask for"
        )
    return sizes
