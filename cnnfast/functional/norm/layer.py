"""Layer normalisation: every sample on its own, over the trailing axes."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Sequence

import numpy as np

from cnnfast._ext import norm as _kernels
from cnnfast.functional._arguments import (
    check_needs,
    float_array,
    matching_gradient,
    same_dtype,
    same_shape,
)
from cnnfast.functional._memory import empty, empty_like, is_channels_last
from cnnfast.functional.norm._arguments import Gradients, Vector, checked_eps


def layer_norm(
    x: np.ndarray,
    normalized_shape: int | Sequence[int],
    weight: Vector = None,
    bias: Vector = None,
    eps: float = 1e-5,
) -> np.ndarray:
    r"""Normalise over the trailing axes, then scale and shift element by element.

    .. math:: y = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    with the mean and the biased variance of each sample.

    Parameters
    ----------
    x : ndarray (..., \*normalized_shape), float32 or float64
        Any strides.
    normalized_shape : int or sequence of ints
        The trailing axes of `x`.
    weight, bias : ndarray of that shape, optional
        Scale and shift; 1 and 0 unless given.
    eps : float
        Keeps the root away from 0.

    Returns
    -------
    ndarray
        In the shape and memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or shapes that do not fit together.

    References
    ----------
    J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import layer_norm
    >>> layer_norm(np.array([[1.0, 5.0], [20.0, 40.0]]), 2, eps=0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    name = "layer_norm"
    x, shape, eps = _arguments(name, x, normalized_shape, eps)
    weight, bias = _vectors(name, x, shape, weight=weight, bias=bias)
    y = _standardized(x, shape, eps)
    if weight is not None or bias is not None:
        columns = _columns(y, shape)
        y = empty(x.shape, x.dtype)
        _kernels.forward(columns, _columns(y, shape), *_unit(columns), weight, bias, 0)
    return _in_order_of(x, y)


def layer_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    normalized_shape: int | Sequence[int],
    weight: Vector = None,
    eps: float = 1e-5,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> Gradients:
    """Gradients of `layer_norm`: those of `batch_norm_train`, with samples for channels.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, normalized_shape, weight, eps
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray or None
        In the shape and memory order of `x`.
    gw, gb : ndarray of the normalized shape or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `layer_norm`, and for a gradient of another shape than that of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import layer_norm_backward
    >>> x, grad = np.array([[1.0, 5.0]]), np.array([[2.0, 6.0]])
    >>> gx, gw, gb = layer_norm_backward(grad, x, 2, eps=0)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[0.0, 0.0]], [-2.0, 6.0], [2.0, 6.0])
    """
    name = "layer_norm_backward"
    x, shape, eps = _arguments(name, x, normalized_shape, eps)
    grad, x = matching_gradient(name, grad, "x", x)
    (weight,) = _vectors(name, x, shape, weight=weight)
    check_needs(name, needs)
    gw = empty(shape, x.dtype) if "weight" in needs else None
    gb = empty(shape, x.dtype) if "bias" in needs else None
    scaled = empty(x.shape, x.dtype) if "x" in needs else None
    columns = _columns(_standardized(x, shape, eps), shape)
    _kernels.backward(
        _columns(np.ascontiguousarray(grad), shape),
        columns,
        None if scaled is None else _columns(scaled, shape),
        *(gw, gb, *_unit(columns), weight, 0, True, True, 1),
    )
    if scaled is None:
        return None, gw, gb
    gx = empty(x.shape, x.dtype)
    _kernels.backward(
        _rows(scaled, shape),
        _rows(np.ascontiguousarray(x), shape),
        _rows(gx, shape),
        *(None, None, None, None, None, eps, False, False, 1),
    )
    return _in_order_of(x, gx), gw, gb


# Both are views of a C-contiguous array as images (N, C, H, W). In the rows a sample is a channel
# of the one image, in the columns an element of the normalized shape is a channel of all images.


def _rows(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    length = math.prod(shape)
    return x.reshape(1, x.size // length, 1, length)


def _columns(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    length = math.prod(shape)
    return x.reshape(x.size // length, length, 1, 1)


def _standardized(x: np.ndarray, shape: tuple[int, ...], eps: float) -> np.ndarray:
    y = empty(x.shape, x.dtype)
    rows = _rows(np.ascontiguousarray(x), shape)
    _kernels.forward_moments(rows, _rows(y, shape), None, None, None, None, eps, False, 1)
    return y


def _unit(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean 0 and variance 1, which leave columns as they are."""
    channels = columns.shape[1]
    return np.zeros(channels, columns.dtype), np.ones(channels, columns.dtype)


def _in_order_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.ndim != 4 or not is_channels_last(x):
        return y
    result = empty_like(x)
    result[...] = y
    return result


def _arguments(
    function: str, x: np.ndarray, normalized_shape: int | Sequence[int], eps: float
) -> tuple[np.ndarray, tuple[int, ...], float]:
    x = float_array(function, "x", x)
    shape = checked_shape(function, normalized_shape)
    if x.shape[max(0, x.ndim - len(shape)) :] != shape:
        raise ValueError(
            f"{function}: x has shape {x.shape}, which does not end with normalized_shape {shape}"
        )
    return x, shape, checked_eps(function, eps)


def checked_shape(function: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Check the shape of what is normalised."""
    try:
        if isinstance(normalized_shape, Sequence):
            shape = tuple(operator.index(size) for size in normalized_shape)
        else:
            shape = (operator.index(normalized_shape),)
    except TypeError:
        raise TypeError(
            f"{function}: normalized_shape must be an int or a sequence of ints, "
            f"got {normalized_shape!r}"
        ) from None
    if not shape or min(shape) < 1:
        raise ValueError(
            f"{function}: normalized_shape must be one or more sizes of at least 1, "
            f"got {normalized_shape!r}"
        )
    return shape


def _vectors(
    function: str, x: np.ndarray, shape: tuple[int, ...], **vectors: Vector
) -> list[Vector]:
    checked: list[Vector] = []
    for name, vector in vectors.items():
        if vector is not None:
            vector = np.ascontiguousarray(float_array(function, name, vector))
            same_dtype(function, "x", x, **{name: vector})
            same_shape(function, name, vector, shape, "normalized_shape")
        checked.append(vector)
    return checked
