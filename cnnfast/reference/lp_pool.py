"""Pooling by a norm."""

import math

import numpy as np

from cnnfast.reference.geometry import Pair, output_size, pair


def lp_pool2d(
    x: np.ndarray, norm_type: float, kernel_size: Pair, stride: Pair | None = None
) -> np.ndarray:
    """Take the p-norm of every window: (sum of abs(x)**p) ** (1/p), where p is `norm_type`.

    p = 2 is the notes' L2-norm pooling.

    Returns
    -------
    ndarray of shape (N, D, OH, OW)

    Examples
    --------
    >>> lp_pool2d(np.array([[[[3.0, -4.0, 6.0, 8.0]]]]), norm_type=2, kernel_size=(1, 2)).tolist()
    [[[[5.0, 10.0]]]]
    """
    N, D, H, W = x.shape
    FH, FW = pair(kernel_size)
    SH, SW = (FH, FW) if stride is None else pair(stride)
    OH, OW = output_size(H, FH, SH, 0), output_size(W, FW, SW, 0)
    y = np.zeros((N, D, OH, OW), x.dtype)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    total = 0.0
                    for r in range(FH):
                        for s in range(FW):
                            total += abs(float(x[n, d, oh * SH + r, ow * SW + s])) ** norm_type
                    y[n, d, oh, ow] = total ** (1 / norm_type)
    return y


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
) -> np.ndarray:
    """Send g * sign(x) * abs(x/y)**(p - 1) to each x of a window with norm y; nothing if y is 0."""
    N, D, OH, OW = grad.shape
    FH, FW = pair(kernel_size)
    SH, SW = (FH, FW) if stride is None else pair(stride)
    y = lp_pool2d(x.astype(np.float64), norm_type, kernel_size, stride)
    gx = np.zeros(x.shape)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    if y[n, d, oh, ow] == 0:
                        continue
                    for r in range(FH):
                        for s in range(FW):
                            i, j = oh * SH + r, ow * SW + s
                            share = float(x[n, d, i, j]) / y[n, d, oh, ow]
                            slope = math.copysign(abs(share) ** (norm_type - 1), share)
                            gx[n, d, i, j] += grad[n, d, oh, ow] * slope
    return gx.astype(x.dtype)
