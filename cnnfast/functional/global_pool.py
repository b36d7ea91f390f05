"""Pooling over the whole image, channel by channel."""

from __future__ import annotations

import numpy as np

from cnnfast._ext import global_pool as _kernels
from cnnfast.functional._arguments import float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._memory import empty, empty_like, is_channels_last


def global_avg_pool2d(x: np.ndarray) -> np.ndarray:
    """Take the mean of every channel.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64

    Returns
    -------
    ndarray (N, C, 1, 1)

    Raises
    ------
    TypeError, ValueError
        For anything but such an array, or an empty image.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import global_avg_pool2d
    >>> global_avg_pool2d(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    x = _image("global_avg_pool2d", x)
    y = empty((*x.shape[:2], 1, 1), x.dtype)
    _kernels.average_pool(_dense(x), y, x.shape[2] * x.shape[3])
    return y


def global_avg_pool2d_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Spread each channel's gradient evenly over it.

    Parameters
    ----------
    grad : ndarray (N, C, 1, 1)
    x : ndarray (N, C, H, W)
        What the forward pass took; only its shape and memory order matter.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import global_avg_pool2d_backward
    >>> global_avg_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2))).ravel()
    array([0.25, 0.25, 0.25, 0.25])
    """
    x, grad = _global_gradient("global_avg_pool2d_backward", grad, x)
    gx = empty_like(x)
    gx[...] = grad / (x.shape[2] * x.shape[3])
    return gx


def global_max_pool2d(x: np.ndarray) -> np.ndarray:
    """Take the maximum of every channel.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64

    Returns
    -------
    ndarray (N, C, 1, 1)

    Raises
    ------
    TypeError, ValueError
        For anything but such an array, or an empty image.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import global_max_pool2d
    >>> global_max_pool2d(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([3., 7.])
    """
    x = _image("global_max_pool2d", x)
    y = empty((*x.shape[:2], 1, 1), x.dtype)
    _kernels.max_pool(_dense(x), y)
    return y


def global_max_pool2d_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Route each channel's gradient to its first maximum.

    Parameters
    ----------
    grad : ndarray (N, C, 1, 1)
    x : ndarray (N, C, H, W)
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import global_max_pool2d_backward
    >>> x = np.array([[[[1.0, 3.0], [3.0, 2.0]]]])
    >>> global_max_pool2d_backward(np.ones((1, 1, 1, 1)), x).ravel()
    array([0., 1., 0., 0.])
    """
    x, grad = _global_gradient("global_max_pool2d_backward", grad, x)
    gx = empty_like(x)
    _kernels.max_pool_backward(np.ascontiguousarray(grad), _dense(x), gx)
    return gx


def _image(function: str, x: np.ndarray) -> np.ndarray:
    x = float_array(function, "x", x, 4)
    nonempty(function, "x", x, 1)
    return x


def _dense(x: np.ndarray) -> np.ndarray:
    """`x` in one of the two memory orders, which is that of results."""
    return x if is_channels_last(x) else np.ascontiguousarray(x)


def _global_gradient(
    function: str, grad: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x = _image(function, x)
    grad = float_array(function, "grad", grad, 4)
    same_dtype(function, "x", x, grad=grad)
    same_shape(function, "grad", grad, (*x.shape[:2], 1, 1), "the output's shape")
    return x, grad
