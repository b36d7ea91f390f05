"""The same kernels as a careful NumPy author writes them: the peer that cnnfast races.

No loop over pixels or images: strided windows, matrix products and one pass per filter tap. Results
are C-contiguous. Nothing is checked.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

Pair = int | tuple[int, int]

CACHE = 4 * 2**20  # bytes of columns made before they are used


def two(value: Pair) -> tuple[int, int]:
    """Spread an int over both axes."""
    return (value, value) if isinstance(value, int) else value


def output_sizes(
    size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool = False,
) -> tuple[int, int]:
    """Count the windows along both axes."""
    counts = []
    axes = zip(size, two(kernel_size), two(stride), two(padding), two(dilation), strict=True)
    for n, f, s, p, d in axes:
        room = n + 2 * p - d * (f - 1) - 1
        count = room // s + 1
        # The window that rounding up adds must not start in the padding after the input.
        counts.append(count + (ceil_mode and room % s > 0 and count * s < n + p))
    return counts[0], counts[1]


def padded(x: np.ndarray, padding: Pair) -> np.ndarray:
    """Surround every image with zeros (several times as fast as numpy.pad on small images)."""
    ph, pw = two(padding)
    if ph == pw == 0:
        return x
    n, c, h, w = x.shape
    wide = np.zeros((n, c, h + 2 * ph, w + 2 * pw), x.dtype)
    wide[:, :, ph : ph + h, pw : pw + w] = x
    return wide


def im2col(
    x: np.ndarray, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> np.ndarray:
    """Stretch every window of `x` (N, C, H, W) out into a column: (N, C*R*S, OH*OW)."""
    (r, s), (sh, sw), (dh, dw) = two(kernel_size), two(stride), two(dilation)
    oh, ow = output_sizes(x.shape[2:], kernel_size, stride, padding, dilation)
    x = padded(x, padding)
    n, c = x.shape[:2]
    bn, bc, bh, bw = x.strides
    windows = as_strided(
        x, (n, c, r, s, oh, ow), (bn, bc, dh * bh, dw * bw, sh * bh, sw * bw), writeable=False
    )
    return windows.reshape(n, c * r * s, oh * ow)


def col2im(
    columns: np.ndarray,
    output_size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Sum columns (N, C*R*S, OH*OW) back into an image (N, C, H, W), tap by tap."""
    (r, s), (sh, sw), (dh, dw) = two(kernel_size), two(stride), two(dilation)
    (h, w), (ph, pw) = output_size, two(padding)
    oh, ow = output_sizes(output_size, kernel_size, stride, padding, dilation)
    columns = columns.reshape(len(columns), -1, r, s, oh, ow)
    wide = np.zeros((*columns.shape[:2], h + 2 * ph, w + 2 * pw), columns.dtype)
    for i in range(r):
        for j in range(s):
            rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            across = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
            wide[:, :, rows, across] += columns[:, :, i, j]
    return np.ascontiguousarray(wide[:, :, ph : ph + h, pw : pw + w])


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Convolve as one matrix product per image and group: filters times columns."""
    n, k = x.shape[0], weight.shape[0]
    oh, ow = output_sizes(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    filters = weight.reshape(groups, k // groups, -1)
    y = np.empty((n, groups, k // groups, oh * ow), x.dtype)
    for part in parts(n, weight[0].size * groups * oh * ow * x.itemsize):
        columns = grouped_columns(x[part], weight, stride, padding, dilation, groups)
        np.matmul(filters, columns, out=y[part])
    y = y.reshape(n, k, oh, ow)
    if bias is not None:
        y += bias[:, None, None]
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
    """Gradients of the input, the weights and the bias."""
    n, k, oh, ow = grad.shape
    by_group = grad.reshape(n, groups, k // groups, oh * ow)
    filters = weight.reshape(groups, k // groups, -1)
    gx, gw = np.empty(x.shape, x.dtype), np.zeros_like(filters)
    for part in parts(n, weight[0].size * groups * oh * ow * x.itemsize):
        columns = grouped_columns(x[part], weight, stride, padding, dilation, groups)
        for image, image_columns in zip(by_group[part], columns, strict=True):
            gw += image @ image_columns.transpose(0, 2, 1)
        gcolumns = np.matmul(filters.transpose(0, 2, 1), by_group[part])
        if is_pointwise(weight, stride, padding):
            gx[part] = gcolumns.reshape(-1, *x.shape[1:])
        else:
            gcolumns = gcolumns.reshape(len(gcolumns), -1, oh * ow)
            gx[part] = col2im(gcolumns, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return gx, gw.reshape(weight.shape), grad.sum(axis=(0, 2, 3))


def parts(n: int, bytes_each: int) -> list[slice]:
    """Cut a batch into parts whose columns stay in cache, but small images not one by one."""
    step = max(1, CACHE // bytes_each)
    return [slice(first, first + step) for first in range(0, n, step)]


def grouped_columns(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """Columns of shape (N, groups, C/groups*R*S, OH*OW); those of a 1x1 filter are `x` itself."""
    if is_pointwise(weight, stride, padding):
        columns = x
    else:
        columns = im2col(x, weight.shape[2:], stride, padding, dilation)
    return columns.reshape(len(x), groups, weight[0].size, -1)


def is_pointwise(weight: np.ndarray, stride: Pair, padding: Pair) -> bool:
    """Tell whether the columns of a convolution are its input."""
    return weight.shape[2:] == (1, 1) and two(stride) == (1, 1) and two(padding) == (0, 0)


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Take the maximum of every window, one pass over the outputs per tap.

    With `return_indices` also its position in the flat H*W plane: the first one on a tie or NaN.
    """
    stride = kernel_size if stride is None else stride
    (r, s), (sh, sw), (dh, dw) = two(kernel_size), two(stride), two(dilation)
    (n, c, h, w), (ph, pw) = x.shape, two(padding)
    oh, ow = output_sizes((h, w), kernel_size, stride, padding, dilation, ceil_mode)
    height = max(h + ph, sh * (oh - 1) + dh * (r - 1) + 1)
    width = max(w + pw, sw * (ow - 1) + dw * (s - 1) + 1)
    if (height, width) != (h, w):
        wide = np.full((n, c, height, width), -np.inf, x.dtype)
        wide[:, :, ph : ph + h, pw : pw + w] = x
        x = wide
    taps = [
        (i * dh * w + j * dw, x[:, :, i * dh :, j * dw :][:, :, ::sh, ::sw][:, :, :oh, :ow])
        for i in range(r)
        for j in range(s)
    ]
    best = taps[0][1].copy()
    if not return_indices:
        for _, values in taps[1:]:
            np.maximum(best, values, out=best)
        return best
    best.fill(-np.inf)
    winner = np.zeros(best.shape, np.int64)
    for offset, values in taps:
        takes = ~((values <= best) | np.isnan(best))
        np.copyto(best, values, where=takes)
        np.copyto(winner, offset, where=takes)
    origin = (np.arange(oh)[:, None] * sh - ph) * w + np.arange(ow) * sw - pw
    return best, winner + origin


def max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Add every gradient to the element that won its window, in one weighted count."""
    n, c, h, w = input_shape
    plane = np.arange(0, n * c * h * w, h * w).reshape(n, c, 1, 1)
    summed = np.bincount((indices + plane).ravel(), grad.ravel(), n * c * h * w)
    return summed.astype(grad.dtype).reshape(input_shape)
