"""Pooling over windows of sequences."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, Sides
from cnnfast.functional.max_pool import route_by_index


@overload
def max_pool1d(
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    strict: bool = False,
) -> np.ndarray: ...
@overload
def max_pool1d(
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]: ...
def max_pool1d(
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Take the maximum of every window, channel by channel.

    Parameters
    ----------
    x : ndarray (N, C, L), float32 or float64
        Any strides.
    kernel_size, stride, dilation : int
        The stride is the window's size unless given.
    padding : int, ((left, right),), "same" or "valid"
        Never wins; at most half a window.
    ceil_mode, return_indices, strict
        As in `max_pool2d`.

    Returns
    -------
    y : ndarray (N, C, OL)
        In the memory order of `x`.
    indices : ndarray (N, C, OL) of int64
        Positions in the sequence; only with ``return_indices=True``.

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
    >>> from cnnfast.functional import max_pool1d
    >>> max_pool1d(np.array([[[1.0, 3.0, 2.0, 0.0]]]), 2, return_indices=True)
    (array([[[3., 2.]]]), array([[[1, 2]]]))
    """
    window = (kernel_size, stride, padding, dilation, ceil_mode)
    return passes.max_pool("max_pool1d", 1, x, *window, return_indices, strict)


def max_pool1d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, ...]
) -> np.ndarray:
    """Route each gradient to the element that won its window.

    Parameters
    ----------
    grad : ndarray (N, C, OL), float32 or float64
        Gradient of the loss with respect to the output of `max_pool1d`.
    indices : ndarray of int64
        As ``return_indices=True`` gives them.
    input_shape : tuple
        Shape (N, C, L) of what was pooled.

    Returns
    -------
    ndarray (N, C, L)
        In the memory order of `grad`; an element that won several windows gets their sum.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit together, or an index outside the sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool1d_backward
    >>> max_pool1d_backward(np.array([[[10.0, 20.0]]]), np.array([[[1, 2]]]), (1, 1, 4))
    array([[[ 0., 10., 20.,  0.]]])
    """
    return route_by_index("max_pool1d_backward", grad, indices, input_shape, count=1)


def avg_pool1d(
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    strict: bool = False,
) -> np.ndarray:
    """Take the mean of every window, channel by channel.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode, strict
        As in `max_pool1d`.
    count_include_pad
        As in `avg_pool2d`.

    Returns
    -------
    ndarray (N, C, OL)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool1d
    >>> avg_pool1d(np.array([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    array([[[2., 1.]]])
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, None)
    return passes.avg_pool("avg_pool1d", 1, x, *window, *divisor, strict)


def avg_pool1d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """Spread each gradient evenly over its window, as `avg_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool1d_backward
    >>> avg_pool1d_backward(np.array([[[2.0, 4.0]]]), np.zeros((1, 1, 4)), 2)
    array([[[1., 1., 2., 2.]]])
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, None)
    return passes.avg_pool_backward("avg_pool1d_backward", 1, grad, x, *window, *divisor)


def lp_pool1d(
    x: np.ndarray,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray:
    """Take the Lp norm of every window, as `lp_pool2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool1d
    >>> lp_pool1d(np.array([[[3.0, 4.0, 0.0, 2.0]]]), 2, 2)
    array([[[5., 2.]]])
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool("lp_pool1d", 1, x, norm_type, *window, strict)


def lp_pool1d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
) -> np.ndarray:
    """Gradient of `lp_pool1d` with respect to its input, as `lp_pool2d_backward` gives it.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool1d_backward
    >>> lp_pool1d_backward(np.ones((1, 1, 2)), np.array([[[3.0, 4.0, 0.0, 2.0]]]), 2, 2)
    array([[[0.6, 0.8, 0. , 1. ]]])
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool_backward("lp_pool1d_backward", 1, grad, x, norm_type, *window)
