"""Convolution over three axes, by two of them.

For every output slice, the input slices that a filter of T taps in depth meets are laid side by
side as T times the channels of an image; a filter (C, T, R, S) is then one of (T C, R, S). That
takes T times the memory of the input, and nothing where T is 1. A filter of one tap in the plane
needs no such thing: its volumes are images of D rows of H W columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnfast.functional._conv import images
from cnnfast.functional._memory import empty, empty_image, is_channels_last
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Axis, Window, plain_axis


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    win: Window,
    groups: int,
    memory_format: MemoryFormat,
    packed: images.Packed,
) -> np.ndarray:
    """y = conv(x, weight) + bias."""
    if _is_deep(win):
        arrays = (_rows(x), _rows(weight), bias)
        y = images.forward(*arrays, _window_of_rows(win), groups, memory_format, packed)
        return y.reshape(*y.shape[:3], *x.shape[3:])
    filters = packed("folded", lambda: _folded(weight))
    slices = _gathered(x, win[0], groups)
    window = Window(win[1:])
    y = images.forward(slices, filters, bias, window, groups, "channels_last", packed)
    last = memory_format == "channels_last" or (memory_format == "preserve" and is_channels_last(x))
    return _in_order(_unstacked(y, win[0].out), last)


def backward_data(
    grad: np.ndarray,
    weight: np.ndarray,
    shape: tuple[int, ...],
    channels_last: bool,
    win: Window,
    groups: int,
) -> np.ndarray:
    """Compute the gradient of an input of `shape`."""
    if _is_deep(win):
        arrays, image = (_rows(grad), _rows(weight)), _shape_of_rows(shape)
        window = _window_of_rows(win)
        return images.backward_data(*arrays, image, channels_last, window, groups).reshape(shape)
    depth, window = win[0], Window(win[1:])
    n, channels, _, *size = shape
    stack = (n * depth.out, depth.kernel * channels, *size)
    slices = images.backward_data(_stacked(grad), _folded(weight), stack, True, window, groups)
    if _is_plain(depth):
        return _in_order(_unstacked(slices, depth.out), channels_last)
    gx = empty_image(shape, grad.dtype, channels_last)
    gx[...] = 0
    each = _by_tap(slices, depth, groups)
    whole = _by_group(gx, groups)
    for tap, outputs, inputs in _meetings(depth):
        whole[:, inputs] += each[:, outputs, :, :, :, tap]
    return gx


def backward_weights(
    grad: np.ndarray, x: np.ndarray, shape: tuple[int, ...], win: Window, groups: int
) -> np.ndarray:
    """Compute the gradient of filters of `shape`."""
    if _is_deep(win):
        arrays, filters = (_rows(grad), _rows(x)), _shape_of_rows(shape)
        return images.backward_weights(*arrays, filters, _window_of_rows(win), groups).reshape(
            shape
        )
    k, channels, taps, r, s = shape
    slices, window = _gathered(x, win[0], groups), Window(win[1:])
    folded = (k, taps * channels, r, s)
    gw = images.backward_weights(_stacked(grad), slices, folded, window, groups)
    if taps == 1:
        return gw.reshape(shape)
    turned = empty(shape, gw.dtype)
    turned[...] = gw.reshape(k, taps, channels, r, s).swapaxes(1, 2)
    return turned


def _is_plain(axis: Axis) -> bool:
    """Whether every position meets one tap, and that only."""
    return axis.kernel == axis.stride == 1 and axis.before == 0 and axis.out == axis.size


def _is_deep(win: Window) -> bool:
    """Whether filters have taps along the depth only."""
    return _is_plain(win[1]) and _is_plain(win[2])


def _window_of_rows(win: Window) -> Window:
    return Window((win[0], plain_axis(win[1].size * win[2].size)))


def _rows(x: np.ndarray) -> np.ndarray:
    """Volumes (N, C, D, H, W) as images (N, C, D, H W)."""
    return x.reshape(_shape_of_rows(x.shape))


def _shape_of_rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, channels, d, h, w = shape
    return n, channels, d, h * w


def _meetings(depth: Axis) -> Iterator[tuple[int, slice, slice]]:
    """Each tap, the output slices that it makes of slices inside the input, and which those are."""
    for tap in range(depth.kernel):
        offset = tap * depth.dilation - depth.before
        first = min(max(-(offset // depth.stride), 0), depth.out)
        last = min(max(-((offset - depth.size) // depth.stride), first), depth.out)
        start = first * depth.stride + offset
        stop = start + (last - first) * depth.stride
        yield tap, slice(first, last), slice(start, stop, depth.stride)


def _gathered(x: np.ndarray, depth: Axis, groups: int) -> np.ndarray:
    """Images of the slices that each output slice sees, as T times the channels of a group."""
    if _is_plain(depth):
        return _stacked(x)
    n, channels, _, h, w = x.shape
    shape = (n * depth.out, depth.kernel * channels, h, w)
    slices = empty_image(shape, x.dtype, channels_last=True)
    each = _by_tap(slices, depth, groups)
    whole = _by_group(x, groups)
    for tap, outputs, inputs in _meetings(depth):
        each[:, : outputs.start, :, :, :, tap] = 0
        each[:, outputs, :, :, :, tap] = whole[:, inputs]
        each[:, outputs.stop :, :, :, :, tap] = 0
    return slices


def _folded(weight: np.ndarray) -> np.ndarray:
    """Filters (K, C, T, R, S) as (K, T C, R, S)."""
    k, channels, taps, r, s = weight.shape
    return weight.swapaxes(1, 2).reshape(k, taps * channels, r, s)


def _stacked(x: np.ndarray) -> np.ndarray:
    """Volumes (N, C, D, H, W) as images (N D, C, H, W)."""
    n, channels, d, h, w = x.shape
    return x.swapaxes(1, 2).reshape(n * d, channels, h, w)


def _unstacked(slices: np.ndarray, d: int) -> np.ndarray:
    """Images (N D, C, H, W) as volumes (N, C, D, H, W)."""
    total, channels, h, w = slices.shape
    return slices.reshape(total // d, d, channels, h, w).swapaxes(1, 2)


def _by_group(x: np.ndarray, groups: int) -> np.ndarray:
    """View volumes (N, C, D, H, W) as (N, D, H, W, groups, C / groups)."""
    n, channels, d, h, w = x.shape
    return x.transpose(0, 2, 3, 4, 1).reshape(n, d, h, w, groups, channels // groups)


def _by_tap(slices: np.ndarray, depth: Axis, groups: int) -> np.ndarray:
    """View what `_gathered` makes as (N, D, H, W, groups, T, C / groups)."""
    total, channels, h, w = slices.shape
    taps = depth.kernel
    parts = (total // depth.out, depth.out, h, w, groups, taps, channels // (taps * groups))
    return slices.transpose(0, 2, 3, 1).reshape(parts)


def _in_order(x: np.ndarray, channels_last: bool) -> np.ndarray:
    """`x`, which is channels-last in memory, or a copy in C order."""
    if channels_last or x.flags.c_contiguous:
        return x
    copy = empty_image(x.shape, x.dtype, False)
    copy[...] = x
    return copy
