"""Rectifiers: bent lines with their bend at 0."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise
from cnnfast.functional._arguments import number


def relu(x: np.ndarray) -> np.ndarray:
    """Rectify: y = max(0, x).

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
    V. Nair, G. Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    Examples
    --------
    >>> relu(np.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    return _elementwise.forward("relu", x)


def relu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `relu`: grad where x > 0 and 0 where x <= 0 (at 0 too, as in torch).

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `relu` took; its output does as well, because y > 0 just where x > 0.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`. Where `x` is NaN it is `grad`.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes differ.

    Examples
    --------
    >>> relu_backward(np.array([5.0, 5.0, 5.0]), np.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 5.0]
    """
    return _elementwise.backward("relu_backward", grad, x)


def relu6(x: np.ndarray) -> np.ndarray:
    """Rectify and cut off: y = min(max(0, x), 6).

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
    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    Examples
    --------
    >>> relu6(np.array([-1.0, 2.0, 9.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    return _elementwise.forward("relu6", x)


def relu6_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `relu6`: grad where 0 < x < 6, and 0 elsewhere (at both ends too).

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `relu6` took; its output does as well.

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
    >>> relu6_backward(np.array([5.0, 5.0, 5.0]), np.array([-1.0, 2.0, 6.0])).tolist()
    [0.0, 5.0, 0.0]
    """
    return _elementwise.backward("relu6_backward", grad, x)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """Rectify with a leak: y = x where x > 0, negative_slope * x elsewhere.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    negative_slope : float
        The slope left of 0.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `negative_slope` not a number.
    ValueError
        `negative_slope` is not finite.

    References
    ----------
    A. Maas, A. Hannun, A. Ng, "Rectifier nonlinearities improve neural network acoustic models",
    2013.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 0.0, 2.0]), 0.5).tolist()
    [-0.5, 0.0, 2.0]
    """
    slope = number("leaky_relu", "negative_slope", negative_slope)
    # Infinity times 0 would be NaN.
    return _elementwise.forward("leaky_relu", x, slope, kernel="leaky_relu" if slope else "relu")


def leaky_relu_backward(
    grad: np.ndarray, x: np.ndarray, negative_slope: float = 0.01
) -> np.ndarray:
    """Gradient of `leaky_relu`: grad where x > 0, negative_slope * grad elsewhere.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `leaky_relu` took; for a slope of 0 or more its output does as well.
    negative_slope : float
        As in `leaky_relu`.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, the dtypes differ, or the slope is not a number.
    ValueError
        The shapes differ, or the slope is not finite.

    Examples
    --------
    >>> leaky_relu_backward(np.array([4.0, 4.0]), np.array([-1.0, 2.0]), 0.5).tolist()
    [2.0, 4.0]
    """
    slope = number("leaky_relu_backward", "negative_slope", negative_slope)
    return _elementwise.backward("leaky_relu_backward", grad, x, slope)
