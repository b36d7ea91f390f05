"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise


def tanh(x: np.ndarray) -> np.ndarray:
    """Squash into -1..1: y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array.

    References
    ----------
    Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998.

    Examples
    --------
    >>> tanh(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return _elementwise.forward("tanh", x)


def tanh_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `tanh`: grad * (1 - y**2).

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `tanh` took.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes differ.

    Examples
    --------
    >>> tanh_backward(np.array([4.0]), np.array([0.0])).tolist()
    [4.0]
    """
    return _elementwise.backward("tanh_backward", grad, x)


def tanh_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gradient of `tanh` from its output, which a layer would rather keep."""
    return _elementwise.backward("tanh_backward", grad, y, kernel="tanh_gradient", of="the output")
