"""Resizing."""

import math

import numpy as np

from cnnfast.reference.geometry import Pair, pair


def neighbours(
    o: int, W: int, OW: int, mode: str, align_corners: bool = False
) -> list[tuple[int, float]]:
    """List the input positions along one axis that output `o` of OW is made of, and their weights.

    Examples
    --------
    >>> neighbours(1, W=4, OW=8, mode="nearest"), neighbours(1, W=4, OW=8, mode="bilinear")
    ([(0, 1.0)], [(0, 0.75), (1, 0.25)])
    """
    if mode == "nearest":
        return [(o * W // OW, 1.0)]
    if align_corners:
        at = o * (W - 1) / (OW - 1) if OW > 1 else 0.0
    else:
        at = max(0.0, (o + 0.5) * W / OW - 0.5)
    i = math.floor(at)
    return [(i, 1 - (at - i)), (min(i + 1, W - 1), at - i)]


def interpolate(
    x: np.ndarray, size: Pair, mode: str = "nearest", align_corners: bool = False
) -> np.ndarray:
    """Resize `x` (N, D, H, W) to (N, D, OH, OW): weighted sums of the pixels nearby.

    Examples
    --------
    >>> interpolate(np.array([[[[0.0, 4.0]]]]), (1, 4), mode="bilinear").tolist()
    [[[[0.0, 1.0, 3.0, 4.0]]]]
    """
    N, D, H, W = x.shape
    OH, OW = pair(size)
    y = np.zeros((N, D, OH, OW))
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    for i, u in neighbours(oh, H, OH, mode, align_corners):
                        for j, v in neighbours(ow, W, OW, mode, align_corners):
                            y[n, d, oh, ow] += u * v * x[n, d, i, j]
    return y.astype(x.dtype)


def interpolate_backward(
    grad: np.ndarray,
    input_shape: tuple[int, int, int, int],
    mode: str = "nearest",
    align_corners: bool = False,
) -> np.ndarray:
    """Send each gradient to the pixels it was made of, by their weights."""
    N, D, H, W = input_shape
    OH, OW = grad.shape[2:]
    gx = np.zeros(input_shape)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    for i, u in neighbours(oh, H, OH, mode, align_corners):
                        for j, v in neighbours(ow, W, OW, mode, align_corners):
                            gx[n, d, i, j] += u * v * grad[n, d, oh, ow]
    return gx.astype(grad.dtype)
