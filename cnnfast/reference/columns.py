"""Receptive fields as the columns of a matrix."""

import numpy as np

from cnnfast.reference.geometry import Pair, output_size, pair, pooled_size, zero_pad


def im2col(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Stretch every receptive field of `x` (N, D, H, W) out into a column.

    Row (d*FH + r)*FW + s, column oh*OW + ow holds x[n, d, oh*S - P + r, ow*S - P + s].

    Returns
    -------
    ndarray of shape (N, D*FH*FW, OH*OW)

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> im2col(x, kernel_size=2)[0]
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    N, D, H, W = x.shape
    (FH, FW), (SH, SW), (PH, PW) = pair(kernel_size), pair(stride), pair(padding)
    dh, dw = pair(dilation)
    OH, OW = output_size(H, FH, SH, PH, dh), output_size(W, FW, SW, PW, dw)
    x = zero_pad(x, PH, PW)
    columns = np.zeros((N, D * FH * FW, OH * OW), x.dtype)
    for n in range(N):
        for d in range(D):
            for r in range(FH):
                for s in range(FW):
                    row = (d * FH + r) * FW + s
                    for oh in range(OH):
                        for ow in range(OW):
                            i, j = oh * SH + r * dh, ow * SW + s * dw
                            columns[n, row, oh * OW + ow] = x[n, d, i, j]
    return columns


def col2im(
    columns: np.ndarray,
    output_size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Add every column back onto the receptive field it came from.

    This is the backward pass of `im2col`: a pixel that lies in several windows gets their sum.

    Returns
    -------
    ndarray of shape (N, D, H, W), where (H, W) is `output_size`

    Examples
    --------
    >>> x = np.ones((1, 1, 3, 3))
    >>> col2im(im2col(x, kernel_size=2), (3, 3), kernel_size=2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    N, H, W = columns.shape[0], *output_size
    (FH, FW), (SH, SW), (PH, PW) = pair(kernel_size), pair(stride), pair(padding)
    dh, dw = pair(dilation)
    D = columns.shape[1] // (FH * FW)
    # The argument hides the function output_size here; without ceil_mode pooled_size is the same.
    OH, OW = pooled_size(H, FH, SH, PH, dh), pooled_size(W, FW, SW, PW, dw)
    x = zero_pad(np.zeros((N, D, H, W)), PH, PW)
    for n in range(N):
        for d in range(D):
            for r in range(FH):
                for s in range(FW):
                    row = (d * FH + r) * FW + s
                    for oh in range(OH):
                        for ow in range(OW):
                            i, j = oh * SH + r * dh, ow * SW + s * dw
                            x[n, d, i, j] += columns[n, row, oh * OW + ow]
    return x[:, :, PH : PH + H, PW : PW + W].astype(columns.dtype)
