"""Memory of results: its order, as C or channels-last, and where it comes from."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from cnnfast._ext.workspace import Block, to_alignment

ALIGNMENT = 64
# Blocks of this size and more are kept for later results.
KEPT_FROM = 64 << 10
# The axes of images, sequences and volumes in channels-last memory, and how to turn them back.
CHANNELS_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
CHANNELS_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def is_channels_last(x: np.ndarray) -> bool:
    """Tell whether the memory of `x`, e.g. (N, C, H, W), is channels-last, as its strides say.

    Where the strides fit both orders (C = 1, or H = W = 1) the answer is False: C order.
    """
    if x.flags.c_contiguous:
        return False
    return x.transpose(CHANNELS_LAST[x.ndim]).flags.c_contiguous


def in_order(x: np.ndarray, channels_last: bool) -> np.ndarray:
    """`x`, e.g. (N, C, H, W), in channels-last or else C order, copied if need be."""
    if channels_last:
        turned = np.ascontiguousarray(x.transpose(CHANNELS_LAST[x.ndim]))
        return turned.transpose(CHANNELS_FIRST[x.ndim])
    return np.ascontiguousarray(x)


class _Place(threading.local):
    """Where the next result is to go; see `placed_in`."""

    array: np.ndarray | None = None


_place = _Place()


@contextmanager
def placed_in(array: np.ndarray) -> Iterator[None]:
    """Let the next result of this thread that could be `array`, by shape and dtype, be it.

    The function that allocates it then returns `array`; a caller sees by that whether it went well.
    """
    _place.array = array
    try:
        yield
    finally:
        _place.array = None


def _placed(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    array = _place.array
    if array is None or array.shape != tuple(shape) or array.dtype != dtype:
        return None
    _place.array = None
    return array


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised C-contiguous array, aligned to a cache line as vector stores like it."""
    if _place.array is not None and (there := _placed(shape, dtype)) is not None:
        return there
    return np.ndarray(shape, dtype, *_memory(shape, dtype))


def empty_image(shape: tuple[int, ...], dtype: np.dtype, channels_last: bool) -> np.ndarray:
    """An uninitialised, aligned array, e.g. (N, C, H, W), in one of the two memory orders."""
    if not channels_last:
        return empty(shape, dtype)
    if _place.array is not None and (there := _placed(shape, dtype)) is not None:
        return there
    turned = (shape[0], *shape[2:], shape[1])
    memory = np.ndarray(turned, dtype, *_memory(shape, dtype))
    return memory.transpose(CHANNELS_FIRST[len(shape)])


def _memory(shape: tuple[int, ...], dtype: np.dtype) -> tuple[Block | np.ndarray, int]:
    """Memory for an array, and where in it that is to begin."""
    size = math.prod(shape) * dtype.itemsize
    try:
        if size >= KEPT_FROM:
            return Block(size), 0
        block = np.empty(size + ALIGNMENT, np.uint8)
    except (MemoryError, OverflowError):
        raise MemoryError(
            f"could not allocate {size:,} bytes for a result of shape {shape} and dtype {dtype}"
        ) from None
    return block, to_alignment(block)


def empty_like(x: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """An uninitialised, aligned array in the shape and memory order of `x`."""
    dtype = x.dtype if dtype is None else dtype
    if x.ndim in CHANNELS_LAST:
        return empty_image(x.shape, dtype, is_channels_last(x))
    return empty(x.shape, dtype)


def maker_like(x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what makes an array of the shape and memory order of `x`, without keeping `x`.

    A gradient of averages depends on nothing else, and memory that is never touched costs nothing.
    """
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)
    return lambda: empty_image(shape, dtype, channels_last)
