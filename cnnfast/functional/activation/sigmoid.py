"""The logistic function, and SiLU, which weighs its input by it."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Squash into 0..1: y = 1 / (1 + exp(-x)).

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`, accurate to a few units in the last place for
        every x whose result is a normal number. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array.

    References
    ----------
    D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors",
    1986.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _elementwise.forward("sigmoid", x)


def sigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `sigmoid`: grad * y * (1 - y).

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `sigmoid` took.

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
    >>> sigmoid_backward(np.array([4.0]), np.array([0.0])).tolist()
    [1.0]
    """
    return _elementwise.backward("sigmoid_backward", grad, x)


def sigmoid_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gradient of `sigmoid` from its output, which a layer would rather keep."""
    return _elementwise.backward(
        "sigmoid_backward", grad, y, kernel="sigmoid_gradient", of="the output"
    )


def silu(x: np.ndarray) -> np.ndarray:
    """Weigh by the sigmoid ("swish"): y = x / (1 + exp(-x)).

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
    P. Ramachandran, B. Zoph, Q. Le, "Searching for activation functions", 2017.

    Examples
    --------
    >>> silu(np.array([-1.0, 0.0, 1.0])).round(6).tolist()
    [-0.268941, 0.0, 0.731059]
    """
    return _elementwise.forward("silu", x)


def silu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `silu`: grad * s * (1 + x * (1 - s)), with s the sigmoid of x.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `silu` took.

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
    >>> silu_backward(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    return _elementwise.backward("silu_backward", grad, x)
