"""Convolution and its three gradients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any

import numpy as np

from cnnfast._ext import conv as _direct
from cnnfast._ext import conv_few as _few
from cnnfast._ext import conv_narrow as _narrow
from cnnfast._ext import conv_planes as _planes
from cnnfast._ext import conv_weights as _weights
from cnnfast._ext import conv_weights_few as _weights_few
from cnnfast._ext import elementwise as _elementwise
from cnnfast._ext.dispatch import chosen_isa
from cnnfast.functional import _by_columns, _winograd
from cnnfast.functional._algorithm import Algorithm, check_algorithm, get_conv_precision
from cnnfast.functional._arguments import (
    check_needs,
    empty,
    empty_image,
    float_array,
    is_channels_last,
    nonempty,
    same_dtype,
    same_shape,
)
from cnnfast.functional._plan import (
    MemoryFormat,
    place,
    plan_backward_data,
    plan_backward_weights,
    plan_forward,
)
from cnnfast.functional._window import Padding, Pair, Window


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    strict: bool = False,
    memory_format: MemoryFormat = "preserve",
    algorithm: Algorithm = "auto",
    residual: np.ndarray | None = None,
    relu: bool = False,
) -> np.ndarray:
    r"""Convolve images with filters (without turning them around, as every framework does).

    .. math:: y_{n,k,i,j} = b_k + \sum_{c,r,s} w_{k,c,r,s}\,
              x_{n,\, c,\, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w}

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides, read-only or not. An empty batch gives an empty result.
    weight : ndarray (K, C // groups, R, S)
        One filter for each of the K output channels, in the dtype of `x`.
    bias : ndarray (K,), optional
    stride, dilation : int or pair of ints
        Rows first. Dilation 1 means no gap between taps (the notes' 0).
    padding : int, pair, ((top, bottom), (left, right)), "same" or "valid"
        Zeros around the image; "same" keeps its size and needs stride 1.
    groups : int
        Output channels in `groups` equal parts, each reading its own part of the input channels.
    strict : bool
        Raise where (H - R + 2P)/S + 1 is no integer, as the notes demand, instead of dropping
        the last partial window.
    memory_format : {"preserve", "channels_last", "contiguous"}
        Memory order of the result; by default that of `x`.
    algorithm : {"auto", "direct", "winograd", "im2col"}
        How to compute it; see the notes below, and `cnnfast.set_conv_precision`.
    residual : ndarray (N, K, OH, OW), optional
        Added to the result, as a residual block does with its shortcut.
    relu : bool
        Rectify the result: max(0, y + residual). Both cost next to nothing where the result is
        channels-last, because its values are still in registers.

    Returns
    -------
    ndarray (N, K, OH, OW)
        ``OH = (H + 2P - D(R - 1) - 1) // S + 1``.

    Raises
    ------
    TypeError
        For anything but arrays of one float dtype.
    ValueError
        For shapes that do not fit together, or a window larger than the padded input.

    Notes
    -----
    Sums are formed in the dtype of `x`, in an order that does not depend on the number of threads.

    "direct" multiplies every weight with every value it meets. "winograd" is for square filters of
    2 to 5 taps, or so many for each phase of a stride, in float32, and takes a third to a quarter
    of the multiplications (Lavin and Gray, 2015). "im2col" is the notes' matrix product. "auto"
    takes Winograd's way where it is faster. Against float64, in float32, the error is at most 3e-6
    (direct) and 6e-6 (Winograd) of the largest value of |x| convolved with |w|; a NaN or infinity
    spreads at most over the tiles (of 2x2 to 5x5 outputs) that it touches.

    Examples
    --------
    AlexNet's first layer, as in the course notes:

    >>> import numpy as np
    >>> from cnnfast.functional import conv2d
    >>> x = np.ones((1, 3, 227, 227), np.float32)
    >>> conv2d(x, np.ones((96, 3, 11, 11), np.float32), stride=4).shape
    (1, 96, 55, 55)
    """
    weight, bias = check_parameters("conv2d", weight, bias)
    check_algorithm("conv2d", algorithm)
    if memory_format not in ("preserve", "channels_last", "contiguous"):
        raise ValueError(
            'conv2d: memory_format must be "preserve", "channels_last" or "contiguous", '
            f"got {memory_format!r}"
        )
    return conv2d_packed(
        x,
        weight,
        bias,
        stride,
        padding,
        dilation,
        groups,
        strict=strict,
        memory_format=memory_format,
        algorithm=algorithm,
        residual=residual,
        relu=relu,
        packed=lambda key, pack: pack(),
    )


def conv2d_packed(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    *,
    strict: bool,
    memory_format: MemoryFormat,
    algorithm: Algorithm,
    packed: Callable[[Hashable, Callable[[], Any]], Any],
    residual: np.ndarray | None = None,
    relu: bool = False,
) -> np.ndarray:
    """`conv2d` with checked parameters, and filters from ``packed(key, pack)``.

    That may keep what ``pack()`` made.
    """
    x, win = _check_image("conv2d", x, weight, stride, padding, dilation, groups, strict)
    isa = chosen_isa()
    plan = plan_forward(
        x.shape[0],
        weight.shape,
        x.dtype,
        win,
        groups,
        algorithm,
        memory_format,
        x.flags.c_contiguous,
        is_channels_last(x),
        get_conv_precision(),
        isa,
    )
    if bias is not None:
        bias = bias.reshape(1, 1, 1, -1)
    y = empty_image(plan.out, x.dtype, plan.channels_last)
    if residual is not None:
        residual = _as_laid_out("conv2d", residual, y)
    fused = (residual, relu) if plan.fuses else ()
    kernel, tile = plan.kernel, plan.choice.tile
    key = (kernel, tile, win.strides, groups, isa)
    if kernel == "winograd":
        filters = packed(key, lambda: _winograd.transformed(weight, win, groups, tile))
        _winograd.forward(x, filters, bias, y, win, *fused)
    elif kernel in ("direct", "depthwise"):
        filters = packed(key, lambda: _direct.PackedFilters(weight, groups))
        _direct.forward(x, filters, bias, y, *win, *fused)
    elif kernel == "few channels":
        _few.forward(x, weight, bias, y, *win, groups)
    elif kernel == "planes":
        _planes.forward(x, weight, bias, y, groups)
    else:
        _by_columns.forward(x, weight, bias, y, win, groups)
    if not plan.fuses:
        if residual is not None:
            np.add(y, residual, out=y)
        if relu:
            _elementwise.apply("relu", y, y)
    return y


def _as_laid_out(function: str, residual: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Check a residual; copy it if its strides are not those of the output."""
    residual = float_array(function, "residual", residual, 4)
    same_dtype(function, "x", y, residual=residual)
    same_shape(function, "residual", residual, y.shape, "the output's shape")
    if residual.strides == y.strides:
        return residual
    copy = empty_image(y.shape, y.dtype, is_channels_last(y))
    copy[...] = residual
    return copy


def conv2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
    *,
    algorithm: Algorithm = "auto",
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    r"""Gradients of `conv2d` with respect to its input, weights and bias.

    The input's gradient is itself a convolution, of `grad` with the filters turned around; the
    weights' is one of `x` with `grad`; the bias's is a sum:

    .. math:: \bar b_k = \sum_{n,i,j} \bar y_{n,k,i,j}, \qquad
              \bar w_{k,c,r,s} = \sum_{n,i,j} \bar y_{n,k,i,j}\,
              x_{n,\, c,\, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w}

    Parameters
    ----------
    grad : ndarray (N, K, OH, OW)
        Gradient of the loss with respect to the convolution's output.
    x, weight, stride, padding, dilation, groups
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.
    algorithm : {"auto", "direct", "winograd", "im2col"}
        How to compute those of the input and the weights, as for `conv2d`.

    Returns
    -------
    gx : ndarray (N, C, H, W) or None
        In the memory order of `x`.
    gw : ndarray (K, C // groups, R, S) or None
    gb : ndarray (K,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv2d_backward
    >>> x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> gx, gw, gb = conv2d_backward(np.ones((1, 1, 2, 2)), x, weight)
    >>> gx[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> gw[0, 0], gb
    (array([[4., 4.],
           [4., 4.]]), array([4.]))
    """
    name = "conv2d_backward"
    weight, _ = check_parameters(name, weight, None)
    x, win = _check_image(name, x, weight, stride, padding, dilation, groups, False)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (x.shape[0], weight.shape[0], *win.out), "the output's shape")
    check_needs(name, needs)
    check_algorithm(name, algorithm)
    arguments = (x.shape[0], weight.shape, x.dtype, win, groups, algorithm)
    settings = (get_conv_precision(), chosen_isa())
    gx = gw = gb = None
    if "x" in needs:
        channels_last = is_channels_last(x)
        gx = empty_image(x.shape, x.dtype, channels_last)
        in_planes = grad.flags.c_contiguous and not channels_last
        plan = plan_backward_data(*arguments, in_planes, *settings)
        if plan.kernel == "winograd":
            _winograd.backward_data(grad, weight, gx, win, groups, plan.choice.tile)
        elif plan.kernel in ("direct", "depthwise"):
            _direct.backward_data(grad, weight, gx, *win, groups)
        elif plan.kernel == "few channels":
            _few.backward_data(grad, weight, gx, *win, groups)
        elif plan.kernel == "narrow columns":
            _narrow.backward_data(grad, weight, gx, *win, groups)
        elif plan.kernel == "planes":
            _planes.backward_data(grad, weight, gx, groups)
        else:
            _by_columns.backward_data(grad, weight, gx, win, groups)
    if "weight" in needs:
        gw = empty(weight.shape, x.dtype)
        plan = plan_backward_weights(*arguments, *settings)
        if plan.kernel == "winograd":
            _winograd.backward_weights(grad, x, gw, win, groups, plan.choice.tile)
        elif plan.kernel in ("direct", "depthwise"):
            _weights.backward_weights(grad, x, gw, *win, groups)
        elif plan.kernel == "few channels":
            _weights_few.backward_weights(grad, x, gw, *win, groups)
        else:
            _by_columns.backward_weights(grad, x, gw, win, groups)
    if "bias" in needs:
        gb = empty((weight.shape[0], 1, 1, 1), x.dtype)
        _weights.backward_bias(grad, gb)
        gb = gb.reshape(-1)
    return gx, gw, gb


def check_parameters(
    function: str, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Check filters and bias."""
    weight = float_array(function, "weight", weight, 4)
    nonempty(function, "weight", weight, 0)
    if bias is not None:
        bias = float_array(function, "bias", bias, 1)
        same_dtype(function, "weight", weight, bias=bias)
        same_shape(function, "bias", bias, (weight.shape[0],), "one value for each filter")
    return weight, bias


def _check_image(
    function: str,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    strict: bool,
) -> tuple[np.ndarray, Window]:
    """Check the input against checked filters, and place the window over it."""
    x = float_array(function, "x", x, 4)
    if x.dtype is not weight.dtype:
        same_dtype(function, "x", x, weight=weight)
    arguments = (function, x.shape, weight.shape, stride, padding, dilation, groups, bool(strict))
    plain = _plain(stride) and _plain(padding) and _plain(dilation) and _plain(groups)
    return x, (place if plain else place.__wrapped__)(*arguments)


def _plain(value: object) -> bool:
    """Whether a look-up tells `value` from others: 1.0 and True equal 1, and lists have no hash."""
    if type(value) is int or type(value) is str:
        return True
    return type(value) is tuple and all(map(_plain, value))
