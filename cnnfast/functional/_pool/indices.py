"""Gradients that go to the elements of a plane that indices name."""

from __future__ import annotations

import math
import operator

import numpy as np

from cnnfast.functional._arguments import AXES, float_array, same_shape
from cnnfast.functional._memory import empty_image, is_channels_last
from cnnfast.functional._pool import dimensions, maxima
from cnnfast.functional._pool.arguments import matching_grad


def route_by_index(
    function: str,
    grad: np.ndarray,
    indices: np.ndarray,
    input_shape: tuple[int, ...],
    channels_last: bool | None = None,
    count: int = 2,
) -> np.ndarray:
    """Add each gradient to the element of its plane (of `count` axes) that its index names.

    The result is in the memory order of `grad` unless another is given.
    """
    grad = float_array(function, "grad", grad, count + 2)
    check_indices(function, indices, grad.shape, "that of grad")
    input_shape = _input_shape(function, input_shape, grad)
    if grad.size and 0 in input_shape:
        raise ValueError(f"{function}: input_shape {input_shape} has no elements to route to")
    channels_last = is_channels_last(grad) if channels_last is None else channels_last
    gx = empty_image(input_shape, grad.dtype, channels_last)
    arrays = [dimensions.as_images(array) for array in (grad, indices, gx)]
    outside = maxima.scatter(*arrays)
    if outside:
        raise ValueError(
            f"{function}: {outside} of the indices lie outside "
            f"0..{math.prod(input_shape[2:]) - 1}, the plane of input_shape {input_shape}"
        )
    return gx


def check_indices(function: str, indices: np.ndarray, shape: tuple[int, ...], why: str) -> None:
    """Check that `indices` is an integer array of `shape`."""
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        what = getattr(indices, "dtype", type(indices).__name__)
        raise TypeError(f"{function}: indices must be an integer array, got {what}")
    same_shape(function, "indices", indices, shape, why)


def index_route(function: str, indices: np.ndarray, x: np.ndarray) -> maxima.Route:
    """Return what takes a gradient back to `x` by the indices of its pooling."""
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)

    def route(grad: np.ndarray) -> np.ndarray:
        grad = matching_grad(function, grad, indices.shape, dtype)
        return route_by_index(function, grad, indices, shape, channels_last, len(shape) - 2)

    return route


def _input_shape(function: str, input_shape: tuple[int, ...], grad: np.ndarray) -> tuple[int, ...]:
    count = {3: "three", 4: "four", 5: "five"}[grad.ndim]
    try:
        shape = tuple(operator.index(n) for n in input_shape)
    except TypeError:
        raise TypeError(
            f"{function}: input_shape must be {count} ints {AXES[grad.ndim]}, got {input_shape!r}"
        ) from None
    if len(shape) != grad.ndim or min(shape) < 0:
        raise ValueError(f"{function}: input_shape must be {count} sizes, got {input_shape!r}")
    if shape[:2] != grad.shape[:2]:
        raise ValueError(
            f"{function}: input_shape {shape} and grad {grad.shape} differ in batch or channels"
        )
    return shape
