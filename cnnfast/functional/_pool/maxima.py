"""Max pooling of images: maxima alone, with their positions, or with the way back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast._ext import global_pool as _global_kernels
from cnnfast._ext import pool as _kernels
from cnnfast._ext import scatter as _scatter
from cnnfast.functional._memory import empty_image, in_order
from cnnfast.functional._window import Window

# A window's winner fits a byte up to this many taps.
BYTE_TAPS = 256

#: Takes a gradient of the output back to the input: ``gx = route(grad)``.
Route = Callable[[np.ndarray], np.ndarray]


def pooled(x: np.ndarray, win: Window, channels_last: bool) -> np.ndarray:
    """Take the maximum of every window."""
    y = empty_image((*x.shape[:2], *win.out), x.dtype, channels_last)
    if win.is_global and x.flags.c_contiguous:
        _global_kernels.max_pool(x, y)
    else:
        _kernels.max_pool(x, y, None, None, *win)
    return y


def indexed(x: np.ndarray, win: Window, channels_last: bool) -> tuple[np.ndarray, np.ndarray]:
    """Take the maxima, and their positions in the flat H*W plane."""
    if _taps(win) > BYTE_TAPS:
        return _wide(x, win, channels_last)
    y = empty_image((*x.shape[:2], *win.out), x.dtype, channels_last)
    indices = empty_image(y.shape, np.dtype(np.int64), channels_last)
    _kernels.max_pool(x, y, None, indices, *win)
    return y, indices


def routed(x: np.ndarray, win: Window, channels_last: bool) -> tuple[np.ndarray, Route]:
    """Take the maxima, and what takes a gradient back.

    The route keeps one byte for each output, the number of its window's winning tap. Windows of
    more than 256 taps keep positions instead.
    """
    shape, dtype = x.shape, x.dtype
    if _taps(win) > BYTE_TAPS:
        y, indices = _wide(x, win, channels_last)

        def by_index(grad: np.ndarray) -> np.ndarray:
            gx = empty_image(shape, dtype, channels_last)
            scatter(grad, indices, gx)
            return gx

        return y, by_index
    y = empty_image((*shape[:2], *win.out), dtype, channels_last)
    winners = empty_image(y.shape, np.dtype(np.uint8), channels_last)
    _kernels.max_pool(x, y, winners, None, *win)

    def route(grad: np.ndarray) -> np.ndarray:
        gx = empty_image(shape, dtype, channels_last)
        _kernels.max_pool_backward(in_order(grad, channels_last), winners, gx, *win)
        return gx

    return y, route


def scatter(grad: np.ndarray, indices: np.ndarray, gx: np.ndarray) -> int:
    """Set gx to 0, and add each gradient to the pixel of its plane that its index names.

    Tell how many indices name none.
    """
    return _scatter.scatter(grad, np.require(indices, np.int64, "A"), gx)


def _taps(win: Window) -> int:
    return win.rows.kernel * win.columns.kernel


def _wide(x: np.ndarray, win: Window, channels_last: bool) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling and flat indices for windows whose taps no byte can number."""
    n, c, _, w = x.shape
    y = empty_image((n, c, *win.out), x.dtype, channels_last)
    indices = empty_image(y.shape, np.dtype(np.int64), channels_last)
    for i, row in enumerate(_tap_positions(win.rows)):
        for j, column in enumerate(_tap_positions(win.columns)):
            taps = x[:, :, row][:, :, :, column].reshape(n, c, -1)
            best = taps.argmax(axis=2)
            y[:, :, i, j] = np.take_along_axis(taps, best[:, :, None], axis=2)[:, :, 0]
            positions = (row[:, None] * w + column).ravel()
            indices[:, :, i, j] = positions[best]
    return y, indices


def _tap_positions(axis) -> list[np.ndarray]:
    """For each output of an axis, the input positions its taps see."""
    positions = []
    for o in range(axis.out):
        start = o * axis.stride - axis.before
        stop = min(start + axis.kernel * axis.dilation, axis.size)
        first = start if start >= 0 else start % axis.dilation
        positions.append(np.arange(first, stop, axis.dilation))
    return positions
