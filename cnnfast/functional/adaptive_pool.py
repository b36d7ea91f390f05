"""Pooling to a given size, whatever that of the image is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, overload

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._pool.indices import route_by_index
from cnnfast.functional._resampling import Plan, adjoint, gather, resample, spans
from cnnfast.functional._window import pair
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.functional.global_pool import global_avg_pool2d, global_avg_pool2d_backward
from cnnfast.functional.max_pool import max_pool2d

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
    rows, columns = _plans(x, out)
    y = resample(x, rows, columns, is_channels_last(x))
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
    rows, columns = _plans(x, out)
    share = grad / _extents(rows, columns, x.dtype)
    h, w = x.shape[2:]
    return resample(share, adjoint(rows, h), adjoint(columns, w), is_channels_last(x))


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


def _plans(x: np.ndarray, out: tuple[int, int]) -> tuple[Plan, Plan]:
    """Plan sums over the windows."""
    return spans(_bins(x.shape[2], out[0]), x.dtype), spans(_bins(x.shape[3], out[1]), x.dtype)


def _extents(rows: Plan, columns: Plan, dtype: np.dtype) -> np.ndarray:
    """Count the elements of each window."""
    return (np.diff(rows.starts)[:, None] * np.diff(columns.starts)).astype(dtype)


def _max_of_bins(x: np.ndarray, rows: Bins, columns: Bins) -> tuple[np.ndarray, np.ndarray]:
    """Pool an image in which the windows are side by side, and equal: the last elements repeat.

    A repeated element is the first maximum only if it is so itself.
    """
    row_of, column_of = _side_by_side(rows), _side_by_side(columns)
    plans = gather(row_of.ravel(), x.dtype), gather(column_of.ravel(), x.dtype)
    apart = resample(x, *plans, is_channels_last(x))
    windows = row_of.shape[1], column_of.shape[1]
    y, winners = max_pool2d(apart, windows, return_indices=True)
    positions = row_of.reshape(-1, 1) * x.shape[3] + column_of.ravel()
    return y, np.take(positions, winners, out=winners)


def _side_by_side(bins: Bins) -> np.ndarray:
    """List the elements of each window, its last one repeated up to the extent of the largest."""
    bounds = np.array(bins)
    offsets = np.arange(np.diff(bounds).max())
    return np.minimum(bounds[:, :1] + offsets, bounds[:, 1:] - 1)
