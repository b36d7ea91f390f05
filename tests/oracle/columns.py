"""im2col and col2im."""

from __future__ import annotations

import numpy as np

from tests.oracle.geometry import (
    Padding,
    Pair,
    f64,
    gather,
    scatter,
    windows,
)


def im2col(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Columns (N, C*R*S, OH*OW), as torch's unfold."""
    (x,) = f64(x)
    columns = gather(x, windows(x.shape, kernel_size, stride, padding, dilation), 0.0)
    n, c, oh, ow, taps = columns.shape
    return columns.transpose(0, 1, 4, 2, 3).reshape(n, c * taps, oh * ow)


def col2im(
    columns: np.ndarray,
    output_size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Images (N, C, H, W), as torch's fold."""
    (columns,) = f64(columns)
    at = windows(output_size, kernel_size, stride, padding, dilation)
    oh, ow, taps = at.flat.shape
    n, c = columns.shape[0], columns.shape[1] // taps
    values = columns.reshape(n, c, taps, oh, ow).transpose(0, 1, 3, 4, 2)
    return scatter(values, at, (n, c, *output_size))
