"""Average pooling over windows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cnnfast._ext import global_pool as _global_kernels
from cnnfast._ext import pool as _kernels
from cnnfast.functional._arguments import (
    empty_image,
    float_array,
    in_order,
    is_channels_last,
    same_dtype,
    same_shape,
)
from cnnfast.functional._pooling import is_global, pool_arguments
from cnnfast.functional._window import LARGEST, Axis, Padding, Pair, Window


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    strict: bool = False,
) -> np.ndarray:
    """Take the mean of every window, channel by channel.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode, strict
        As in `max_pool2d`.
    count_include_pad : bool
        Divide by all of a window, its part in the padding included; else by its part in `x`.
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x, win = pool_arguments("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, strict)
    divisor = _divisor("avg_pool2d", divisor_override, win, bool(count_include_pad), x.dtype)
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    if is_global(win) and x.flags.c_contiguous:
        _global_kernels.average_pool(x, y, divisor)
    elif isinstance(divisor, np.ndarray):
        _kernels.average_pool(x, y, *win, 1)
        y /= divisor
    else:
        _kernels.average_pool(x, y, *win, divisor)
    return y


def avg_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Spread each gradient evenly over its window.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `avg_pool2d`.
    x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d_backward
    >>> avg_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2)), 2)[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    name = "avg_pool2d_backward"
    x, win = pool_arguments(name, x, kernel_size, stride, padding, 1, ceil_mode, False)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (*x.shape[:2], *win.out), "the output's shape")
    divisor = _divisor(name, divisor_override, win, bool(count_include_pad), x.dtype)
    channels_last = is_channels_last(x)
    gx = empty_image(x.shape, x.dtype, channels_last)
    if is_global(win):
        gx[...] = grad / divisor
        return gx
    if isinstance(divisor, np.ndarray):
        grad, divisor = grad / divisor, 1
    _kernels.average_pool_backward(in_order(grad, channels_last), gx, *win, divisor)
    return gx


def _divisor(
    function: str,
    divisor_override: int | None,
    win: Window,
    count_include_pad: bool,
    dtype: np.dtype,
) -> int | np.ndarray:
    """Give what sums are divided by: one number, or (OH, OW) of them where windows differ."""
    if divisor_override is None:
        return _extents(win, count_include_pad, dtype)
    if isinstance(divisor_override, bool) or not isinstance(divisor_override, (int, np.integer)):
        raise TypeError(f"{function}: divisor_override must be an int, got {divisor_override!r}")
    if divisor_override == 0 or abs(divisor_override) > LARGEST:
        raise ValueError(
            f"{function}: divisor_override must lie in 1..{LARGEST} or be as far below 0, "
            f"got {divisor_override}"
        )
    return int(divisor_override)


@lru_cache(maxsize=64)
def _extents(win: Window, count_include_pad: bool, dtype: np.dtype) -> int | np.ndarray:
    """Count the elements of each window that an average divides by."""
    rows, columns = (_extents_along(axis, count_include_pad) for axis in win)
    extents = rows[:, None] * columns
    if (extents == extents[0, 0]).all():
        return int(extents[0, 0])
    return extents.astype(dtype)


def _extents_along(axis: Axis, count_include_pad: bool) -> np.ndarray:
    start = np.arange(axis.out) * axis.stride - axis.before
    if count_include_pad:
        return np.minimum(start + axis.kernel, axis.size + axis.after) - start
    return np.minimum(start + axis.kernel, axis.size) - np.maximum(start, 0)
