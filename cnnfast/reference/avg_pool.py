"""Average pooling."""

import numpy as np

from cnnfast.reference.geometry import Pair, pair, pooled_size, taps


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
