"""The rectifier whose leak is learned."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast._ext import elementwise as _kernels
from cnnfast.functional._arguments import check_needs, float_array, matching_gradient, same_dtype
from cnnfast.functional._memory import empty_like


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rectify with a learned leak: y = x where x > 0, weight * x elsewhere.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64; its channels are the axis 1, if there is one.
    weight : numpy.ndarray
        (1,), or a slope for each channel (C,), in the dtype of `x`.

    Returns
    -------
    numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        `weight` has more than one dimension, or neither 1 nor C elements.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015.

    Examples
    --------
    >>> prelu(np.array([[-1.0, -1.0], [3.0, -3.0]]), np.array([0.25, 0.5])).tolist()
    [[-0.25, -0.5], [3.0, -1.5]]
    """
    x = float_array("prelu", "x", x)
    y = empty_like(x)
    _kernels.apply("prelu", y, x, _slopes("prelu", x, weight))
    return y


def prelu_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    needs: Collection[str] = ("x", "weight"),
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Gradients of `prelu`: of x as with a fixed slope; of a slope, the sum of grad * x at x <= 0.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, shape and dtype of `x`.
    x, weight : numpy.ndarray
        What `prelu` took.
    needs : collection of str
        Which gradients to compute, of "x" and "weight".

    Returns
    -------
    gx, gw : numpy.ndarray or None
        Gradients of `x` and `weight`; None for what is not in `needs`.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes do not fit together, or `needs` holds another name.

    Examples
    --------
    >>> gx, gw = prelu_backward(np.ones((1, 2)), np.array([[-3.0, 5.0]]), np.array([0.5]))
    >>> gx.tolist(), gw.tolist()
    ([[0.5, 1.0]], [-3.0])
    """
    grad, x = matching_gradient("prelu_backward", grad, "x", x)
    slopes = _slopes("prelu_backward", x, weight)
    check_needs("prelu_backward", needs)
    right, gx, gw = x > 0, None, None
    if "x" in needs:
        gx = np.multiply(grad, slopes, out=empty_like(x))
        np.copyto(gx, grad, where=right)
    if "weight" in needs:
        others = tuple(axis for axis in range(x.ndim) if len(weight) == 1 or axis != 1)
        products = np.multiply(grad, x, dtype=np.float64)
        gw = products.sum(others, where=~right).reshape(weight.shape).astype(x.dtype)
    return gx, gw


def _slopes(function: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """View `weight` in the shape of `x`."""
    weight = float_array(function, "weight", weight, ndim=1)
    same_dtype(function, "x", x, weight=weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if len(weight) not in (1, channels):
        raise ValueError(
            f"{function}: weight must have 1 element or {channels}, one for each channel of x, "
            f"got shape {weight.shape}"
        )
    along_channels = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    return np.broadcast_to(weight.reshape(along_channels), x.shape)
