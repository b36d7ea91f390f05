"""Softmax and its logarithm along one axis, forward and backward."""

from __future__ import annotations

import operator

import numpy as np

from cnnfast._ext import softmax as _kernels
from cnnfast.functional._arguments import float_array, matching_gradient
from cnnfast.functional._memory import empty_like


def softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    """Turn scores into probabilities along an axis: y_i = exp(x_i) / sum_j exp(x_j).

    The largest score is subtracted first, so nothing overflows.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape but (), float32 or float64.
    dim : int
        The axis whose entries sum to 1.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN, or scores without a finite one or with
        an infinite one, make everything along that axis NaN, as in torch.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `dim` not an integer.
    ValueError
        `x` has no axis `dim`.

    References
    ----------
    CS231n notes, "Linear classification: softmax classifier".

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    x = float_array("softmax", "x", x)
    axis = _axis("softmax", dim, x)
    y = empty_like(x)
    _kernels.softmax(y, x, axis)
    return y


def softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    """Gradient of `softmax`: y * (grad - sum(grad * y)), the sum along `dim`.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `softmax` took.
    dim : int
        As in `softmax`.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, the dtypes differ, or `dim` is not an integer.
    ValueError
        The shapes differ, or there is no axis `dim`.

    Examples
    --------
    >>> softmax_backward(np.array([4.0, 0.0]), np.array([0.0, 0.0])).tolist()
    [1.0, -1.0]
    """
    grad, x = matching_gradient("softmax_backward", grad, "x", x)
    axis = _axis("softmax_backward", dim, x)
    y, gx = empty_like(x), empty_like(x)
    _kernels.softmax(y, x, axis)
    _kernels.softmax_backward(gx, grad, y, axis)
    return gx


def softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """`softmax_backward` from the output."""
    grad, y = matching_gradient("softmax_backward", grad, "the output", y)
    gx = empty_like(y)
    _kernels.softmax_backward(gx, grad, y, _axis("softmax_backward", dim, y))
    return gx


def log_softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    """Logarithm of the softmax, without its underflow: y_i = x_i - log(sum_j exp(x_j)).

    Parameters
    ----------
    x : numpy.ndarray
        Any shape but (), float32 or float64.
    dim : int
        The axis whose probabilities sum to 1.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`; NaN spreads as in `softmax`.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `dim` not an integer.
    ValueError
        `x` has no axis `dim`.

    References
    ----------
    CS231n notes, "Linear classification: softmax classifier".

    Examples
    --------
    >>> log_softmax(np.array([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    x = float_array("log_softmax", "x", x)
    axis = _axis("log_softmax", dim, x)
    y = empty_like(x)
    _kernels.log_softmax(y, x, axis)
    return y


def log_softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    """Gradient of `log_softmax`: grad - exp(y) * sum(grad), the sum along `dim`.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `log_softmax` took.
    dim : int
        As in `log_softmax`.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, the dtypes differ, or `dim` is not an integer.
    ValueError
        The shapes differ, or there is no axis `dim`.

    Examples
    --------
    >>> log_softmax_backward(np.array([4.0, 0.0]), np.array([0.0, 0.0])).round(6).tolist()
    [2.0, -2.0]
    """
    grad, x = matching_gradient("log_softmax_backward", grad, "x", x)
    axis = _axis("log_softmax_backward", dim, x)
    y, gx = empty_like(x), empty_like(x)
    _kernels.log_softmax(y, x, axis)
    _kernels.log_softmax_backward(gx, grad, y, axis)
    return gx


def log_softmax_gradient(grad: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """`log_softmax_backward` from the output."""
    grad, y = matching_gradient("log_softmax_backward", grad, "the output", y)
    gx = empty_like(y)
    _kernels.log_softmax_backward(gx, grad, y, _axis("log_softmax_backward", dim, y))
    return gx


def _axis(function: str, dim: int, x: np.ndarray) -> int:
    try:
        axis = operator.index(dim)
    except TypeError:
        raise TypeError(f"{function}: dim must be an integer, got {dim!r}") from None
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{function}: dim {axis} is not an axis of x with shape {x.shape}")
    return axis % x.ndim
