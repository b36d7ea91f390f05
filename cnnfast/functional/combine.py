"""Where branches of a network meet: the sum of two, and the concatenation of any number."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence

import numpy as np

from cnnfast._ext import elementwise as _kernels
from cnnfast.functional._arguments import float_array, same_dtype, same_shape
from cnnfast.functional._memory import empty_image, empty_like, is_channels_last


def add(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Add element by element, as a residual connection does: z = x + y.

    Parameters
    ----------
    x, y : numpy.ndarray
        Of one shape and dtype, float32 or float64.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes differ.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015.

    Examples
    --------
    >>> add(np.array([1.0, 2.0]), np.array([3.0, 4.0])).tolist()
    [4.0, 6.0]
    """
    x, y = float_array("add", "x", x), float_array("add", "y", y)
    same_dtype("add", "x", x, y=y)
    same_shape("add", "y", y, x.shape, "the shape of x")
    z = empty_like(x)
    _kernels.apply("add", z, x, y)
    return z


def add_backward(grad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `add`: grad itself, for both.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, float32 or float64.

    Returns
    -------
    gx, gy : numpy.ndarray
        Gradients of `x` and `y`: `grad`, not copies of it.

    Raises
    ------
    TypeError
        `grad` is not a float32 or float64 array.

    Examples
    --------
    >>> [g.tolist() for g in add_backward(np.array([5.0]))]
    [[5.0], [5.0]]
    """
    grad = float_array("add_backward", "grad", grad)
    return grad, grad


def concat(xs: Sequence[np.ndarray]) -> np.ndarray:
    """Put images behind each other along their channels, as an inception module does.

    Parameters
    ----------
    xs : sequence of numpy.ndarray
        At least one (N, C_i, H, W), of one dtype, float32 or float64, and one N, H and W.

    Returns
    -------
    numpy.ndarray
        (N, sum of C_i, H, W); channels-last in memory if one of `xs` is, else in C order.

    Raises
    ------
    TypeError
        One of `xs` is not a float32 or float64 array, or the dtypes differ.
    ValueError
        There is none, one is not four-dimensional, or another N, H or W differs from the first's.

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", 2014.

    Examples
    --------
    >>> concat([np.zeros((1, 2, 3, 3)), np.zeros((1, 5, 3, 3))]).shape
    (1, 7, 3, 3)
    """
    xs = [float_array("concat", f"xs[{i}]", x, ndim=4) for i, x in enumerate(xs)]
    if not xs:
        raise ValueError("concat: xs must hold at least one array")
    n, _, h, w = xs[0].shape
    for i, x in enumerate(xs):
        if x.dtype != xs[0].dtype or x.shape != (n, x.shape[1], h, w):
            same_dtype("concat", "xs[0]", xs[0], **{f"xs[{i}]": x})
            same_shape("concat", f"xs[{i}]", x, (n, x.shape[1], h, w), "what fits xs[0]")
    channels = [x.shape[1] for x in xs]
    y = empty_image((n, sum(channels), h, w), xs[0].dtype, any(map(is_channels_last, xs)))
    for part, x in zip(_parts(y, channels), xs, strict=True):
        _kernels.apply("copy", part, x)
    return y


def concat_backward(grad: np.ndarray, channels: Sequence[int]) -> list[np.ndarray]:
    """Gradients of `concat`: the parts of grad that belong to each of its inputs.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output (N, C, H, W), float32 or float64.
    channels : sequence of int
        How many channels each input had; their sum is C.

    Returns
    -------
    list of numpy.ndarray
        Gradients (N, C_i, H, W) in the memory order of `grad`.

    Raises
    ------
    TypeError
        `grad` is not a float32 or float64 array, or one of `channels` not an integer.
    ValueError
        `grad` is not four-dimensional, or `channels` are negative or do not add up to its own.

    Examples
    --------
    >>> [gx.shape for gx in concat_backward(np.zeros((1, 7, 3, 3)), [2, 5])]
    [(1, 2, 3, 3), (1, 5, 3, 3)]
    """
    grad = float_array("concat_backward", "grad", grad, ndim=4)
    try:
        channels = tuple(operator.index(c) for c in channels)
    except TypeError:
        raise TypeError(f"concat_backward: channels must be integers, got {channels!r}") from None
    if min(channels, default=0) < 0 or sum(channels) != grad.shape[1]:
        raise ValueError(
            f"concat_backward: channels {channels} must add up to the {grad.shape[1]} of grad"
        )
    n, _, h, w = grad.shape
    order = is_channels_last(grad)
    gradients = [empty_image((n, c, h, w), grad.dtype, order) for c in channels]
    for gx, part in zip(gradients, _parts(grad, channels), strict=True):
        _kernels.apply("copy", gx, part)
    return gradients


def _parts(images: np.ndarray, channels: Sequence[int]) -> list[np.ndarray]:
    """View neighbouring channels, so many each."""
    ends = itertools.accumulate(channels)
    return [images[:, end - c : end] for c, end in zip(channels, ends, strict=True)]
