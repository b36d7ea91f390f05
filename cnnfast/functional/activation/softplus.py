"""The smooth rectifier."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise
from cnnfast.functional._arguments import number


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """Rectify smoothly: y = log(1 + exp(beta * x)) / beta.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    beta : float
        How sharp the bend is; not 0.
    threshold : float
        Where beta * x lies beyond it, y = x.


    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `beta` or `threshold` not a number.
    ValueError
        `beta` or `threshold` is not finite, or `beta` is 0.

    References
    ----------
    C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing",
    2000.

    Examples
    --------
    >>> softplus(np.array([-1000.0, 0.0, 30.0])).round(6).tolist()
    [0.0, 0.693147, 30.0]
    """
    return _elementwise.forward("softplus", x, *_numbers("softplus", beta, threshold))


def softplus_backward(
    grad: np.ndarray, x: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> np.ndarray:
    """Gradient of `softplus`: grad / (1 + exp(-beta * x)), or grad beyond the threshold.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `softplus` took.
    beta, threshold : float
        As in `softplus`.


    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, the dtypes differ, or a number is none.
    ValueError
        The shapes differ, a number is not finite, or `beta` is 0.

    Examples
    --------
    >>> softplus_backward(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    numbers = _numbers("softplus_backward", beta, threshold)
    return _elementwise.backward("softplus_backward", grad, x, *numbers)


def _numbers(function: str, beta: float, threshold: float) -> tuple[float, float]:
    if number(function, "beta", beta) == 0:
        raise ValueError(f"{function}: beta must not be 0")
    return float(beta), number(function, "threshold", threshold)
