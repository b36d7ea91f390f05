"""Pooling by the L2 norm of windows (any Lp)."""

from __future__ import annotations

import numpy as np

from cnnfast._ext import pool as _kernels
from cnnfast.functional._arguments import (
    empty_image,
    float_array,
    in_order,
    is_channels_last,
    same_dtype,
    same_shape,
)
from cnnfast.functional._pooling import pool_arguments
from cnnfast.functional._window import Pair, Window


def lp_pool2d(
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray:
    r"""Take the Lp norm of every window: the notes' L2-norm pooling with ``norm_type=2``.

    .. math:: y = \Big(\sum_{\text{window}} |x|^p\Big)^{1/p}

    Parameters
    ----------
    x, kernel_size, stride, ceil_mode, strict
        As in `max_pool2d`.
    norm_type : float
        p, greater than 0.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Notes
    -----
    For an odd p torch sums the powers of x with their signs, which is no norm; this and ONNX take
    absolute values. They agree for even p and for x >= 0, save that with ``ceil_mode=True`` torch
    scales a last window that runs past the end up to a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d
    >>> lp_pool2d(np.array([[[[3.0, 0.0], [0.0, -4.0]]]]), 2, 2)
    array([[[[5.]]]])
    """
    x, win = pool_arguments("lp_pool2d", x, kernel_size, stride, 0, 1, ceil_mode, strict)
    p = _norm_type("lp_pool2d", norm_type)
    return _lp_pool2d(x, p, win)


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
) -> np.ndarray:
    r"""Gradient of `lp_pool2d` with respect to its input.

    .. math:: \bar x = \mathrm{sign}(x) \sum_{\text{windows}} \bar y\, (|x| / y)^{p-1}

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `lp_pool2d`.
    x, norm_type, kernel_size, stride, ceil_mode
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`; 0 in a window of zeros, where the norm has no derivative.

    Raises
    ------
    TypeError, ValueError
        As `lp_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d_backward
    >>> x = np.array([[[[3.0, 0.0], [0.0, -4.0]]]])
    >>> lp_pool2d_backward(np.ones((1, 1, 1, 1)), x, 2, 2)[0, 0]
    array([[ 0.6,  0. ],
           [ 0. , -0.8]])
    """
    name = "lp_pool2d_backward"
    x, win = pool_arguments(name, x, kernel_size, stride, 0, 1, ceil_mode, False)
    p = _norm_type(name, norm_type)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (*x.shape[:2], *win.out), "the output's shape")
    y = _lp_pool2d(x, p, win)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(y == 0, x.dtype.type(0), grad * y ** (1 - p))
    channels_last = is_channels_last(x)
    gx = empty_image(x.shape, x.dtype, channels_last)
    _kernels.average_pool_backward(in_order(spread, channels_last), gx, *win, 1)
    magnitude = np.abs(x)
    with np.errstate(divide="ignore"):
        powers = np.where(magnitude == 0, x.dtype.type(0), magnitude ** (p - 1))
    gx *= powers if p != 1 else 1
    gx *= np.sign(x)
    return gx


def _lp_pool2d(x: np.ndarray, p: float, win: Window) -> np.ndarray:
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    _kernels.average_pool(x * x if p == 2 else np.abs(x) ** p, y, *win, 1)
    return np.sqrt(y, out=y) if p == 2 else np.power(y, 1 / p, out=y)


def _norm_type(function: str, norm_type: float) -> float:
    if not isinstance(norm_type, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: norm_type must be a number, got {norm_type!r}")
    if not 0 < norm_type < float("inf"):
        raise ValueError(f"{function}: norm_type must be greater than 0, got {norm_type!r}")
    return float(norm_type)
