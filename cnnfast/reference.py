"""Every operation of cnnfast as the plainest loops: slow, and meant to be read.

The code speaks the symbols of the course notes:

====  ===================================================================
N     images in the batch
D     depth, the channels of the input
H, W  height and width of the input
K     filters, which become the channels of the output
F     extent of a filter or pooling window (FH rows by FW columns)
S     stride (SH, SW)
P     padding on each side of an axis (PH, PW)
====  ===================================================================

A batch has shape (N, D, H, W) and a bank of filters (K, D, FH, FW). Window sizes, strides, padding
and dilation are an int or a pair (vertical, horizontal). Dilation is spelled out: it is the
distance between neighbouring taps, 1 for an ordinary filter. Products are formed in the dtype of
the input and summed in double; results have the dtype of the input. Nothing is checked.
"""

# ruff: noqa: N803, N806 - the notes' symbols are capitals

import math
from collections.abc import Callable

import numpy as np

Pair = int | tuple[int, int]


# ---------------------------------------------------------------------------- geometry


def pair(value: Pair) -> tuple[int, int]:
    """Return (vertical, horizontal) for an int, or for a pair already."""
    return (value, value) if isinstance(value, int) else value


def output_size(W: int, F: int, S: int, P: int, dilation: int = 1) -> int:
    """Count the positions a window takes along one axis: (W - F + 2P)/S + 1, rounded down.

    With dilation a window of F taps spans dilation * (F - 1) + 1 elements.

    Examples
    --------
    >>> output_size(227, 11, 4, 0)
    55
    >>> output_size(7, 3, 1, 1)  # S = 1 and P = (F - 1)/2 keep the size
    7
    """
    span = dilation * (F - 1) + 1
    return (W - span + 2 * P) // S + 1


def pooled_size(W: int, F: int, S: int, P: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """Count the positions of a pooling window; `ceil_mode` rounds up instead of down.

    The window that rounding up adds must start inside the input or the padding before it.

    Examples
    --------
    >>> pooled_size(112, 3, 2, 0), pooled_size(112, 3, 2, 0, ceil_mode=True)
    (55, 56)
    >>> pooled_size(3, 2, 2, 1, ceil_mode=True)  # a third window would start in the right padding
    2
    """
    size = output_size(W, F, S, P, dilation)
    leftover = (W - dilation * (F - 1) - 1 + 2 * P) % S
    if ceil_mode and leftover > 0 and size * S < W + P:
        size += 1
    return size


def taps(o: int, W: int, F: int, S: int, P: int, dilation: int = 1) -> list[int]:
    """List the input positions along one axis that window number `o` covers, without the padding.

    Examples
    --------
    >>> taps(0, W=5, F=3, S=2, P=1), taps(1, W=5, F=3, S=2, P=1)
    ([0, 1], [1, 2, 3])
    """
    start = o * S - P
    return [i for i in range(start, start + F * dilation, dilation) if 0 <= i < W]


def zero_pad(x: np.ndarray, PH: int, PW: int) -> np.ndarray:
    """Surround every image with PH rows and PW columns of zeros."""
    return np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))


# ---------------------------------------------------------------------------- im2col, col2im


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


# ---------------------------------------------------------------------------- convolution


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


# ---------------------------------------------------------------------------- pooling


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


def averaged(o: int, W: int, F: int, S: int, P: int, count_include_pad: bool) -> int:
    """Count what an average divides by along one axis: the input elements, or padding too.

    Where `ceil_mode` lets a window run past the padding, the part beyond it never counts.
    """
    return min(F, W + 2 * P - o * S) if count_include_pad else len(taps(o, W, F, S, P))


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """Average every window, counting zeros of the padding as elements if `count_include_pad`.

    Returns
    -------
    ndarray of shape (N, D, OH, OW)

    Examples
    --------
    >>> x = np.array([[[[3.0, 6.0, 9.0]]]])
    >>> avg_pool2d(x, kernel_size=(1, 3), stride=1, padding=(0, 1)).tolist()
    [[[[3.0, 6.0, 5.0]]]]
    >>> avg_pool2d(x, (1, 3), stride=1, padding=(0, 1), count_include_pad=False).tolist()
    [[[[4.5, 6.0, 7.5]]]]
    """
    N, D, H, W = x.shape
    (FH, FW), (PH, PW) = pair(kernel_size), pair(padding)
    SH, SW = (FH, FW) if stride is None else pair(stride)
    OH = pooled_size(H, FH, SH, PH, ceil_mode=ceil_mode)
    OW = pooled_size(W, FW, SW, PW, ceil_mode=ceil_mode)
    y = np.zeros((N, D, OH, OW), x.dtype)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    count = averaged(oh, H, FH, SH, PH, count_include_pad)
                    count *= averaged(ow, W, FW, SW, PW, count_include_pad)
                    total = 0.0
                    for i in taps(oh, H, FH, SH, PH):
                        for j in taps(ow, W, FW, SW, PW):
                            total += float(x[n, d, i, j])
                    y[n, d, oh, ow] = total / count
    return y


def avg_pool2d_backward(
    grad: np.ndarray,
    input_shape: tuple[int, int, int, int],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """Share each gradient out equally among the elements of its window."""
    N, D, H, W = input_shape
    OH, OW = grad.shape[2:]
    (FH, FW), (PH, PW) = pair(kernel_size), pair(padding)
    SH, SW = (FH, FW) if stride is None else pair(stride)
    gx = np.zeros(input_shape)
    for n in range(N):
        for d in range(D):
            for oh in range(OH):
                for ow in range(OW):
                    count = averaged(oh, H, FH, SH, PH, count_include_pad)
                    count *= averaged(ow, W, FW, SW, PW, count_include_pad)
                    for i in taps(oh, H, FH, SH, PH):
                        for j in taps(ow, W, FW, SW, PW):
                            gx[n, d, i, j] += grad[n, d, oh, ow] / count
    return gx.astype(grad.dtype)


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


# ---------------------------------------------------------------------------- resizing, padding


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


# ---------------------------------------------------------------------------- fully connected


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Connect all D inputs to K neurons: y[n, k] = bias[k] + sum over d of x[n, d] * weight[k, d].

    Parameters
    ----------
    x : ndarray of shape (N, D)
    weight : ndarray of shape (K, D)
    bias : ndarray of shape (K,), optional

    Returns
    -------
    ndarray of shape (N, K)

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    >>> linear(x, weight, bias=np.array([0.0, 100.0])).tolist()
    [[11.0, 117.0]]
    """
    (N, D), K = x.shape, weight.shape[0]
    y = np.zeros((N, K), x.dtype)
    for n in range(N):
        for k in range(K):
            total = 0.0 if bias is None else float(bias[k])
            for d in range(D):
                total += float(x[n, d] * weight[k, d])
            y[n, k] = total
    return y


def linear_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send the gradient back along every product, as `conv2d_backward` does.

    Returns
    -------
    gx, gw, gb : ndarrays shaped as x, weight and bias
    """
    (N, D), K = x.shape, weight.shape[0]
    gx, gw, gb = np.zeros((N, D)), np.zeros((K, D)), np.zeros(K)
    for n in range(N):
        for k in range(K):
            gb[k] += grad[n, k]
            for d in range(D):
                gx[n, d] += grad[n, k] * weight[k, d]
                gw[k, d] += grad[n, k] * x[n, d]
    return gx.astype(x.dtype), gw.astype(x.dtype), gb.astype(x.dtype)


# ---------------------------------------------------------------------------- normalisation


def moments(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and the biased variance of the elements.

    Examples
    --------
    >>> moments(np.array([1.0, 5.0]))
    (3.0, 4.0)
    """
    numbers = [float(v) for v in values.ravel()]
    mean = math.fsum(numbers) / len(numbers)
    return mean, math.fsum((v - mean) ** 2 for v in numbers) / len(numbers)


def normalize(values: np.ndarray, eps: float) -> np.ndarray:
    """Shift and scale the elements to mean 0 and variance 1, but for eps."""
    mean, var = moments(values)
    return elementwise(lambda v: (v - mean) / math.sqrt(var + eps), values)


def normalize_backward(grad: np.ndarray, values: np.ndarray, eps: float) -> np.ndarray:
    """Follow grad back through `normalize`, element by element.

    With x^ the normalised elements, d x^_i / d x_j is ([i = j] - 1/n - x^_i x^_j / n) over the
    root of the variance.
    """
    _, var = moments(values)
    xhat = normalize(values, eps)
    gx = np.zeros(values.shape, values.dtype)
    for j in np.ndindex(values.shape):
        total = 0.0
        for i in np.ndindex(values.shape):
            total += float(grad[i]) * ((i == j) - (1 + float(xhat[i] * xhat[j])) / values.size)
        gx[j] = total / math.sqrt(var + eps)
    return gx


def batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float = 1e-5,
) -> np.ndarray:
    """Normalise every channel of x (N, D, ...) with a given mean and variance; scale and shift it.

    Examples
    --------
    >>> batch_norm(np.array([[5.0]]), *(np.array([v]) for v in (3.0, 4.0, 10.0, 7.0)), eps=0)
    array([[17.]])
    """
    y = np.zeros(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        d = index[1]
        xhat = (float(x[index]) - float(mean[d])) / math.sqrt(float(var[d]) + eps)
        y[index] = xhat * float(weight[d]) + float(bias[d])
    return y


def batch_norm_train(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-5
) -> np.ndarray:
    """Normalise every channel of x (N, D, ...) with its own mean and variance; scale and shift it.

    Examples
    --------
    >>> batch_norm_train(np.array([[1.0], [5.0]]), np.ones(1), np.zeros(1), eps=0).tolist()
    [[-1.0], [1.0]]
    """
    y = np.zeros(x.shape, x.dtype)
    for d in range(x.shape[1]):
        y[:, d] = normalize(x[:, d], eps) * weight[d] + bias[d]
    return y


def batch_norm_train_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of input, weight and bias of `batch_norm_train`."""
    gx = np.zeros(x.shape, x.dtype)
    gw, gb = np.zeros(weight.shape, x.dtype), np.zeros(weight.shape, x.dtype)
    for d in range(x.shape[1]):
        gx[:, d] = normalize_backward(grad[:, d] * weight[d], x[:, d], eps)
        gw[d] = (grad[:, d] * normalize(x[:, d], eps)).sum()
        gb[d] = grad[:, d].sum()
    return gx, gw, gb


def response_window(d: int, D: int, size: int) -> range:
    """List the channels that the window of channel d covers, of D there are.

    Examples
    --------
    >>> list(response_window(2, 6, 3)), list(response_window(0, 6, 4))
    ([1, 2, 3], [0, 1])
    """
    return range(max(0, d - size // 2), min(D, d + (size - 1) // 2 + 1))


def response(
    x: np.ndarray, n: int, d: int, i: tuple[int, ...], size: int, alpha: float, k: float
) -> float:
    """Return what `local_response_norm` raises to the power -beta."""
    window = response_window(d, x.shape[1], size)
    return k + alpha / size * sum(float(x[(n, c, *i)]) ** 2 for c in window)


def local_response_norm(
    x: np.ndarray, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> np.ndarray:
    """Divide by a power of the mean square over a window of channels.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 2.0]).reshape(1, 3, 1)
    >>> local_response_norm(x, 1, alpha=1.0, beta=1.0).ravel().tolist()
    [0.5, 0.4, 0.4]
    """
    y = np.zeros(x.shape, x.dtype)
    for n, d, *i in np.ndindex(x.shape):
        index = (n, d, *i)
        y[index] = float(x[index]) * response(x, n, d, tuple(i), size, alpha, k) ** -beta
    return y


def local_response_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> np.ndarray:
    """Send each output's gradient to its own input and to those of its window."""
    gx = np.zeros(x.shape)
    for n, d, *i in np.ndindex(x.shape):
        g, v = float(grad[(n, d, *i)]), float(x[(n, d, *i)])
        base = response(x, n, d, tuple(i), size, alpha, k)
        gx[(n, d, *i)] += g * base**-beta
        for c in response_window(d, x.shape[1], size):
            slope = 2 * alpha / size * float(x[(n, c, *i)])
            gx[(n, c, *i)] += g * v * -beta * base ** (-beta - 1) * slope
    return gx.astype(x.dtype)


# ---------------------------------------------------------------------------- activations


def elementwise(function: Callable[..., float], *arrays: np.ndarray) -> np.ndarray:
    """Apply a function of Python floats to every element, or to every pair of elements."""
    y = np.zeros(arrays[0].shape, arrays[0].dtype)
    for index in np.ndindex(y.shape):
        y[index] = function(*(float(array[index]) for array in arrays))
    return y


def relu(x: np.ndarray) -> np.ndarray:
    """Threshold at zero: max(0, x); NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return elementwise(lambda v: 0.0 if v <= 0 else v, x)


def relu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Let the gradient through where x > 0; at 0 itself it is taken as 0."""
    return elementwise(lambda g, v: 0.0 if v <= 0 else g, grad, x)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """Return x where x > 0, and negative_slope * x elsewhere."""
    return elementwise(lambda v: v if v > 0 else negative_slope * v, x)


def leaky_relu_backward(
    grad: np.ndarray, x: np.ndarray, negative_slope: float = 0.01
) -> np.ndarray:
    """Let the gradient through where x > 0, and negative_slope of it elsewhere."""
    return elementwise(lambda g, v: g if v > 0 else negative_slope * g, grad, x)


def logistic(v: float) -> float:
    """Return 1 / (1 + exp(-v)), never raising e to a large positive power."""
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Squash to (0, 1): 1 / (1 + exp(-x)).

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return elementwise(logistic, x)


def sigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by s(x) * s(-x), which is s * (1 - s) without cancellation."""
    return elementwise(lambda g, v: g * logistic(v) * logistic(-v), grad, x)


def tanh(x: np.ndarray) -> np.ndarray:
    """Squash to (-1, 1)."""
    return elementwise(math.tanh, x)


def tanh_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by 1 - tanh(x)**2."""
    return elementwise(lambda g, v: g * (1 - math.tanh(v) ** 2), grad, x)


def relu6(x: np.ndarray) -> np.ndarray:
    """Threshold at zero, and cut off at 6."""
    return elementwise(lambda v: v if math.isnan(v) else min(max(0.0, v), 6.0), x)


def relu6_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Let the gradient through where 0 < x < 6."""
    return elementwise(lambda g, v: 0.0 if v <= 0 or v >= 6 else g, grad, x)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x (N, D) where x > 0, and elsewhere weight * x, each column having its own weight."""
    y = np.zeros(x.shape, x.dtype)
    for n, d in np.ndindex(y.shape):
        y[n, d] = x[n, d] if x[n, d] > 0 else weight[d] * x[n, d]
    return y


def prelu_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of x, and of each weight: the sum of grad * x where it was used."""
    gx, gw = np.zeros(x.shape, x.dtype), np.zeros(weight.shape, x.dtype)
    for n, d in np.ndindex(x.shape):
        if x[n, d] > 0:
            gx[n, d] = grad[n, d]
        else:
            gx[n, d] = weight[d] * grad[n, d]
            gw[d] += x[n, d] * grad[n, d]
    return gx, gw


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere."""
    return elementwise(lambda v: v if v > 0 else alpha * math.expm1(v), x)


def elu_backward(grad: np.ndarray, x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Multiply the gradient by 1 where x > 0, and by alpha * exp(x) elsewhere."""
    return elementwise(lambda g, v: g if v > 0 else g * alpha * math.exp(v), grad, x)


def selu(x: np.ndarray) -> np.ndarray:
    """Return a scaled ELU, whose constants keep mean 0 and variance 1."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def selu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Scale ELU's gradient as `selu` does its value."""
    return 1.0507009873554805 * elu_backward(grad, x, 1.6732632423543772)


def silu(x: np.ndarray) -> np.ndarray:
    """Return x / (1 + exp(-x))."""
    return elementwise(lambda v: v * logistic(v), x)


def silu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by s(x) + x * s(x) * s(-x)."""
    return elementwise(lambda g, v: g * (logistic(v) + v * logistic(v) * logistic(-v)), grad, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x is beyond the threshold."""

    def value(v: float) -> float:
        if beta * v > threshold:
            return v
        return (max(beta * v, 0.0) + math.log1p(math.exp(-abs(beta * v)))) / beta

    return elementwise(value, x)


def softplus_backward(
    grad: np.ndarray, x: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> np.ndarray:
    """Multiply the gradient by s(beta * x), or by 1 beyond the threshold."""
    return elementwise(lambda g, v: g if beta * v > threshold else g * logistic(beta * v), grad, x)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Return x times the chance that a normal variable is smaller, or its approximation by tanh."""
    if approximate == "tanh":
        return elementwise(
            lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))), x
        )
    return elementwise(lambda v: 0.5 * v * math.erfc(-v / math.sqrt(2)), x)


def gelu_backward(grad: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Multiply the gradient by the slope, from the rule for products."""

    def exact(g: float, v: float) -> float:
        density = math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
        return g * (0.5 * math.erfc(-v / math.sqrt(2)) + v * density)

    def approximation(g: float, v: float) -> float:
        t = math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))
        inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * v**2)
        return g * (0.5 * (1 + t) + 0.5 * v * (1 - t**2) * inner)

    return elementwise(approximation if approximate == "tanh" else exact, grad, x)


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    """Return relu6(x + 3) / 6."""
    return relu6(x + 3) / 6


def hardsigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Divide the gradient by 6 where -3 < x < 3; it is 0 elsewhere."""
    return elementwise(lambda g, v: 0.0 if v <= -3 or v >= 3 else g / 6, grad, x)


def hardswish(x: np.ndarray) -> np.ndarray:
    """Return x * relu6(x + 3) / 6."""
    return x * hardsigmoid(x)


def hardswish_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by 0 where x <= -3, by 1 where x >= 3, and by x/3 + 1/2 between."""

    def value(g: float, v: float) -> float:
        if v <= -3:
            return 0.0
        return g if v >= 3 else g * (v / 3 + 0.5)

    return elementwise(value, grad, x)


# ---------------------------------------------------------------------------- class scores


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Return log(softmax(x)) for each row of class scores (N, K).

    x[k] - log(sum of exp(x)); taking the row's maximum out of the sum keeps exp within range.
    """
    y = np.zeros(x.shape, x.dtype)
    for n, scores in enumerate(x.tolist()):
        top = max(scores)
        log_sum = math.log(sum(math.exp(score - top) for score in scores))
        for k, score in enumerate(scores):
            y[n, k] = score - top - log_sum
    return y


def log_softmax_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return grad - softmax(x) * (sum of grad), row by row."""
    probability = softmax(x.astype(np.float64))
    gx = np.zeros(x.shape, x.dtype)
    for n, row in enumerate(grad.tolist()):
        for k, g in enumerate(row):
            gx[n, k] = g - probability[n, k] * sum(row)
    return gx


def softmax(x: np.ndarray) -> np.ndarray:
    """Turn each row of class scores (N, K) into probabilities: exp(x[k]) / sum of exp(x).

    Examples
    --------
    >>> softmax(np.array([[0.0, math.log(3.0)]])).round(6).tolist()
    [[0.25, 0.75]]
    """
    return elementwise(math.exp, log_softmax(x.astype(np.float64))).astype(x.dtype)


def softmax_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return p * (grad - sum of p * grad), row by row, where p is softmax(x)."""
    probability = softmax(x.astype(np.float64))
    gx = np.zeros(x.shape, x.dtype)
    for n, row in enumerate(grad.tolist()):
        mean = sum(p * g for p, g in zip(probability[n].tolist(), row, strict=True))
        for k, g in enumerate(row):
            gx[n, k] = probability[n, k] * (g - mean)
    return gx


def cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[float, np.ndarray]:
    """Return the mean of -log(softmax(logits)[label]) over the batch, and its gradient.

    It is a mean weighted by the labels' classes. With smoothing every class is a little the label.

    Parameters
    ----------
    logits : ndarray of shape (N, K)
    labels : integer ndarray of shape (N,), each in 0..K-1, or `ignore_index`
    weight : ndarray of shape (K,), optional

    Returns
    -------
    loss : float
    gradient : ndarray of shape (N, K)
        (softmax(logits) - 1 at the label) / N

    Examples
    --------
    >>> loss, gradient = cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(loss, 6) == round(math.log(4), 6), gradient.round(6).tolist()
    (True, [[0.25, 0.25, -0.75, 0.25]])
    """
    N, K = logits.shape
    weight = np.ones(K) if weight is None else weight
    log_probability = log_softmax(logits.astype(np.float64))
    rows = [n for n in range(N) if labels[n] != ignore_index]
    total = sum(float(weight[labels[n]]) for n in rows) if reduction == "mean" else 1.0
    loss, gradient = 0.0, np.zeros(logits.shape)
    for n in rows:
        for target in range(K):
            share = label_smoothing / K + (1 - label_smoothing) * (target == int(labels[n]))
            if share == 0:
                continue
            share *= float(weight[target]) / total
            loss -= share * float(log_probability[n, target])
            for k in range(K):
                gradient[n, k] += share * (math.exp(log_probability[n, k]) - (k == target))
    return loss, gradient.astype(logits.dtype)


def hinge_loss(
    scores: np.ndarray, labels: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """Return the course's multiclass SVM loss and its gradient.

    The mean over the batch of the sum over j != y of max(0, s[j] - s[y] + margin), y the label.

    Parameters
    ----------
    scores : ndarray of shape (N, K)
    labels : integer ndarray of shape (N,), each in 0..K-1

    Returns
    -------
    loss : float
    gradient : ndarray of shape (N, K)

    Examples
    --------
    >>> loss, gradient = hinge_loss(np.array([[3.0, 2.5, 0.0]]), np.array([0]))
    >>> loss, gradient.tolist()
    (0.5, [[-1.0, 1.0, 0.0]])
    """
    N, K = scores.shape
    loss, gradient = 0.0, np.zeros(scores.shape)
    for n in range(N):
        y = labels[n]
        for j in range(K):
            if j == y:
                continue
            violation = float(scores[n, j]) - float(scores[n, y]) + margin
            if violation > 0:
                loss += violation / N
                gradient[n, j] += 1 / N
                gradient[n, y] -= 1 / N
    return loss, gradient.astype(scores.dtype)


# ---------------------------------------------------------------------------- losses of elements


def mse_loss(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square every difference. This and what follows return each element's loss and derivative."""
    return (
        elementwise(lambda a, t: (a - t) ** 2, x, target),
        elementwise(lambda a, t: 2 * (a - t), x, target),
    )


def l1_loss(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the size of every difference; where there is none, neither is there a slope."""
    return (
        elementwise(lambda a, t: abs(a - t), x, target),
        elementwise(lambda a, t: float(a > t) - float(a < t), x, target),
    )


def smooth_l1_loss(
    x: np.ndarray, target: np.ndarray, beta: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Take the size of every difference, less beta/2; below beta a parabola instead."""
    if beta == 0:
        return l1_loss(x, target)

    def loss(a: float, t: float) -> float:
        d = abs(a - t)
        return d * d / (2 * beta) if d < beta else d - beta / 2

    def slope(a: float, t: float) -> float:
        return (a - t) / beta if abs(a - t) < beta else math.copysign(1.0, a - t)

    return elementwise(loss, x, target), elementwise(slope, x, target)


def binary_cross_entropy_with_logits(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, pos_weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take -w (p t log(s) + (1 - t) log(1 - s)), with s = 1/(1 + exp(-x)); all of one shape.

    Examples
    --------
    >>> one = np.ones(1)
    >>> loss, slope = binary_cross_entropy_with_logits(np.zeros(1), one, one, one)
    >>> round(float(loss[0]), 6) == round(math.log(2), 6), slope.tolist()
    (True, [-0.5])
    """

    def log_logistic(v: float) -> float:
        """log(1/(1 + exp(-v))), by whichever of its forms does not overflow."""
        return -math.log1p(math.exp(-v)) if v > 0 else v - math.log1p(math.exp(v))

    def loss(v: float, t: float, w: float, p: float) -> float:
        return -w * (p * t * log_logistic(v) + (1 - t) * log_logistic(-v))

    def slope(v: float, t: float, w: float, p: float) -> float:
        return w * ((1 - t) * logistic(v) - p * t * logistic(-v))

    arrays = (x, target, weight, pos_weight)
    return elementwise(loss, *arrays), elementwise(slope, *arrays)
