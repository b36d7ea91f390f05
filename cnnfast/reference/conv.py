"""Convolution."""

import numpy as np

from cnnfast.reference.geometry import Pair, output_size, pair, zero_pad


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Slide K filters over the input; each output is a dot product plus the filter's bias.

    y[n, k, oh, ow] = bias[k] + sum over d, r, s of x[n, d, oh*S - P + r, ow*S - P + s]
    * weight[k, d, r, s], with zeros outside the input. With `groups`, filters and input channels
    are cut into as many slices, and a filter sees only the channels of its own slice.

    Parameters
    ----------
    x : ndarray of shape (N, D, H, W)
    weight : ndarray of shape (K, D/groups, FH, FW)
    bias : ndarray of shape (K,), optional

    Returns
    -------
    ndarray of shape (N, K, OH, OW)

    Examples
    --------
    >>> x = np.ones((1, 4, 11, 11))
    >>> y = conv2d(x, np.ones((2, 4, 5, 5)), bias=np.array([0.0, 0.5]), stride=2)
    >>> y.shape, y[0, :, 0, 0].tolist()  # 5*5*4 products of ones
    ((1, 2, 4, 4), [100.0, 100.5])
    """
    N, _, H, W = x.shape
    K, D, FH, FW = weight.shape
    (SH, SW), (PH, PW), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    OH, OW = output_size(H, FH, SH, PH, dh), output_size(W, FW, SW, PW, dw)
    x = zero_pad(x, PH, PW)
    y = np.zeros((N, K, OH, OW), x.dtype)
    for n in range(N):
        for k in range(K):
            first = k // (K // groups) * D  # the first channel of this filter's group
            for oh in range(OH):
                for ow in range(OW):
                    total = 0.0 if bias is None else float(bias[k])
                    for d in range(D):
                        for r in range(FH):
                            for s in range(FW):
                                i, j = oh * SH + r * dh, ow * SW + s * dw
                                total += float(x[n, first + d, i, j] * weight[k, d, r, s])
                    y[n, k, oh, ow] = total
    return y


def conv2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send the gradient of a convolution's output back along every product of the forward pass.

    A product x * w that went into an output with gradient g adds g*w to the gradient of x and g*x
    to the gradient of w.

    Returns
    -------
    gx, gw, gb : ndarrays shaped as x, weight and bias

    Examples
    --------
    >>> x, weight = np.array([[[[2.0, 3.0]]]]), np.array([[[[10.0]]]])
    >>> gx, gw, gb = conv2d_backward(np.array([[[[1.0, -1.0]]]]), x, weight)
    >>> gx.tolist(), gw.item(), gb.item()
    ([[[[10.0, -10.0]]]], -1.0, 0.0)
    """
    N, _, H, W = x.shape
    K, D, FH, FW = weight.shape
    OH, OW = grad.shape[2:]
    (SH, SW), (PH, PW), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    x = zero_pad(x, PH, PW)
    gx, gw, gb = np.zeros(x.shape), np.zeros(weight.shape), np.zeros(K)
    for n in range(N):
        for k in range(K):
            first = k // (K // groups) * D
            for oh in range(OH):
                for ow in range(OW):
                    g = grad[n, k, oh, ow]
                    gb[k] += g
                    for d in range(D):
                        for r in range(FH):
                            for s in range(FW):
                                i, j = oh * SH + r * dh, ow * SW + s * dw
                                gx[n, first + d, i, j] += g * weight[k, d, r, s]
                                gw[k, d, r, s] += g * x[n, first + d, i, j]
    gx = gx[:, :, PH : PH + H, PW : PW + W]
    return gx.astype(x.dtype), gw.astype(x.dtype), gb.astype(x.dtype)
