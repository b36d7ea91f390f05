"""Pooling of images by the Lp norm."""

from __future__ import annotations

import numpy as np

from cnnfast._ext import pool as _kernels
from cnnfast.functional._memory import empty_image, in_order
from cnnfast.functional._window import Window


def normed(x: np.ndarray, p: float, win: Window, channels_last: bool) -> np.ndarray:
    """Take the norm of every window."""
    y = empty_image((*x.shape[:2], *win.out), x.dtype, channels_last)
    _kernels.average_pool(x * x if p == 2 else np.abs(x) ** p, y, *win, 1)
    return np.sqrt(y, out=y) if p == 2 else np.power(y, 1 / p, out=y)


def gradient(
    grad: np.ndarray, x: np.ndarray, y: np.ndarray, p: float, win: Window, channels_last: bool
) -> np.ndarray:
    """Compute the gradient of `x`, whose norms are `y`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(y == 0, x.dtype.type(0), grad * y ** (1 - p))
    gx = empty_image(x.shape, x.dtype, channels_last)
    _kernels.average_pool_backward(in_order(spread, channels_last), gx, *win, 1)
    magnitude = np.abs(x)
    with np.errstate(divide="ignore"):
        powers = np.where(magnitude == 0, x.dtype.type(0), magnitude ** (p - 1))
    gx *= powers if p != 1 else 1
    gx *= np.sign(x)
    return gx


def norm_type_of(function: str, norm_type: float) -> float:
    """Check p."""
    if not isinstance(norm_type, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: norm_type must be a number, got {norm_type!r}")
    if not 0 < norm_type < float("inf"):
        raise ValueError(f"{function}: norm_type must be greater than 0, got {norm_type!r}")
    return float(norm_type)
