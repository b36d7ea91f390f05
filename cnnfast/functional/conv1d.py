"""Convolution of sequences, and its gradients."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cnnfast.functional._conv import arguments, passes
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Numbers, Sides


def conv1d(
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
    r"""Convolve sequences with filters.

    .. math:: y_{n,k,i} = b_k + \sum_{c,r} w_{k,c,r}\, x_{n,\, c,\, i s - p + r d}

    Parameters
    ----------
    x : ndarray (N, C, L), float32 or float64
        Any strides, read-only or not. An empty batch gives an empty result.
    weight : ndarray (K, C // groups, R)
    bias : ndarray (K,), optional
    stride, dilation, groups, strict, memory_format
        As in `conv2d`; channels-last is (N, L, C) in memory.
    padding : int, ((left, right),), "same" or "valid"

    Returns
    -------
    ndarray (N, K, OL)
        ``OL = (L + 2P - D(R - 1) - 1) // S + 1``.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Notes
    -----
    Computed as images of one row.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv1d
    >>> x = np.array([[[1.0, 2.0, 4.0, 8.0]]])
    >>> conv1d(x, np.array([[[-1.0, 1.0]]]))
    array([[[1., 2., 4.]]])
    """
    weight, bias = arguments.parameters("conv1d", weight, bias, 1)
    arguments.memory_format_of("conv1d", memory_format)
    window = (stride, padding, dilation, groups, memory_format)
    return passes.forward("conv1d", x, weight, bias, *window, strict=strict)


def conv1d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers = 1,
    padding: Sides = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> passes.Gradients:
    """Gradients of `conv1d` with respect to its input, weights and bias.

    Parameters
    ----------
    grad : ndarray (N, K, OL)
        Gradient of the loss with respect to the convolution's output.
    x, weight, stride, padding, dilation, groups
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray (N, C, L) or None
        In the memory order of `x`.
    gw : ndarray (K, C // groups, R) or None
    gb : ndarray (K,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `conv1d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import conv1d_backward
    >>> x, weight = np.array([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]])
    >>> gx, gw, gb = conv1d_backward(np.ones((1, 1, 2)), x, weight)
    >>> gx, gw, gb
    (array([[[-1.,  0.,  1.]]]), array([[[3., 6.]]]), array([2.]))
    """
    window = (stride, padding, dilation, groups)
    return passes.backward("conv1d_backward", 1, grad, x, weight, *window, needs)
