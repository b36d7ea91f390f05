"""Max pooling over windows."""

from __future__ import annotations

import math
import operator
from typing import Literal, overload

import numpy as np

from cnnfast.functional._arguments import (
    AXES,
    empty_image,
    float_array,
    is_channels_last,
    same_shape,
)
from cnnfast.functional._pool import dimensions, maxima, passes
from cnnfast.functional._pool.arguments import matching_grad
from cnnfast.functional._window import Padding, Pair


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


def route_by_index(
    function: str,
    grad: np.ndarray,
    indices: np.ndarray,
    input_shape: tuple[int, ...],
    channels_last: bool | None = None,
    count: int = 2,
) -> np.ndarray:
    """Add each gradient to the element of its plane (of `count` axes) that its index names.

    The result is in the memory order of `grad` unless another is given.
    """
    grad = float_array(function, "grad", grad, count + 2)
    check_indices(function, indices, grad.shape, "that of grad")
    input_shape = _input_shape(function, input_shape, grad)
    if grad.size and 0 in input_shape:
        raise ValueError(f"{function}: input_shape {input_shape} has no elements to route to")
    channels_last = is_channels_last(grad) if channels_last is None else channels_last
    gx = empty_image(input_shape, grad.dtype, channels_last)
    arrays = [dimensions.as_images(array) for array in (grad, indices, gx)]
    outside = maxima.scatter(*arrays)
    if outside:
        raise ValueError(
            f"{function}: {outside} of the indices lie outside "
            f"0..{math.prod(input_shape[2:]) - 1}, the plane of input_shape {input_shape}"
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
) -> tuple[np.ndarray, maxima.Route]:
    """Max pooling, and what takes a gradient back: `gx = route(grad)`."""
    window = (kernel_size, stride, padding, dilation, ceil_mode)
    return passes.max_pool_routed("max_pool2d", 2, x, *window, strict)


def index_route(function: str, indices: np.ndarray, x: np.ndarray) -> maxima.Route:
    """Return what takes a gradient back to `x` by the indices of its pooling."""
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)

    def route(grad: np.ndarray) -> np.ndarray:
        grad = matching_grad(function, grad, indices.shape, dtype)
        return route_by_index(function, grad, indices, shape, channels_last, len(shape) - 2)

    return route


def _input_shape(function: str, input_shape: tuple[int, ...], grad: np.ndarray) -> tuple[int, ...]:
    count = {3: "three", 4: "four", 5: "five"}[grad.ndim]
    try:
        shape = tuple(operator.index(n) for n in input_shape)
    except TypeError:
        raise TypeError(
            f"{function}: input_shape must be {count} ints {AXES[grad.ndim]}, got {input_shape!r}"
        ) from None
    if len(shape) != grad.ndim or min(shape) < 0:
        raise ValueError(f"{function}: input_shape must be {count} sizes, got {input_shape!r}")
    if shape[:2] != grad.shape[:2]:
        raise ValueError(
            f"{function}: input_shape {shape} and grad {grad.shape} differ in batch or channels"
        )
    return shape
