"""Images (C, H, W, N), and fields (C, HH, WW, out_h, out_w, N) of them: the batch last.

That is the order of the course's columns. Threads would add little to moving the batch's axis, as
one already copies at the speed of memory.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnfast.functional._memory import empty
from cnnfast.functional._window import Window
from cnnfast.functional.columns import col2im

# Images transposed at a time: so many streams of memory fit the ways of a cache.
STREAMS = 8
FEW_IMAGES = 4


def one_by_one(n: int, placed: Window) -> bool:
    """Whether images are better taken one by one.

    NumPy copies in runs, as long as memory allows. With the batch last a run is a whole row of
    windows, but at a stride only N elements.
    """
    return placed.columns.stride > 1 and n <= FEW_IMAGES


def blocks(n: int) -> list[slice]:
    """Slices of the batch in which its axis is moved from first to last, or back."""
    step = STREAMS if n >= STREAMS else 1
    return [slice(first, first + step) for first in range(0, n, step)]


def fields_of(x: np.ndarray, placed: Window) -> np.ndarray:
    """The fields of images (N, C, H, W)."""
    n, c = x.shape[:2]
    rows, columns = placed
    apart = one_by_one(n, placed)
    if apart:
        padded = np.zeros((n, c, rows.padded, columns.padded), x.dtype).transpose(1, 2, 3, 0)
    else:
        padded = np.zeros((c, rows.padded, columns.padded, n), x.dtype)
    inside = _without_padding(padded, placed)
    for some in blocks(n):
        inside[..., some] = x[some].transpose(1, 2, 3, 0)
    windows = sliding_window_view(padded, (rows.kernel, columns.kernel), axis=(1, 2))
    windows = windows[:, :: rows.stride, :: columns.stride].transpose(0, 4, 5, 1, 2, 3)
    fields = empty(windows.shape, x.dtype)
    for images in range(n) if apart else (slice(None),):
        fields[..., images] = windows[..., images]
    return fields


def sum_fields(fields: np.ndarray, placed: Window) -> np.ndarray:
    """Add fields back into the images (C, H, W, N) they were taken from."""
    rows, columns = placed
    c, *_, n = fields.shape
    # A row of pixels with N values each is a row of pixels N times as long, under fields dilated
    # by N. That needs stride 1 in the row; at another, the taps that share a remainder by the
    # stride meet the same pixels, every stride-th, and among those they are fields of stride 1.
    if columns.stride == 1:
        return col2im(
            fields.reshape(1, c * rows.kernel * columns.kernel, -1),
            (rows.size, columns.size * n),
            (rows.kernel, columns.kernel),
            stride=(rows.stride, 1),
            padding=((rows.before, rows.after), (columns.before * n, columns.after * n)),
            dilation=(1, n),
        ).reshape(c, rows.size, columns.size, n)
    padded = np.zeros((c, rows.padded, columns.padded, n), fields.dtype)
    height = (rows.out - 1) * rows.stride + rows.kernel
    for remainder in range(min(columns.stride, columns.kernel)):
        taps = fields[:, :, remainder :: columns.stride]
        kernel = taps.shape[2]
        width = columns.out + kernel - 1
        part = col2im(
            taps.reshape(1, c * rows.kernel * kernel, -1),
            (height, width * n),
            (rows.kernel, kernel),
            stride=(rows.stride, 1),
            dilation=(1, n),
        )
        met = slice(remainder, remainder + width * columns.stride, columns.stride)
        padded[:, :height, met] = part.reshape(c, height, width, n)
    return _without_padding(padded, placed)


def _without_padding(padded: np.ndarray, placed: Window) -> np.ndarray:
    """The images within a padded copy (C, H', W', N)."""
    rows, columns = placed
    return padded[
        :,
        rows.before : rows.before + rows.size,
        columns.before : columns.before + columns.size,
    ]
