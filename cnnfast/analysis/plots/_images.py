"""Arrays as what can be drawn."""

from __future__ import annotations

import numpy as np

_MOST_ACROSS = 16  # tiles


def visible(function: str, images: np.ndarray) -> np.ndarray:
    """Turn images (N, C, H, W) into grey (N, H, W) or coloured (N, H, W, 3) ones in [0, 1].

    Three channels are red, green and blue; of any other number the mean is shown. An image with
    values outside of [0, 1], as normalisation leaves them, is stretched from its least to its
    largest value; uint8 is divided by 255.
    """
    if not isinstance(images, np.ndarray):
        raise TypeError(f"{function}: images must be a NumPy array, got {type(images).__name__}")
    if images.ndim != 4 or not images.size:
        raise ValueError(f"{function}: images must be some of (N, C, H, W), got {images.shape}")
    if images.dtype == np.uint8:
        images = images / 255
    shown = images.transpose(0, 2, 3, 1) if images.shape[1] == 3 else images.mean(axis=1)
    axes = tuple(range(1, shown.ndim))
    least, most = shown.min(axes, keepdims=True), shown.max(axes, keepdims=True)
    stretched = (shown - least) / np.where(most > least, most - least, 1)
    return np.where((least < 0) | (most > 1), stretched, shown)


def mosaic(tiles: np.ndarray, columns: int, background: float = np.nan) -> np.ndarray:
    """Lay tiles (N, H, W, ...) out in rows, a line of `background` between them.

    Examples
    --------
    >>> mosaic(np.arange(3).reshape(3, 1, 1), columns=2, background=-1).tolist()
    [[0.0, -1.0, 1.0], [-1.0, -1.0, -1.0], [2.0, -1.0, -1.0]]
    """
    count, height, width = tiles.shape[:3]
    rows = -(-count // columns)
    gap = max(1, round(max(height, width) / 16))
    down, across = height + gap, width + gap
    shape = (rows * down - gap, columns * across - gap, *tiles.shape[3:])
    laid = np.full(shape, background, np.float64)
    for index, tile in enumerate(tiles):
        top, left = index // columns * down, index % columns * across
        laid[top : top + height, left : left + width] = tile
    return laid


def nearly_square(count: int) -> int:
    """Say in how many columns to lay out so many tiles.

    Examples
    --------
    >>> [nearly_square(count) for count in (1, 6, 64, 512)]
    [1, 6, 8, 16]
    """
    return count if count <= 8 else min(_MOST_ACROSS, int(np.ceil(np.sqrt(count))))
