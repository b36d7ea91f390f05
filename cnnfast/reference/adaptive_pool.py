"""Pooling to a given size: every output has its own, nearly equal, window."""

import math

import numpy as np

from cnnfast.reference.geometry import Pair, pair
from cnnfast.reference.max_pool import beats


def adaptive_taps(o: int, W: int, OW: int) -> list[int]:
    """List the input positions along one axis of W that output `o` of OW covers.

    Examples
    --------
    >>> adaptive_taps(0, W=5, OW=2), adaptive_taps(1, W=5, OW=2)
    ([0, 1, 2], [2, 3, 4])
    """
    return [i for i in range(W) if math.floor(o * W / OW) <= i < math.ceil((o + 1) * W / OW)]


def adaptive_avg_pool2d(x: np.ndarray, output_size: Pair) -> np.ndarray:
    """Average `x` (N, D, H, W) to (N, D, OH, OW): every output its own, nearly equal, window.

    Examples
    --------
    >>> adaptive_avg_pool2d(np.array([[[[3.0, 6.0, 9.0]]]]), (1, 2)).tolist()
    [[[[4.5, 7.5]]]]
    """
    N, D, H, W = x.shape
    OH, OW = pair(output_size)
    y = np.zeros((N, D, OH, OW), x.dtype)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    rows, columns = adaptive_taps(oh, H, OH), adaptive_taps(ow, W, OW)
                    total = sum(float(x[n, d, i, j]) for i in rows for j in columns)
                    y[n, d, oh, ow] = total / (len(rows) * len(columns))
    return y


def adaptive_avg_pool2d_backward(
    grad: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Share each gradient out equally among the elements of its window."""
    N, D, H, W = input_shape
    OH, OW = grad.shape[2:]
    gx = np.zeros(input_shape)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    rows, columns = adaptive_taps(oh, H, OH), adaptive_taps(ow, W, OW)
                    for i in rows:
                        for j in columns:
                            gx[n, d, i, j] += grad[n, d, oh, ow] / (len(rows) * len(columns))
    return gx.astype(grad.dtype)


def adaptive_max_pool2d(x: np.ndarray, output_size: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Take the largest element of every window of `adaptive_avg_pool2d`, and its position."""
    N, D, H, W = x.shape
    OH, OW = pair(output_size)
    y = np.zeros((N, D, OH, OW), x.dtype)
    indices = np.zeros((N, D, OH, OW), np.int64)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    best = None
                    for i in adaptive_taps(oh, H, OH):
                        for j in adaptive_taps(ow, W, OW):
                            if best is None or beats(x[n, d, i, j], best):
                                best, index = x[n, d, i, j], i * W + j
                    y[n, d, oh, ow], indices[n, d, oh, ow] = best, index
    return y, indices
