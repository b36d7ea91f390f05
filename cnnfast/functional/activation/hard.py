"""Lines in place of a sigmoid: hardsigmoid and hardswish."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    """Approximate the sigmoid by three lines: y = min(max(0, x + 3), 6) / 6.

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
    A. Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> hardsigmoid(np.array([-4.0, 0.0, 1.5, 4.0])).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    return _elementwise.forward("hardsigmoid", x)


def hardsigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `hardsigmoid`: grad / 6 where -3 < x < 3, and 0 elsewhere.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `hardsigmoid` took.

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
    >>> hardsigmoid_backward(np.array([6.0, 6.0]), np.array([0.0, 3.0])).tolist()
    [1.0, 0.0]
    """
    return _elementwise.backward("hardsigmoid_backward", grad, x)


def hardswish(x: np.ndarray) -> np.ndarray:
    """Weigh by `hardsigmoid`: y = x * min(max(0, x + 3), 6) / 6.

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
    A. Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> hardswish(np.array([-4.0, -1.5, 0.0, 4.0])).tolist()
    [-0.0, -0.375, 0.0, 4.0]
    """
    return _elementwise.forward("hardswish", x)


def hardswish_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `hardswish`: 0 where x <= -3, grad where x >= 3, grad * (x / 3 + 1 / 2) between.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `hardswish` took.

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
    >>> hardswish_backward(np.array([4.0, 4.0]), np.array([0.0, 3.0])).tolist()
    [2.0, 4.0]
    """
    return _elementwise.backward("hardswish_backward", grad, x)
