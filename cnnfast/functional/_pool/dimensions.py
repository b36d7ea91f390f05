"""Pools over one, two or three axes, by a pool of images.

A sequence is an image of one row. A volume is pooled slice by slice, and the slices of results
then along the depth, as an image of D rows of OH OW columns: the maximum of a window is that of its
slices' maxima, its average that of their averages, its norm that of their norms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast.functional._memory import empty_image
from cnnfast.functional._pool.maxima import Route, indexed
from cnnfast.functional._window import Window, plain_axis

#: Makes results of images, a window over them, and whether they are to be channels-last.
Pool = Callable[[np.ndarray, Window, bool], np.ndarray]
#: The same, and what takes a gradient back.
RoutedPool = Callable[[np.ndarray, Window, bool], tuple[np.ndarray, Route]]
#: Makes the gradient of images of a shape.
Spread = Callable[[np.ndarray, tuple[int, ...], Window, bool], np.ndarray]


def forward(pool: Pool, x: np.ndarray, win: Window, channels_last: bool) -> np.ndarray:
    """Pool `x`."""
    if len(win) == 2:
        return pool(x, win, channels_last)
    if len(win) == 1:
        return pool(x[:, :, None], win.of_one_row(), channels_last)[:, :, 0]
    plane, depth = _steps(win)
    slices = pool(_slices(x, channels_last), plane, channels_last)
    return pool(_rows(_volumes(slices, x, channels_last)), depth, channels_last).reshape(
        *x.shape[:2], *win.out
    )


def routed(
    pool: RoutedPool, x: np.ndarray, win: Window, channels_last: bool
) -> tuple[np.ndarray, Route]:
    """Pool `x`, and give what takes a gradient back."""
    if len(win) == 2:
        return pool(x, win, channels_last)
    if len(win) == 1:
        y, route = pool(x[:, :, None], win.of_one_row(), channels_last)
        return y[:, :, 0], lambda grad: route(grad[:, :, None])[:, :, 0]
    plane, depth = _steps(win)
    slices, to_slices = pool(_slices(x, channels_last), plane, channels_last)
    between = _volumes(slices, x, channels_last)
    y, to_between = pool(_rows(between), depth, channels_last)
    shape, shape_between = x.shape, between.shape

    def back(grad: np.ndarray) -> np.ndarray:
        g = to_between(_rows(grad)).reshape(shape_between)
        return _in_shape(to_slices(_slices(g, channels_last)), shape, channels_last)

    return y.reshape(*shape[:2], *win.out), back


def backward(
    spread: Spread, grad: np.ndarray, shape: tuple[int, ...], win: Window, channels_last: bool
) -> np.ndarray:
    """Take a gradient back to an input of `shape`."""
    if len(win) == 2:
        return spread(grad, shape, win, channels_last)
    if len(win) == 1:
        image = (*shape[:2], 1, shape[2])
        return spread(grad[:, :, None], image, win.of_one_row(), channels_last)[:, :, 0]
    plane, depth = _steps(win)
    between = (*shape[:3], *plane.out)
    g = spread(_rows(grad), _shape_of_rows(between), depth, channels_last).reshape(between)
    gx = spread(_slices(g, channels_last), _shape_of_slices(shape), plane, channels_last)
    return _in_shape(gx, shape, channels_last)


def positions(x: np.ndarray, win: Window, channels_last: bool) -> tuple[np.ndarray, np.ndarray]:
    """Take the maxima of `x`, and where they stand in its flat sequence, plane or volume."""
    if len(win) == 2:
        return indexed(x, win, channels_last)
    if len(win) == 1:
        y, at = indexed(x[:, :, None], win.of_one_row(), channels_last)
        return y[:, :, 0], at[:, :, 0]
    plane, depth = _steps(win)
    slices, in_slice = indexed(_slices(x, channels_last), plane, channels_last)
    y, at = indexed(_rows(_volumes(slices, x, channels_last)), depth, channels_last)
    n, c, d, h, w = x.shape
    whole = _volumes(in_slice, x, channels_last) + (np.arange(d) * (h * w))[:, None, None]
    found = np.take_along_axis(whole.reshape(n, c, -1), at.reshape(n, c, -1), axis=2)
    indices = empty_image((n, c, *win.out), found.dtype, channels_last)
    indices[...] = found.reshape(indices.shape)
    return y.reshape(indices.shape), indices


def as_images(x: np.ndarray) -> np.ndarray:
    """View sequences or volumes as images whose planes hold the same elements in one order."""
    return x if x.ndim == 4 else x[:, :, None] if x.ndim == 3 else _rows(x)


def _steps(win: Window) -> tuple[Window, Window]:
    """The window over slices, and that over rows of what it makes."""
    plane = Window(win[1:])
    return plane, Window((win[0], plain_axis(plane.rows.out * plane.columns.out)))


def _shape_of_slices(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, c, d, h, w = shape
    return n * d, c, h, w


def _slices(x: np.ndarray, channels_last: bool) -> np.ndarray:
    """View volumes as images (N D, C, H, W), each a slice.

    In C order the slices of a channel follow each other, so the two axes in front mean something
    else. To a pool they mean nothing.
    """
    turned = x.swapaxes(1, 2) if channels_last else x
    return turned.reshape(_shape_of_slices(x.shape))


def _volumes(slices: np.ndarray, x: np.ndarray, channels_last: bool) -> np.ndarray:
    """View what was made of the slices of `x` as volumes."""
    return _in_shape(slices, (*x.shape[:3], *slices.shape[2:]), channels_last)


def _in_shape(slices: np.ndarray, shape: tuple[int, ...], channels_last: bool) -> np.ndarray:
    n, c, d, h, w = shape
    if channels_last:
        return slices.reshape(n, d, c, h, w).swapaxes(1, 2)
    return slices.reshape(shape)


def _shape_of_rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, c, d, h, w = shape
    return n, c, d, h * w


def _rows(x: np.ndarray) -> np.ndarray:
    """View volumes (N, C, D, H, W) as images (N, C, D, H W)."""
    return x.reshape(_shape_of_rows(x.shape))
