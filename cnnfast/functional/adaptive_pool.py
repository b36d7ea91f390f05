"""Pooling to a given size, whatever that of the image is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, overload

import numpy as np

from cnnfast.functional._arguments import (
    empty_image,
    float_array,
    in_order,
    is_channels_last,
    nonempty,
    same_dtype,
    same_shape,
)
from cnnfast.functional._window import pair
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.functional.global_pool import global_avg_pool2d, global_avg_pool2d_backward
from cnnfast.functional.max_pool import max_pool2d, route_by_index

OutputSize = int | None | tuple[int | None, int | None]
Bins = tuple[tuple[int, int], ...]


def adaptive_avg_pool2d(x: np.ndarray, output_size: OutputSize) -> np.ndarray:
    r"""Average an image to a given size.

    Output i of O along an axis of H elements is the mean of elements floor(i H / O) up to, not
    including, ceil((i + 1) H / O): equal windows where O divides H, else windows that overlap
    by an element and may differ in size by one.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    output_size : int or pair of ints
        OH and OW; None keeps the size along that axis.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, an empty image, or a size below 1.

    References
    ----------
    ``torch.nn.functional.adaptive_avg_pool2d``.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import adaptive_avg_pool2d
    >>> adaptive_avg_pool2d(np.array([[[[1.0, 2.0, 6.0]]]]), (1, 2))
    array([[[[1.5, 4. ]]]])
    """
    x, out = _arguments("adaptive_avg_pool2d", x, output_size)
    if out == (1, 1):
        return global_avg_pool2d(x)
    windows = _equal_windows(x.shape[2:], out)
    if windows is not None:
        return avg_pool2d(x, *windows)
    n, c, h, w = x.shape
    rows, columns = _bins(h, out[0]), _bins(w, out[1])
    sums = empty_image((n, c, out[0], w), x.dtype, is_channels_last(x))
    for i, (start, stop) in enumerate(rows):
        np.add.reduce(x[:, :, start:stop], 2, out=sums[:, :, i])
    y = empty_image((n, c, *out), x.dtype, is_channels_last(x))
    for j, (start, stop) in enumerate(columns):
        np.add.reduce(sums[..., start:stop], 3, out=y[..., j])
    y /= _extents(rows, columns, x.dtype)
    return y


def adaptive_avg_pool2d_backward(
    grad: np.ndarray, x: np.ndarray, output_size: OutputSize
) -> np.ndarray:
    """Spread each gradient evenly over its window.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `adaptive_avg_pool2d`.
    x, output_size
        What the forward pass took; of `x` only shape and memory order matter.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `adaptive_avg_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import adaptive_avg_pool2d_backward
    >>> adaptive_avg_pool2d_backward(np.ones((1, 1, 1, 2)), np.zeros((1, 1, 1, 3)), (1, 2))
    array([[[[0.5, 1. , 0.5]]]])
    """
    name = "adaptive_avg_pool2d_backward"
    x, out = _arguments(name, x, output_size)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (*x.shape[:2], *out), "the output's shape")
    if out == (1, 1):
        return global_avg_pool2d_backward(grad, x)
    windows = _equal_windows(x.shape[2:], out)
    if windows is not None:
        return avg_pool2d_backward(grad, x, *windows)
    n, c, h, w = x.shape
    rows, columns = _bins(h, out[0]), _bins(w, out[1])
    share = in_order(grad, is_channels_last(x)) / _extents(rows, columns, x.dtype)
    spread = empty_image((n, c, out[0], w), x.dtype, is_channels_last(x))
    spread[...] = 0
    for j, (start, stop) in enumerate(columns):
        spread[..., start:stop] += share[..., j : j + 1]
    gx = empty_image(x.shape, x.dtype, is_channels_last(x))
    gx[...] = 0
    for i, (start, stop) in enumerate(rows):
        gx[:, :, start:stop] += spread[:, :, i : i + 1]
    return gx


@overload
def adaptive_max_pool2d(
    x: np.ndarray, output_size: OutputSize, return_indices: Literal[False] = False
) -> np.ndarray: ...
@overload
def adaptive_max_pool2d(
    x: np.ndarray, output_size: OutputSize, return_indices: Literal[True]
) -> tuple[np.ndarray, np.ndarray]: ...
def adaptive_max_pool2d(
    x: np.ndarray, output_size: OutputSize, return_indices: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Take maxima of an image so that a given size results.

    The windows are those of `adaptive_avg_pool2d`.

    Parameters
    ----------
    x, output_size
        As in `adaptive_avg_pool2d`.
    return_indices : bool
        Also return where each maximum was found.

    Returns
    -------
    y : ndarray (N, C, OH, OW)
        In the memory order of `x`.
    indices : ndarray (N, C, OH, OW) of int64
        Positions in the flat H*W plane; only with ``return_indices=True``.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, an empty image, or a size below 1.

    Notes
    -----
    On a tie the first element in row-major window order wins, and so does the first NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import adaptive_max_pool2d
    >>> y, indices = adaptive_max_pool2d(np.array([[[[1.0, 2.0, 6.0]]]]), (1, 2), True)
    >>> y.ravel(), indices.ravel()
    (array([2., 6.]), array([1, 2]))
    """
    x, out = _arguments("adaptive_max_pool2d", x, output_size)
    windows = _equal_windows(x.shape[2:], out)
    if windows is not None:
        return max_pool2d(x, *windows, return_indices=return_indices)
    y, indices = _max_of_bins(x, _bins(x.shape[2], out[0]), _bins(x.shape[3], out[1]))
    return (y, indices) if return_indices else y


def adaptive_max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Route each gradient to the element that won its window.

    Parameters
    ----------
    grad, indices, input_shape
        As in `max_pool2d_backward`.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `grad`; an element that won several windows gets their sum.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit together, or an index outside the H*W plane.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import adaptive_max_pool2d_backward
    >>> grad, indices = np.array([[[[5.0, 7.0]]]]), np.array([[[[1, 2]]]])
    >>> adaptive_max_pool2d_backward(grad, indices, (1, 1, 1, 3))
    array([[[[0., 5., 7.]]]])
    """
    return route_by_index("adaptive_max_pool2d_backward", grad, indices, input_shape)


def output_pair(
    function: str, output_size: OutputSize, input_size: Sequence[int]
) -> tuple[int, int]:
    """Check an output size and put in that of the input for None."""
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    sizes: Any = wanted
    if len(wanted) == 2:
        sizes = tuple(
            old if new is None else new for new, old in zip(wanted, input_size, strict=True)
        )
    return pair(function, "output_size", sizes, 1)


def _arguments(
    function: str, x: np.ndarray, output_size: OutputSize
) -> tuple[np.ndarray, tuple[int, int]]:
    x = float_array(function, "x", x, 4)
    nonempty(function, "x", x, 1)
    return x, output_pair(function, output_size, x.shape[2:])


@lru_cache(maxsize=256)
def _bins(size: int, out: int) -> Bins:
    """Cut an axis: where each of the `out` windows starts and where it stops."""
    return tuple((i * size // out, -(-(i + 1) * size // out)) for i in range(out))


@lru_cache(maxsize=256)
def _equal_windows(
    size: tuple[int, int], out: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Give kernel size and stride of ordinary windows that are the bins; None if there are none."""
    kernels: list[int] = []
    strides: list[int] = []
    for bins in map(_bins, size, out):
        steps = {bins[i + 1][0] - bins[i][0] for i in range(len(bins) - 1)} or {1}
        extents = {stop - start for start, stop in bins}
        if len(steps) > 1 or len(extents) > 1 or steps == {0}:
            return None
        kernels += extents
        strides += steps
    return (kernels[0], kernels[1]), (strides[0], strides[1])


def _extents(rows: Bins, columns: Bins, dtype: np.dtype) -> np.ndarray:
    """Count the elements of each window."""
    heights, widths = (
        np.array([stop - start for start, stop in b], dtype) for b in (rows, columns)
    )
    return heights[:, None] * widths


def _max_of_bins(x: np.ndarray, rows: Bins, columns: Bins) -> tuple[np.ndarray, np.ndarray]:
    """Take the first maximum of each row's bins, then the first of these in each column's."""
    best_column = np.stack([start + x[..., start:stop].argmax(3) for start, stop in columns], 3)
    across = np.take_along_axis(x, best_column, 3)
    best_row = np.stack([start + across[:, :, start:stop].argmax(2) for start, stop in rows], 2)
    shape, order = best_row.shape, is_channels_last(x)
    y, indices = empty_image(shape, x.dtype, order), empty_image(shape, best_row.dtype, order)
    y[...] = np.take_along_axis(across, best_row, 2)
    indices[...] = best_row * x.shape[3] + np.take_along_axis(best_column, best_row, 2)
    return y, indices
