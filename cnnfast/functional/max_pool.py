"""Max pooling over windows of images, sequences and volumes."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from cnnfast.functional._pool import maxima, passes
from cnnfast.functional._pool.indices import route_by_index
from cnnfast.functional._window import Numbers, Padding, Pair, Sides


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
    window = (kernel_size, stride, padding, dilation, ceil_mode)
    return passes.max_pool("max_pool2d", 2, x, *window, return_indices, strict)


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


def max_pool2d_routed(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool,
    strict: bool,
) -> tuple[np.ndarray, maxima.Route]:
    """Max pooling, and what takes a gradient back: `gx = route(grad)`."""
    window = (kernel_size, stride, padding, dilation, ceil_mode)
    return passes.max_pool_routed("max_pool2d", 2, x, *window, strict)


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
    """Take the maximum of every window, as `max_pool2d` does.

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
    """Route each gradient to the element that won its window, as `max_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool1d_backward
    >>> max_pool1d_backward(np.array([[[10.0, 20.0]]]), np.array([[[1, 2]]]), (1, 1, 4))
    array([[[ 0., 10., 20.,  0.]]])
    """
    return route_by_index("max_pool1d_backward", grad, indices, input_shape, count=1)


@overload
def max_pool3d(
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
def max_pool3d(
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
def max_pool3d(
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
    """Take the maximum of every window, as `max_pool2d` does.

    Parameters
    ----------
    x : ndarray (N, C, D, H, W), float32 or float64
        Any strides.
    kernel_size, stride, dilation : int or three ints
        The stride is the window's size unless given.
    padding : int, three ints, three pairs of sides, "same" or "valid"
        Never wins; at most half a window.
    ceil_mode, return_indices, strict
        As in `max_pool2d`.

    Returns
    -------
    y : ndarray (N, C, OD, OH, OW)
        In the memory order of `x`.
    indices : ndarray (N, C, OD, OH, OW) of int64
        Positions in the flat D*H*W volume; only with ``return_indices=True``.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool3d
    >>> y, indices = max_pool3d(np.arange(27.0).reshape(1, 1, 3, 3, 3), 2, return_indices=True)
    >>> y.item(), indices.item()
    (13.0, 13)
    """
    window = (kernel_size, stride, padding, dilation, ceil_mode)
    return passes.max_pool("max_pool3d", 3, x, *window, return_indices, strict)


def max_pool3d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, ...]
) -> np.ndarray:
    """Route each gradient to the element that won its window, as `max_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool3d_backward
    >>> one = np.ones((1, 1, 1, 1, 1), int)
    >>> max_pool3d_backward(10.0 * one, 3 * one, (1, 1, 1, 2, 2))[0, 0, 0]
    array([[ 0.,  0.],
           [ 0., 10.]])
    """
    return route_by_index("max_pool3d_backward", grad, indices, input_shape, count=3)
