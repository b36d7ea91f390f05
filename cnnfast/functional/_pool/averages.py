"""Average pooling of images."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cnnfast._ext import global_pool as _global_kernels
from cnnfast._ext import pool as _kernels
from cnnfast.functional._memory import empty_image, in_order
from cnnfast.functional._window import LARGEST, Axis, Window

#: One number, or (OH, OW) of them where windows differ.
Divisor = int | np.ndarray


def averaged(x: np.ndarray, win: Window, divisor: Divisor, channels_last: bool) -> np.ndarray:
    """Sum every window, and divide."""
    y = empty_image((*x.shape[:2], *win.out), x.dtype, channels_last)
    if win.is_global and x.flags.c_contiguous:
        _global_kernels.average_pool(x, y, divisor)
    elif isinstance(divisor, np.ndarray):
        _kernels.average_pool(x, y, *win, 1)
        y /= divisor
    else:
        _kernels.average_pool(x, y, *win, divisor)
    return y


def spread(
    grad: np.ndarray,
    shape: tuple[int, ...],
    win: Window,
    divisor: Divisor,
    channels_last: bool,
) -> np.ndarray:
    """Spread each gradient evenly over its window of an image of `shape`."""
    gx = empty_image(shape, grad.dtype, channels_last)
    if win.is_global:
        gx[...] = grad / divisor
        return gx
    if isinstance(divisor, np.ndarray):
        grad, divisor = grad / divisor, 1
    _kernels.average_pool_backward(in_order(grad, channels_last), gx, *win, divisor)
    return gx


def override_of(function: str, divisor_override: int | None) -> int | None:
    """Check a divisor that is given."""
    if divisor_override is None:
        return None
    if isinstance(divisor_override, bool) or not isinstance(divisor_override, (int, np.integer)):
        raise TypeError(f"{function}: divisor_override must be an int, got {divisor_override!r}")
    if divisor_override == 0 or abs(divisor_override) > LARGEST:
        raise ValueError(
            f"{function}: divisor_override must lie in 1..{LARGEST} or be as far below 0, "
            f"got {divisor_override}"
        )
    return int(divisor_override)


@lru_cache(maxsize=64)
def extents(win: Window, count_include_pad: bool, dtype: np.dtype) -> Divisor:
    """Count the elements of each window that an average divides by."""
    rows, columns = (_extents_along(axis, count_include_pad) for axis in win)
    counts = rows[:, None] * columns
    if (counts == counts[0, 0]).all():
        return int(counts[0, 0])
    return counts.astype(dtype)


def _extents_along(axis: Axis, count_include_pad: bool) -> np.ndarray:
    start = np.arange(axis.out) * axis.stride - axis.before
    if count_include_pad:
        return np.minimum(start + axis.kernel, axis.size + axis.after) - start
    return np.minimum(start + axis.kernel, axis.size) - np.maximum(start, 0)
