"""The Gaussian error linear unit."""

from __future__ import annotations

import numpy as np

from cnnfast.functional import _elementwise


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Weigh by the chance that a normal variable is smaller: y = x * (1 + erf(x / sqrt(2))) / 2.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    approximate : "none" or "tanh"
        With "tanh", y = x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2 instead.


    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array.
    ValueError
        `approximate` is neither "none" nor "tanh".

    References
    ----------
    D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", 2016.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(6).tolist()
    [-0.158655, 0.0, 0.841345]
    >>> gelu(np.array([-1.0, 0.0, 1.0]), "tanh").round(6).tolist()
    [-0.158808, 0.0, 0.841192]
    """
    return _elementwise.forward("gelu", x, kernel=_kernel("gelu", approximate))


def gelu_backward(grad: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Gradient of `gelu`: grad * (P + x * p), with p the normal density and P its integral.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x : numpy.ndarray
        What `gelu` took.
    approximate : "none" or "tanh"
        As in `gelu`.


    Returns
    -------
    numpy.ndarray
        Gradient of `x`.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes differ, or `approximate` is neither "none" nor "tanh".

    Examples
    --------
    >>> gelu_backward(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    kernel = _kernel("gelu_backward", approximate)
    return _elementwise.backward("gelu_backward", grad, x, kernel=kernel)


def _kernel(function: str, approximate: str) -> str:
    if approximate not in ("none", "tanh"):
        raise ValueError(f'{function}: approximate must be "none" or "tanh", got {approximate!r}')
    return function if approximate == "none" else function.replace("gelu", "gelu_tanh")
