"""Average pooling over windows of images, sequences and volumes."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, Padding, Pair, Sides


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
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
        As in `max_pool2d`.
    count_include_pad : bool
        Divide by all of a window, its part in the padding included; else by its part in `x`.
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, divisor_override)
    return passes.avg_pool("avg_pool2d", 2, x, *window, *divisor, strict)


def avg_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Spread each gradient evenly over its window.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `avg_pool2d`.
    x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import avg_pool2d_backward
    >>> avg_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2)), 2)[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    window = (kernel_size, stride, padding, ceil_mode)
    divisor = (count_include_pad, divisor_override)
    return passes.avg_pool_backward("avg_pool2d_backward", 2, grad, x, *window, *divisor)


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
    """Take the mean of every window, as `avg_pool2d` does.

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
    """Take the mean of every window, as `avg_pool2d` does.

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
