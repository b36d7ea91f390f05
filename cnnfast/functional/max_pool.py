"""Max pooling over windows."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal, overload

import numpy as np

from cnnfast._ext import global_pool as _global_kernels
from cnnfast._ext import pool as _kernels
from cnnfast._ext import scatter as _scatter
from cnnfast.functional._arguments import (
    empty_image,
    empty_like,
    float_array,
    in_order,
    is_channels_last,
    same_shape,
)
from cnnfast.functional._pooling import is_global, pool_arguments
from cnnfast.functional._window import Padding, Pair, Window

# A window's winner fits a byte up to this many taps.
BYTE_TAPS = 256


@overload
def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    strict: bool = False,
) -> np.ndarray: ...
@overload
def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]: ...
def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    r"""Take the maximum of every window, channel by channel.

    .. math:: y_{n,c,i,j} = \max_{r,s} x_{n,\, c,\, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w}

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    kernel_size, stride, dilation : int or pair of ints
        The stride is the window's size unless given.
    padding : int, pair, ((top, bottom), (left, right)), "same" or "valid"
        Never wins; at most half a window.
    ceil_mode : bool
        Keep a last window that runs past the end, if it starts inside the input or the padding
        before it.
    return_indices : bool
        Also return where each maximum was found.
    strict : bool
        Raise where the windows do not fit the padded input exactly.

    Returns
    -------
    y : ndarray (N, C, OH, OW)
        In the memory order of `x`.
    indices : ndarray (N, C, OH, OW) of int64
        Positions in the flat H*W plane; only with ``return_indices=True``.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Notes
    -----
    On a tie the first element in row-major window order wins, and so does the first NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool2d
    >>> y, indices = max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2, return_indices=True)
    >>> y[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> indices[0, 0]
    array([[ 5,  7],
           [13, 15]])
    """
    x, win = pool_arguments(
        "max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, strict
    )
    if not return_indices:
        y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
        if is_global(win) and x.flags.c_contiguous:
            _global_kernels.max_pool(x, y)
        else:
            _kernels.max_pool(x, y, None, None, *win)
        return y
    return _indexed(x, win)


def max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Route each gradient to the element that won its window.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW), float32 or float64
        Gradient of the loss with respect to the output of `max_pool2d`.
    indices : ndarray (N, C, OH, OW) of int64
        As ``return_indices=True`` gives them.
    input_shape : tuple
        Shape (N, C, H, W) of what was pooled.

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
    >>> from cnnfast.functional import max_pool2d, max_pool2d_backward
    >>> x = np.array([[[[1.0, 2.0], [4.0, 3.0]]]])
    >>> y, indices = max_pool2d(x, 2, return_indices=True)
    >>> max_pool2d_backward(np.array([[[[10.0]]]]), indices, x.shape)[0, 0]
    array([[ 0.,  0.],
           [10.,  0.]])
    """
    return route_by_index("max_pool2d_backward", grad, indices, input_shape)


def route_by_index(
    function: str,
    grad: np.ndarray,
    indices: np.ndarray,
    input_shape: tuple[int, ...],
    channels_last: bool | None = None,
) -> np.ndarray:
    """Add each gradient to the element of its plane that its index names.

    The result is in the memory order of `grad` unless another is given.
    """
    grad = float_array(function, "grad", grad, 4)
    check_indices(function, indices, grad.shape, "that of grad")
    input_shape = _input_shape(function, input_shape, grad)
    if grad.size and 0 in input_shape:
        raise ValueError(f"{function}: input_shape {input_shape} has no elements to route to")
    channels_last = is_channels_last(grad) if channels_last is None else channels_last
    gx = empty_image(input_shape, grad.dtype, channels_last)
    outside = _scatter.scatter(grad, np.require(indices, np.int64, "A"), gx)
    if outside:
        raise ValueError(
            f"{function}: {outside} of the indices lie outside "
            f"0..{input_shape[2] * input_shape[3] - 1}, the plane of input_shape {input_shape}"
        )
    return gx


def check_indices(function: str, indices: np.ndarray, shape: tuple[int, ...], why: str) -> None:
    """Check that `indices` is an integer array of `shape`."""
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        what = getattr(indices, "dtype", type(indices).__name__)
        raise TypeError(f"{function}: indices must be an integer array, got {what}")
    same_shape(function, "indices", indices, shape, why)


def max_pool2d_routed(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool,
    strict: bool,
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Max pooling, and what takes a gradient back: `gx = route(grad)`.

    The route keeps one byte for each output, the number of its window's winning tap. Windows of
    more than 256 taps keep flat indices instead.
    """
    x, win = pool_arguments(
        "max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, strict
    )
    if win.rows.kernel * win.columns.kernel > BYTE_TAPS:
        y, indices = _indexed(x, win)
        return y, index_route("max_pool2d_backward", indices, x)
    y, winners = _numbered(x, win)
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)

    def route(grad: np.ndarray) -> np.ndarray:
        grad = _matching("max_pool2d_backward", grad, winners.shape, dtype)
        gx = empty_image(shape, dtype, channels_last)
        _kernels.max_pool_backward(in_order(grad, channels_last), winners, gx, *win)
        return gx

    return y, route


def index_route(
    function: str, indices: np.ndarray, x: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes a gradient back to `x` by the indices of its pooling."""
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)

    def route(grad: np.ndarray) -> np.ndarray:
        grad = _matching(function, grad, indices.shape, dtype)
        return route_by_index(function, grad, indices, shape, channels_last)

    return route


def _matching(
    function: str, grad: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    grad = float_array(function, "grad", grad, 4)
    same_shape(function, "grad", grad, shape, "the output's shape")
    if grad.dtype != dtype:
        raise TypeError(f"{function}: grad is {grad.dtype}, but what was pooled is {dtype}")
    return grad


def _numbered(x: np.ndarray, win: Window) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling, and the number of each window's winning tap as a byte."""
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    winners = empty_like(y, np.dtype(np.uint8))
    _kernels.max_pool(x, y, winners, None, *win)
    return y, winners


def _indexed(x: np.ndarray, win: Window) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling, and the winners' positions in the flat H*W plane."""
    if win.rows.kernel * win.columns.kernel > BYTE_TAPS:
        return _wide_max_pool2d(x, win)
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    indices = empty_like(y, np.dtype(np.int64))
    _kernels.max_pool(x, y, None, indices, *win)
    return y, indices


def _wide_max_pool2d(x: np.ndarray, win: Window) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling and flat indices for windows whose taps no byte can number."""
    n, c, _, w = x.shape
    y = empty_image((n, c, *win.out), x.dtype, is_channels_last(x))
    indices = empty_image(y.shape, np.dtype(np.int64), is_channels_last(x))
    for i, row in enumerate(_tap_positions(win.rows)):
        for j, column in enumerate(_tap_positions(win.columns)):
            taps = x[:, :, row][:, :, :, column].reshape(n, c, -1)
            best = taps.argmax(axis=2)
            y[:, :, i, j] = np.take_along_axis(taps, best[:, :, None], axis=2)[:, :, 0]
            positions = (row[:, None] * w + column).ravel()
            indices[:, :, i, j] = positions[best]
    return y, indices


def _tap_positions(axis) -> list[np.ndarray]:
    """For each output of an axis, the input positions its taps see."""
    positions = []
    for o in range(axis.out):
        start = o * axis.stride - axis.before
        stop = min(start + axis.kernel * axis.dilation, axis.size)
        first = start if start >= 0 else start % axis.dilation
        positions.append(np.arange(first, stop, axis.dilation))
    return positions


def _input_shape(
    function: str, input_shape: tuple[int, ...], grad: np.ndarray
) -> tuple[int, int, int, int]:
    try:
        shape = tuple(operator.index(n) for n in input_shape)
    except TypeError:
        raise TypeError(
            f"{function}: input_shape must be four ints (N, C, H, W), got {input_shape!r}"
        ) from None
    if len(shape) != 4 or min(shape) < 0:
        raise ValueError(f"{function}: input_shape must be four sizes, got {input_shape!r}")
    if shape[:2] != grad.shape[:2]:
        raise ValueError(
            f"{function}: input_shape {shape} and grad {grad.shape} differ in batch or channels"
        )
    return shape
