"""Padding."""

import numpy as np


def source(i: int, W: int, mode: str) -> int | None:
    """Say which of W elements stands at position `i`, which may lie outside; None for a constant.

    Examples
    --------
    >>> [source(i, 3, "reflect") for i in range(-2, 5)]
    [2, 1, 0, 1, 2, 1, 0]
    >>> [source(i, 3, "replicate") for i in range(-2, 5)]
    [0, 0, 0, 1, 2, 2, 2]
    """
    if 0 <= i < W:
        return i
    if mode == "reflect":
        return -i if i < 0 else 2 * (W - 1) - i
    if mode == "replicate":
        return 0 if i < 0 else W - 1
    return None


def pad(
    x: np.ndarray,
    padding: tuple[tuple[int, int], tuple[int, int]],
    mode: str = "constant",
    value: float = 0.0,
) -> np.ndarray:
    """Surround `x` (N, D, H, W) by ((top, bottom), (left, right)); negative numbers cut off.

    Examples
    --------
    >>> pad(np.array([[[[1.0, 2.0, 3.0]]]]), ((0, 0), (2, -1)), "reflect").tolist()
    [[[[3.0, 2.0, 1.0, 2.0]]]]
    """
    N, D, H, W = x.shape
    (top, bottom), (left, right) = padding
    y = np.full((N, D, top + H + bottom, left + W + right), value, x.dtype)
    for n, d, oh, ow in np.ndindex(y.shape):
        i, j = source(oh - top, H, mode), source(ow - left, W, mode)
        if i is not None and j is not None:
            y[n, d, oh, ow] = x[n, d, i, j]
    return y


def pad_backward(
    grad: np.ndarray,
    input_shape: tuple[int, int, int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
    mode: str = "constant",
) -> np.ndarray:
    """Add each gradient to that of the pixel it is a copy of."""
    _, _, H, W = input_shape
    (top, _), (left, _) = padding
    gx = np.zeros(input_shape)
    for n, d, oh, ow in np.ndindex(grad.shape):
        i, j = source(oh - top, H, mode), source(ow - left, W, mode)
        if i is not None and j is not None:
            gx[n, d, i, j] += grad[n, d, oh, ow]
    return gx.astype(grad.dtype)
