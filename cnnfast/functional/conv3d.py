"""Convolution of volumes, and its gradients."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast.functional._conv import arguments, passes
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Numbers, Sides


def conv3d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Numbers = 1,
    padding: Sides = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    *,
    strict: bool = False,
    memory_format: MemoryFormat = "preserve",
) -> np.ndarray:
    r"""Convolve volumes with filters.

    .. math:: y_{n,k,h,i,j} = b_k + \sum_{c,t,r,s} w_{k,c,t,r,s}\, x_{n,\, c,\, h s_d - p_d + t d_d,
              \, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w}

    Parameters
    ----------
    x : ndarray (N, C, D, H, W), float32 or float64
        Any strides, read-only or not. An empty batch gives an empty result.
    weight : ndarray (K, C // groups, T, R, S)
    bias : ndarray (K,), optional
    stride, dilation : int or three ints
        Depth first.
    padding : int, three ints, ((front, back), (top, bottom), (left, right)), "same" or "valid"
    groups, strict, memory_format
        As in `conv2d`; channels-last is (N, D, H, W, C) in memory.

    Returns
    -------
    ndarray (N, K, OD, OH, OW)

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Notes
    -----
    Computed as images whose channels are those of the T slices that a filter meets, by the kernels
    of `conv2d`: that takes up to T times the memory of `x`, and is quickest channels-last.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv3d
    >>> x = np.ones((1, 3, 16, 112, 112), np.float32)
    >>> conv3d(x, np.ones((64, 3, 3, 7, 7), np.float32), None, (1, 2, 2), (1, 3, 3)).shape
    (1, 64, 16, 56, 56)
    """
    weight, bias = arguments.parameters("conv3d", weight, bias, 3)
    arguments.memory_format_of("conv3d", memory_format)
    window = (stride, padding, dilation, groups, memory_format)
    return passes.forward("conv3d", x, weight, bias, *window, strict=strict)


def conv3d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers = 1,
    padding: Sides = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> passes.Gradients:
    """Gradients of `conv3d` with respect to its input, weights and bias.

    Parameters
    ----------
    grad : ndarray (N, K, OD, OH, OW)
        Gradient of the loss with respect to the convolution's output.
    x, weight, stride, padding, dilation, groups
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray (N, C, D, H, W) or None
        In the memory order of `x`.
    gw : ndarray (K, C // groups, T, R, S) or None
    gb : ndarray (K,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `conv3d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv3d_backward
    >>> x, weight = np.ones((1, 1, 3, 1, 1)), np.ones((1, 1, 2, 1, 1))
    >>> gx, gw, gb = conv3d_backward(np.ones((1, 1, 2, 1, 1)), x, weight)
    >>> gx.ravel(), gw.ravel(), gb
    (array([1., 2., 1.]), array([2., 2.]), array([2.]))
    """
    window = (stride, padding, dilation, groups)
    return passes.backward("conv3d_backward", 3, grad, x, weight, *window, needs)
