"""Pooling over windows of volumes."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, Sides
from cnnfast.functional.max_pool import route_by_index


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
    """Take the maximum of every window, channel by channel.

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
    """Route each gradient to the element that won its window.

    Parameters
    ----------
    grad : ndarray (N, C, OD, OH, OW), float32 or float64
        Gradient of the loss with respect to the output of `max_pool3d`.
    indices : ndarray of int64
        As ``return_indices=True`` gives them.
    input_shape : tuple
        Shape (N, C, D, H, W) of what was pooled.

    Returns
    -------
    ndarray (N, C, D, H, W)
        In the memory order of `grad`; an element that won several windows gets their sum.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit together, or an index outside the flat D*H*W volume.

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


def avg_pool3d(
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
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
        As in `max_pool3d`.
    count_include_pad, divisor_override
        As in `avg_pool2d`.

    Returns
    -------
    ndarray (N, C, OD, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool3d
    >>> avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2).item()
    3.5
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, divisor_override)
    return passes.avg_pool("avg_pool3d", 3, x, *window, *divisor, strict)


def avg_pool3d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Spread each gradient evenly over its window, as `avg_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool3d_backward
    >>> avg_pool3d_backward(np.ones((1, 1, 1, 1, 1)), np.zeros((1, 1, 1, 2, 2)), (1, 2, 2))[0, 0]
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, divisor_override)
    return passes.avg_pool_backward("avg_pool3d_backward", 3, grad, x, *window, *divisor)


def lp_pool3d(
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
    >>> from cnnfast.functional import lp_pool3d
    >>> lp_pool3d(np.ones((1, 1, 2, 4, 2)), 2, (2, 4, 2)).item()
    4.0
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool("lp_pool3d", 3, x, norm_type, *window, strict)


def lp_pool3d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
) -> np.ndarray:
    """Gradient of `lp_pool3d` with respect to its input, as `lp_pool2d_backward` gives it.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool3d_backward
    >>> x = np.array([3.0, 4.0]).reshape(1, 1, 2, 1, 1)
    >>> lp_pool3d_backward(np.ones((1, 1, 1, 1, 1)), x, 2, (2, 1, 1)).ravel()
    array([0.6, 0.8])
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool_backward("lp_pool3d_backward", 3, grad, x, norm_type, *window)
