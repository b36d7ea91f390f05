"""Pooling by the L2 norm of windows (any Lp)."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, Pair


def lp_pool2d(
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
    *,
    strict: bool = False,
) -> np.ndarray:
    r"""Take the Lp norm of every window: the notes' L2-norm pooling with ``norm_type=2``.

    .. math:: y = \Big(\sum_{\text{window}} |x|^p\Big)^{1/p}

    Parameters
    ----------
    x, kernel_size, stride, ceil_mode, strict
        As in `max_pool2d`.
    norm_type : float
        p, greater than 0.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Notes
    -----
    For an odd p torch sums the powers of x with their signs, which is no norm; this and ONNX take
    absolute values. They agree for even p and for x >= 0, save that with ``ceil_mode=True`` torch
    scales a last window that runs past the end up to a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d
    >>> lp_pool2d(np.array([[[[3.0, 0.0], [0.0, -4.0]]]]), 2, 2)
    array([[[[5.]]]])
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool("lp_pool2d", 2, x, norm_type, *window, strict)


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
) -> np.ndarray:
    r"""Gradient of `lp_pool2d` with respect to its input.

    .. math:: \bar x = \mathrm{sign}(x) \sum_{\text{windows}} \bar y\, (|x| / y)^{p-1}

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `lp_pool2d`.
    x, norm_type, kernel_size, stride, ceil_mode
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`; 0 in a window of zeros, where the norm has no derivative.

    Raises
    ------
    TypeError, ValueError
        As `lp_pool2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import lp_pool2d_backward
    >>> x = np.array([[[[3.0, 0.0], [0.0, -4.0]]]])
    >>> lp_pool2d_backward(np.ones((1, 1, 1, 1)), x, 2, 2)[0, 0]
    array([[ 0.6,  0. ],
           [ 0. , -0.8]])
    """
    window = (kernel_size, stride, ceil_mode)
    return passes.lp_pool_backward("lp_pool2d_backward", 2, grad, x, norm_type, *window)


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
