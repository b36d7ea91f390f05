"""Convolution and its three gradients."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast.functional._algorithm import Algorithm, check_algorithm
from cnnfast.functional._arguments import ceiling
from cnnfast.functional._conv import arguments, passes
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Padding, Pair


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
    relu: bool | float = False,
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
    relu : bool or float
        Rectify the result: max(0, y + residual), with a number no more than that either, as ReLU6
        does at 6. Both cost next to nothing where the result is channels-last, because its values
        are still in registers.

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
    (direct) and 6e-6 (Winograd) of the largest value of ``|x|`` convolved with ``|w|``; a NaN or
    infinity spreads at most over the tiles (of 2x2 to 5x5 outputs) that it touches.

    Examples
    --------
    AlexNet's first layer, as in the course notes:

    >>> import numpy as np
    >>> from cnnfast.functional import conv2d
    >>> x = np.ones((1, 3, 227, 227), np.float32)
    >>> conv2d(x, np.ones((96, 3, 11, 11), np.float32), stride=4).shape
    (1, 96, 55, 55)
    """
    weight, bias = arguments.parameters("conv2d", weight, bias, 2)
    check_algorithm("conv2d", algorithm)
    arguments.memory_format_of("conv2d", memory_format)
    return passes.forward(
        "conv2d",
        x,
        weight,
        bias,
        stride,
        padding,
        dilation,
        groups,
        memory_format,
        strict=strict,
        algorithm=algorithm,
        residual=residual,
        ceiling=ceiling("conv2d", relu),
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
) -> passes.Gradients:
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
    check_algorithm(name, algorithm)
    window = (stride, padding, dilation, groups)
    return passes.backward(name, 2, grad, x, weight, *window, needs, algorithm=algorithm)
