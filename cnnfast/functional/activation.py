"""Elementwise activations, forward and backward.

Every result has the memory order of its input. Where the gradient is a formula in terms of the
output, a `<op>_gradient(grad, y)` holds it, and a layer that would rather keep y uses that.
"""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import empty_like, float_array, matching_gradient, number


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
    x = float_array("relu", "x", x)
    return np.maximum(x, 0, out=empty_like(x))


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
    grad, x = matching_gradient("relu_backward", grad, "x", x)
    # Arithmetic: choosing by a mask (numpy.where) takes several times as long on random signs.
    gx = np.less_equal(x, 0, out=empty_like(x))
    np.subtract(1, gx, out=gx)
    return np.multiply(gx, grad, out=gx)


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
    x = float_array("leaky_relu", "x", x)
    slope = number("leaky_relu", "negative_slope", negative_slope)
    if slope == 0:  # infinity times 0 would be NaN
        return np.maximum(x, 0, out=empty_like(x))
    # Of the lines x and slope * x, y is the upper one on both sides of 0, or the lower one.
    y = np.multiply(x, slope, out=empty_like(x))
    return (np.maximum if slope <= 1 else np.minimum)(x, y, out=y)


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
    grad, x = matching_gradient("leaky_relu_backward", grad, "x", x)
    slope = number("leaky_relu_backward", "negative_slope", negative_slope)
    # (x > 0) + slope * (1 - (x > 0)) is exactly 1 or exactly the slope, and needs no branch.
    gx = np.greater(x, 0, out=empty_like(x))
    leak = np.subtract(1, gx, out=empty_like(x))
    leak *= slope
    gx += leak
    return np.multiply(gx, grad, out=gx)


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
    x = float_array("sigmoid", "x", x)
    y = np.negative(x, out=empty_like(x))
    with np.errstate(over="ignore"):  # far left exp(-x) is infinite, and 1 / (1 + inf) right: 0
        np.exp(y, out=y)
    np.add(y, 1, out=y)
    return np.reciprocal(y, out=y)


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
    grad, x = matching_gradient("sigmoid_backward", grad, "x", x)
    return sigmoid_gradient(grad, sigmoid(x))


def sigmoid_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    grad, y = matching_gradient("sigmoid_backward", grad, "the output", y)
    gx = np.subtract(1, y, out=empty_like(y))
    gx *= y
    return np.multiply(gx, grad, out=gx)


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
    x = float_array("tanh", "x", x)
    return np.tanh(x, out=empty_like(x))


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
    grad, x = matching_gradient("tanh_backward", grad, "x", x)
    return tanh_gradient(grad, tanh(x))


def tanh_gradient(grad: np.ndarray, y: np.ndarray) -> np.ndarray:
    grad, y = matching_gradient("tanh_backward", grad, "the output", y)
    gx = np.multiply(y, y, out=empty_like(y))
    np.subtract(1, gx, out=gx)
    return np.multiply(gx, grad, out=gx)
