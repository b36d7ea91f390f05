"""Pooling over windows: max, average, and L2 norm (any Lp)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal, overload

import numpy as np

from cnnfast._ext import pool as _kernels
from cnnfast.functional._arguments import (
    empty_image,
    float_array,
    is_channels_last,
    nonempty,
    same_dtype,
    same_shape,
)
from cnnfast.functional._window import LARGEST, Padding, Pair, Window, window

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
    x, win = _arguments("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, strict)
    if not return_indices:
        y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
        _kernels.max_pool(x, y, None, *win)
        return y
    y, winners = _winners(x, win)
    return y, _flat_indices(winners, win) if winners.dtype == np.uint8 else winners


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
    name = "max_pool2d_backward"
    grad = float_array(name, "grad", grad, 4)
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        what = getattr(indices, "dtype", type(indices).__name__)
        raise TypeError(f"{name}: indices must be an integer array, got {what}")
    same_shape(name, "indices", indices, grad.shape, "that of grad")
    input_shape = _input_shape(name, input_shape, grad)
    if grad.size and 0 in input_shape:
        raise ValueError(f"{name}: input_shape {input_shape} has no elements to route to")
    gx = empty_image(input_shape, grad.dtype, is_channels_last(grad))
    gx.fill(0)
    outside = _kernels.route(grad, np.require(indices, np.int64, "A"), gx)
    if outside:
        raise ValueError(
            f"{name}: {outside} of the indices lie outside "
            f"0..{input_shape[2] * input_shape[3] - 1}, the plane of input_shape {input_shape}"
        )
    return gx


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
    x, win = _arguments("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, strict)
    y, winners = _winners(x, win)
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)

    def route(grad: np.ndarray) -> np.ndarray:
        name = "max_pool2d_backward"
        grad = float_array(name, "grad", grad, 4)
        same_shape(name, "grad", grad, winners.shape, "the output's shape")
        if grad.dtype != dtype:
            raise TypeError(f"{name}: grad is {grad.dtype}, but what was pooled is {dtype}")
        gx = empty_image(shape, dtype, channels_last)
        grad = _in_order(grad, channels_last)
        if winners.dtype == np.uint8:
            _kernels.max_pool_backward(grad, winners, gx, *win)
        else:
            gx.fill(0)
            _kernels.route(grad, winners, gx)
        return gx

    return y, route


def _winners(x: np.ndarray, win: Window) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling with each window's winner: a tap's number as a byte, or a flat index."""
    if win.rows.kernel * win.columns.kernel > BYTE_TAPS:
        return _wide_max_pool2d(x, win)
    shape, channels_last = (*x.shape[:2], *win.out), is_channels_last(x)
    y = empty_image(shape, x.dtype, channels_last)
    winners = empty_image(shape, np.dtype(np.uint8), channels_last)
    _kernels.max_pool(x, y, winners, *win)
    return y, winners


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


def _flat_indices(taps: np.ndarray, win: Window) -> np.ndarray:
    """Positions in the flat H*W plane of winning taps."""
    rows, columns = win
    r = empty_image(taps.shape, np.dtype(np.int64), is_channels_last(taps))
    r[...] = taps
    s = r % columns.kernel
    r //= columns.kernel
    r *= rows.dilation
    s *= columns.dilation
    r += np.arange(rows.out)[:, None] * rows.stride - rows.before
    s += np.arange(columns.out) * columns.stride - columns.before
    r *= columns.size
    r += s
    return r


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    strict: bool = False,
) -> np.ndarray:
    """Take the mean of every window, channel by channel.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode, strict
        As in `max_pool2d`.
    count_include_pad : bool
        Divide by all of a window, its part in the padding included; else by its part in `x`.
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x, win = _arguments("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, strict)
    divisor = _divisor("avg_pool2d", divisor_override)
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    _kernels.average_pool(x, y, *win, bool(count_include_pad), divisor)
    return y


def avg_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Spread each gradient evenly over its window.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `avg_pool2d`.
    x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d_backward
    >>> avg_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2)), 2)[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    name = "avg_pool2d_backward"
    x, win = _arguments(name, x, kernel_size, stride, padding, 1, ceil_mode, False)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (*x.shape[:2], *win.out), "the output's shape")
    divisor = _divisor(name, divisor_override)
    channels_last = is_channels_last(x)
    gx = empty_image(x.shape, x.dtype, channels_last)
    _kernels.average_pool_backward(
        _in_order(grad, channels_last), gx, *win, bool(count_include_pad), divisor
    )
    return gx


def lp_pool2d(
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray:
    r"""Take the Lp norm of every window: the notes' L2-norm pooling with ``norm_type=2``.

    .. math:: y = \Big(\sum_{\text{window}} |x|^p\Big)^{1/p}

    Parameters
    ----------
    x, kernel_size, stride, ceil_mode, strict
        As in `max_pool2d`.
    norm_type : float
        p, greater than 0.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Notes
    -----
    For an odd p torch sums the powers of x with their signs, which is no norm; this and ONNX take
    absolute values. They agree for even p and for x >= 0, save that with ``ceil_mode=True`` torch
    scales a last window that runs past the end up to a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d
    >>> lp_pool2d(np.array([[[[3.0, 0.0], [0.0, -4.0]]]]), 2, 2)
    array([[[[5.]]]])
    """
    x, win = _arguments("lp_pool2d", x, kernel_size, stride, 0, 1, ceil_mode, strict)
    p = _norm_type("lp_pool2d", norm_type)
    return _lp_pool2d(x, p, win)


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
) -> np.ndarray:
    r"""Gradient of `lp_pool2d` with respect to its input.

    .. math:: \bar x = \mathrm{sign}(x) \sum_{\text{windows}} \bar y\, (|x| / y)^{p-1}

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `lp_pool2d`.
    x, norm_type, kernel_size, stride, ceil_mode
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`; 0 in a window of zeros, where the norm has no derivative.

    Raises
    ------
    TypeError, ValueError
        As `lp_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d_backward
    >>> x = np.array([[[[3.0, 0.0], [0.0, -4.0]]]])
    >>> lp_pool2d_backward(np.ones((1, 1, 1, 1)), x, 2, 2)[0, 0]
    array([[ 0.6,  0. ],
           [ 0. , -0.8]])
    """
    name = "lp_pool2d_backward"
    x, win = _arguments(name, x, kernel_size, stride, 0, 1, ceil_mode, False)
    p = _norm_type(name, norm_type)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (*x.shape[:2], *win.out), "the output's shape")
    y = _lp_pool2d(x, p, win)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(y == 0, x.dtype.type(0), grad * y ** (1 - p))
    channels_last = is_channels_last(x)
    gx = empty_image(x.shape, x.dtype, channels_last)
    _kernels.average_pool_backward(_in_order(spread, channels_last), gx, *win, False, 1)
    magnitude = np.abs(x)
    with np.errstate(divide="ignore"):
        powers = np.where(magnitude == 0, x.dtype.type(0), magnitude ** (p - 1))
    gx *= powers if p != 1 else 1
    gx *= np.sign(x)
    return gx


def _lp_pool2d(x: np.ndarray, p: float, win: Window) -> np.ndarray:
    y = empty_image((*x.shape[:2], *win.out), x.dtype, is_channels_last(x))
    _kernels.average_pool(x * x if p == 2 else np.abs(x) ** p, y, *win, False, 1)
    return np.sqrt(y, out=y) if p == 2 else np.power(y, 1 / p, out=y)


def _arguments(
    function: str,
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool,
    strict: bool,
) -> tuple[np.ndarray, Window]:
    """Check what the pools have in common."""
    x = float_array(function, "x", x, 4)
    nonempty(function, "x", x, 1)
    stride = kernel_size if stride is None else stride
    return x, window(
        function,
        x.shape[2:],
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode=bool(ceil_mode),
        strict=strict,
        pooling=True,
    )


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


def _divisor(function: str, divisor_override: int | None) -> int:
    if divisor_override is None:
        return 0
    if isinstance(divisor_override, bool) or not isinstance(divisor_override, (int, np.integer)):
        raise TypeError(f"{function}: divisor_override must be an int, got {divisor_override!r}")
    if divisor_override == 0 or abs(divisor_override) > LARGEST:
        raise ValueError(
            f"{function}: divisor_override must lie in 1..{LARGEST} or be as far below 0, "
            f"got {divisor_override}"
        )
    return int(divisor_override)


def _norm_type(function: str, norm_type: float) -> float:
    if not isinstance(norm_type, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: norm_type must be a number, got {norm_type!r}")
    if not 0 < norm_type < float("inf"):
        raise ValueError(f"{function}: norm_type must be greater than 0, got {norm_type!r}")
    return float(norm_type)


def _in_order(grad: np.ndarray, channels_last: bool) -> np.ndarray:
    """`grad` in the memory order that the routing kernels share with the input's gradient."""
    if channels_last:
        return np.ascontiguousarray(grad.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(grad)
