"""Exponential linear units."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise
from cnnfast.functional._arguments import number

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Rectify with an exponential foot: y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    alpha : float
        Minus the value that y tends to on the left.


    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `alpha` not a number.
    ValueError
        `alpha` is not finite.

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units (ELUs)", 2015.

    Examples
    --------
    >>> elu(np.array([-1000.0, 0.0, 2.0]), 0.5).tolist()
    [-0.5, 0.0, 2.0]
    """
    return _elementwise.forward("elu", x, number("elu", "alpha", alpha), 1)


def elu_backward(grad: np.ndarray, x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Gradient of `elu`: grad where x > 0, grad * alpha * exp(x) elsewhere.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `elu` took.
    alpha : float
        As in `elu`.


    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, the dtypes differ, or `alpha` is not a number.
    ValueError
        The shapes differ, or `alpha` is not finite.

    Examples
    --------
    >>> elu_backward(np.array([4.0, 4.0]), np.array([0.0, 2.0]), 0.5).tolist()
    [2.0, 4.0]
    """
    alpha = number("elu_backward", "alpha", alpha)
    return _elementwise.backward("elu_backward", grad, x, alpha, 1)


def selu(x: np.ndarray) -> np.ndarray:
    """Rectify with an exponential foot and a scale: y = 1.0507 * elu(x, 1.6733).

    With these two constants the outputs of a deep network tend to mean 0 and variance 1.

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
    G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-normalizing neural networks", 2017.

    Examples
    --------
    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    return _elementwise.forward("selu", x, SELU_ALPHA, SELU_SCALE, kernel="elu")


def selu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `selu`: grad * 1.0507, times 1.6733 * exp(x) where x <= 0.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `selu` took.

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
    >>> selu_backward(np.array([1.0, 1.0]), np.array([-1000.0, 2.0])).round(4).tolist()
    [0.0, 1.0507]
    """
    return _elementwise.backward(
        "selu_backward", grad, x, SELU_ALPHA, SELU_SCALE, kernel="elu_backward"
    )
