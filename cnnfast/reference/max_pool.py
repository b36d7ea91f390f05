"""Max pooling."""

import math

import numpy as np

from cnnfast.reference.geometry import Pair, pair, pooled_size, taps


def beats(value: float, best: float) -> bool:
    """Tell whether `value` takes the maximum from `best`: larger, or the first NaN."""
    return value > best or (math.isnan(value) and not math.isnan(best))


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the largest element of every window, and remember where it stood.

    Of equal elements the first in row-major order wins; a NaN beats every number, the first NaN
    every other; padding never wins. `stride` is `kernel_size` unless given.

    Returns
    -------
    y : ndarray of shape (N, D, OH, OW)
    indices : int64 ndarray of the same shape
        Position i*W + j of the winner in its H x W plane.

    Raises
    ------
    ValueError
        If a window covers nothing but padding, which has no largest element.

    Examples
    --------
    >>> y, indices = max_pool2d(np.array([[[[1.0, 5.0, 2.0, 2.0]]]]), kernel_size=(1, 2))
    >>> y.tolist(), indices.tolist()
    ([[[[5.0, 2.0]]]], [[[[1, 2]]]])
    """
    N, D, H, W = x.shape
    (FH, FW), (PH, PW), (dh, dw) = pair(kernel_size), pair(padding), pair(dilation)
    SH, SW = (FH, FW) if stride is None else pair(stride)
    OH = pooled_size(H, FH, SH, PH, dh, ceil_mode)
    OW = pooled_size(W, FW, SW, PW, dw, ceil_mode)
    y = np.zeros((N, D, OH, OW), x.dtype)
    indices = np.zeros((N, D, OH, OW), np.int64)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    best = None
                    for i in taps(oh, H, FH, SH, PH, dh):
                        for j in taps(ow, W, FW, SW, PW, dw):
                            value = x[n, d, i, j]
                            if best is None or beats(value, best):
                                best, index = value, i * W + j
                    if best is None:
                        raise ValueError(f"max_pool2d: window ({oh}, {ow}) covers only padding")
                    y[n, d, oh, ow], indices[n, d, oh, ow] = best, index
    return y, indices


def max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Route each gradient to the element that won its window; all others get zero.

    Examples
    --------
    >>> grad, indices = np.array([[[[7.0, 8.0]]]]), np.array([[[[1, 2]]]])
    >>> max_pool2d_backward(grad, indices, (1, 1, 1, 4)).tolist()
    [[[[0.0, 7.0, 8.0, 0.0]]]]
    """
    N, D, OH, OW = grad.shape
    W = input_shape[3]
    gx = np.zeros(input_shape)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    i, j = divmod(indices[n, d, oh, ow], W)
                    gx[n, d, i, j] += grad[n, d, oh, ow]
    return gx.astype(grad.dtype)
