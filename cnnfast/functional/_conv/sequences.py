"""Convolution over one axis: sequences are images of one row."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._conv import images
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Window


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
    window = win.of_one_row()
    arrays = (x[:, :, None], weight[:, :, None], bias)
    return images.forward(*arrays, window, groups, memory_format, packed)[:, :, 0]


def backward_data(
    grad: np.ndarray,
    weight: np.ndarray,
    shape: tuple[int, ...],
    channels_last: bool,
    win: Window,
    groups: int,
) -> np.ndarray:
    """Compute the gradient of an input of `shape`."""
    window, image = win.of_one_row(), (*shape[:2], 1, shape[2])
    arrays = (grad[:, :, None], weight[:, :, None])
    return images.backward_data(*arrays, image, channels_last, window, groups)[:, :, 0]


def backward_weights(
    grad: np.ndarray, x: np.ndarray, shape: tuple[int, ...], win: Window, groups: int
) -> np.ndarray:
    """Compute the gradient of filters of `shape`."""
    window, filters = win.of_one_row(), (*shape[:2], 1, shape[2])
    arrays = (grad[:, :, None], x[:, :, None])
    return images.backward_weights(*arrays, filters, window, groups)[:, :, 0]
