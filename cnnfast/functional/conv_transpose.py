"""Transposed convolution of sequences, images and volumes, and its gradients."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast.functional._conv import passes, transposed
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Numbers, Padding, Pair, Sides


def conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    *,
    memory_format: MemoryFormat = "preserve",
) -> np.ndarray:
    r"""Take every pixel times a filter, and add up where they overlap: a learned upsampling.

    .. math:: y_{n,k,\, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w} \mathrel{+}=
              \sum_c w_{c,k,r,s}\, x_{n,c,i,j}

    which is how `conv2d` with the same arguments takes a gradient back to its input, whence the
    name.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides, read-only or not. An empty batch gives an empty result.
    weight : ndarray (C, K // groups, R, S)
        As in torch: the filters of the convolution that goes the other way.
    bias : ndarray (K,), optional
        Added to the result.
    stride, dilation : int or pair of ints
        How far apart the filters of neighbouring pixels, and the taps of a filter, are laid.
    padding : int, pair, ((top, bottom), (left, right)), "same" or "valid"
        Rows and columns taken off the result; "same" keeps the size and needs stride 1.
    output_padding : int or pair of ints
        Rows and columns added at the bottom and right, since several sizes of image shrink to
        that of `x` by a stride. Less than the stride or the dilation.
    groups : int
        Input channels in `groups` equal parts, each making its own part of the output channels.
    memory_format : {"preserve", "channels_last", "contiguous"}
        Memory order of the result; by default that of `x`.

    Returns
    -------
    ndarray (N, K, OH, OW)
        ``OH = (H - 1) S - 2P + D(R - 1) + output_padding + 1``.

    Raises
    ------
    TypeError
        For anything but arrays of one float dtype.
    ValueError
        For shapes that do not fit together, or padding that leaves nothing.

    References
    ----------
    M. D. Zeiler et al., "Deconvolutional networks", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose2d
    >>> x = np.array([[[[1.0, 2.0]]]])
    >>> conv_transpose2d(x, np.ones((1, 1, 1, 3)), stride=2)
    array([[[[1., 1., 3., 2., 2.]]]])
    """
    name, window = "conv_transpose2d", (stride, padding, output_padding, groups, dilation)
    return transposed.forward(name, 2, x, weight, bias, *window, memory_format)


def conv_transpose2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> passes.Gradients:
    """Gradients of `conv_transpose2d` with respect to its input, weights and bias.

    That of the input is a convolution of `grad` with the same filters.

    Parameters
    ----------
    grad : ndarray (N, K, OH, OW)
        Gradient of the loss with respect to the output.
    x, weight, stride, padding, output_padding, groups, dilation
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray (N, C, H, W) or None
        In the memory order of `x`.
    gw : ndarray (C, K // groups, R, S) or None
    gb : ndarray (K,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose2d_backward
    >>> x, weight = np.array([[[[1.0, 2.0]]]]), np.ones((1, 1, 1, 3))
    >>> gx, gw, gb = conv_transpose2d_backward(np.ones((1, 1, 1, 5)), x, weight, stride=2)
    >>> gx, gw, gb
    (array([[[[3., 3.]]]]), array([[[[3., 3., 3.]]]]), array([5.]))
    """
    name, window = "conv_transpose2d_backward", (stride, padding, output_padding, groups, dilation)
    return transposed.backward(name, 2, grad, x, weight, *window, needs)


def conv_transpose1d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Numbers = 1,
    padding: Sides = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
    *,
    memory_format: MemoryFormat = "preserve",
) -> np.ndarray:
    """Do for sequences what `conv_transpose2d` does for images.

    Parameters
    ----------
    x : ndarray (N, C, L), float32 or float64
    weight : ndarray (C, K // groups, R)
    bias : ndarray (K,), optional
    stride, padding, output_padding, groups, dilation, memory_format
        As in `conv_transpose2d`, with one number or one pair of sides.

    Returns
    -------
    ndarray (N, K, OL)

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose1d
    >>> conv_transpose1d(np.array([[[1.0, 2.0]]]), np.ones((1, 1, 3)), stride=2)
    array([[[1., 1., 3., 2., 2.]]])
    """
    name, window = "conv_transpose1d", (stride, padding, output_padding, groups, dilation)
    return transposed.forward(name, 1, x, weight, bias, *window, memory_format)


def conv_transpose1d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers = 1,
    padding: Sides = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> passes.Gradients:
    """Gradients of `conv_transpose1d`, as `conv_transpose2d_backward` gives them.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose1d_backward
    >>> x, weight = np.array([[[1.0, 2.0]]]), np.ones((1, 1, 3))
    >>> gx, gw, gb = conv_transpose1d_backward(np.ones((1, 1, 5)), x, weight, stride=2)
    >>> gx, gw, gb
    (array([[[3., 3.]]]), array([[[3., 3., 3.]]]), array([5.]))
    """
    name, window = "conv_transpose1d_backward", (stride, padding, output_padding, groups, dilation)
    return transposed.backward(name, 1, grad, x, weight, *window, needs)


def conv_transpose3d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Numbers = 1,
    padding: Sides = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
    *,
    memory_format: MemoryFormat = "preserve",
) -> np.ndarray:
    """Do for volumes what `conv_transpose2d` does for images.

    Parameters
    ----------
    x : ndarray (N, C, D, H, W), float32 or float64
    weight : ndarray (C, K // groups, T, R, S)
    bias : ndarray (K,), optional
    stride, padding, output_padding, groups, dilation, memory_format
        As in `conv_transpose2d`, with three numbers or pairs, depth first.

    Returns
    -------
    ndarray (N, K, OD, OH, OW)

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose3d
    >>> conv_transpose3d(np.ones((1, 8, 4, 4, 4)), np.ones((8, 2, 2, 2, 2)), stride=2).shape
    (1, 2, 8, 8, 8)
    """
    name, window = "conv_transpose3d", (stride, padding, output_padding, groups, dilation)
    return transposed.forward(name, 3, x, weight, bias, *window, memory_format)


def conv_transpose3d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers = 1,
    padding: Sides = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> passes.Gradients:
    """Gradients of `conv_transpose3d`, as `conv_transpose2d_backward` gives them.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv_transpose3d_backward
    >>> x, weight = np.ones((1, 8, 4, 4, 4)), np.ones((8, 2, 2, 2, 2))
    >>> gx, gw, gb = conv_transpose3d_backward(np.ones((1, 2, 8, 8, 8)), x, weight, stride=2)
    >>> gx.shape, gw.shape, gb
    ((1, 8, 4, 4, 4), (8, 2, 2, 2, 2), array([512., 512.]))
    """
    name, window = "conv_transpose3d_backward", (stride, padding, output_padding, groups, dilation)
    return transposed.backward(name, 3, grad, x, weight, *window, needs)
