"""Convolution and its three gradients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any, Literal

import numpy as np

from cnnfast._ext import conv as _direct
from cnnfast._ext import conv_few as _few
from cnnfast._ext import conv_narrow as _narrow
from cnnfast._ext import conv_planes as _planes
from cnnfast._ext import conv_weights as _weights
from cnnfast._ext import winograd as _winograd
from cnnfast._ext import winograd_weights as _winograd_weights
from cnnfast._ext.dispatch import chosen_isa
from cnnfast.functional import _by_columns
from cnnfast.functional._algorithm import Algorithm, Choice, choose
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
from cnnfast.functional._window import LARGEST_IMAGE, Padding, Pair, Window, window

MemoryFormat = Literal["preserve", "channels_last", "contiguous"]


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
) -> np.ndarray:
    """`conv2d` with filters from ``packed(key, pack)``, which may keep what ``pack()`` made."""
    x, weight, win = _arguments("conv2d", x, weight, stride, padding, dilation, groups, strict)
    if memory_format not in ("preserve", "channels_last", "contiguous"):
        raise ValueError(
            'conv2d: memory_format must be "preserve", "channels_last" or "contiguous", '
            f"got {memory_format!r}"
        )
    if bias is not None:
        bias = float_array("conv2d", "bias", bias, 1)
        same_dtype("conv2d", "x", x, bias=bias)
        same_shape("conv2d", "bias", bias, (weight.shape[0],), "one value for each filter")
        bias = bias.reshape(1, 1, 1, -1)
    channels_last = memory_format == "channels_last" or (
        memory_format == "preserve" and is_channels_last(x)
    )
    choice = choose("conv2d", "forward", algorithm, x.shape[0], weight, win, groups)
    y = empty_image((x.shape[0], weight.shape[0], *win.out), x.dtype, channels_last)
    key = (choice.algorithm, choice.tile, win.strides, groups, chosen_isa())
    match forward_kernel(choice, x, channels_last, weight, win, groups):
        case "im2col":
            _by_columns.forward(x, weight, bias, y, win, groups)
        case "planes":
            _planes.forward(x, weight, bias, y, groups)
        case "few channels":
            _few.forward(x, weight, bias, y, *win, groups)
        case "winograd":
            stride = win.rows.stride
            filters = packed(key, lambda: _winograd.TransformedFilters(weight, stride, choice.tile))
            _winograd.forward(x, filters, bias, y, *win)
        case _:
            filters = packed(key, lambda: _direct.PackedFilters(weight, groups))
            _direct.forward(x, filters, bias, y, *win)
    return y


def forward_kernel(
    choice: Choice,
    x: np.ndarray,
    channels_last: bool,
    weight: np.ndarray,
    win: Window,
    groups: int,
) -> str:
    """Which kernel computes the forward pass by the chosen algorithm."""
    if choice.algorithm != "direct":
        return choice.algorithm
    if _depthwise(weight, groups):
        return "depthwise"
    if _in_planes(x, channels_last, weight, win):
        return "planes"
    if _few.suits(weight.shape[0] // groups, weight.itemsize):
        return "few channels"
    return "direct"


def backward_data_kernel(
    choice: Choice,
    x: np.ndarray,
    grad: np.ndarray,
    weight: np.ndarray,
    win: Window,
    groups: int,
) -> str:
    """Which kernel computes the gradient of the input by the chosen algorithm."""
    if choice.algorithm != "direct":
        return choice.algorithm
    if _depthwise(weight, groups):
        return "depthwise"
    if _in_planes(grad, is_channels_last(x), weight, win):
        return "planes"
    if win.strides == (1, 1) and _few.suits(x.shape[1] // groups, weight.itemsize):
        return "few channels"
    if _narrow.suits(x, weight, groups):
        return "narrow columns"
    return "direct"


def _depthwise(weight: np.ndarray, groups: int) -> bool:
    return groups > 1 and weight.shape[:2] == (groups, 1)


def _in_planes(x: np.ndarray, channels_last: bool, weight: np.ndarray, win: Window) -> bool:
    """Whether this is a 1x1 convolution from C order to C order that pads and skips nothing."""
    return (
        weight.shape[2:] == (1, 1)
        and win.strides == (1, 1)
        and win.out == (win.rows.size, win.columns.size)
        and x.flags.c_contiguous
        and not channels_last
    )


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
    x, weight, win = _arguments(name, x, weight, stride, padding, dilation, groups, False)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, (x.shape[0], weight.shape[0], *win.out), "the output's shape")
    check_needs(name, needs)
    gx = gw = gb = None
    arguments = (algorithm, x.shape[0], weight, win, groups)
    if "x" in needs:
        gx = empty_image(x.shape, x.dtype, is_channels_last(x))
        choice = choose(name, "input", *arguments)
        match backward_data_kernel(choice, x, grad, weight, win, groups):
            case "im2col":
                _by_columns.backward_data(grad, weight, gx, win, groups)
            case "winograd":
                _winograd.backward_data(grad, weight, gx, *win, choice.tile)
            case "planes":
                _planes.backward_data(grad, weight, gx, groups)
            case "few channels":
                _few.backward_data(grad, weight, gx, *win, groups)
            case "narrow columns":
                _narrow.backward_data(grad, weight, gx, *win, groups)
            case _:
                _direct.backward_data(grad, weight, gx, *win, groups)
    if "weight" in needs:
        gw = empty(weight.shape, x.dtype)
        choice = choose(name, "weights", *arguments)
        match choice.algorithm:
            case "im2col":
                _by_columns.backward_weights(grad, x, gw, win, groups)
            case "winograd":
                _winograd_weights.backward_weights(grad, x, gw, *win, choice.tile)
            case _:
                _weights.backward_weights(grad, x, gw, *win, groups)
    if "bias" in needs:
        gb = empty((weight.shape[0], 1, 1, 1), x.dtype)
        _weights.backward_bias(grad, gb)
        gb = gb.reshape(-1)
    return gx, gw, gb


def _arguments(
    function: str,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    strict: bool,
) -> tuple[np.ndarray, np.ndarray, Window]:
    """Check what convolution and its gradient have in common."""
    x = float_array(function, "x", x, 4)
    weight = float_array(function, "weight", weight, 4)
    same_dtype(function, "x", x, weight=weight)
    nonempty(function, "x", x, 1)
    nonempty(function, "weight", weight, 0)
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise TypeError(f"{function}: groups must be an int, got {groups!r}")
    filters, depth, *kernel = weight.shape
    if groups < 1 or filters % groups:
        raise ValueError(
            f"{function}: groups must be at least 1 and divide the {filters} filters of weight "
            f"{weight.shape}, got {groups}"
        )
    if x.shape[1] != depth * groups:
        raise ValueError(
            f"{function}: x has {x.shape[1]} channels, but weight {weight.shape} with groups "
            f"{groups} reads {depth * groups}"
        )
    win = window(function, x.shape[2:], tuple(kernel), stride, padding, dilation, strict=strict)
    padded = x.shape[1] * win.rows.padded * win.columns.padded
    if max(padded, weight.size) > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: an image of x has {padded} elements with its padding and weight has "
            f"{weight.size}; neither may have more than {LARGEST_IMAGE}"
        )
    return x, weight, win
