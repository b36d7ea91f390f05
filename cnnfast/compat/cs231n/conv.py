"""Convolution by the course's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from cnnfast.compat.cs231n._arguments import promoted, settings
from cnnfast.functional.conv import conv2d, conv2d_backward

__all__ = [
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
]


def conv_forward_fast(
    x: ArrayLike, w: ArrayLike, b: ArrayLike, conv_param: Mapping[str, int]
) -> tuple[np.ndarray, tuple]:
    """Convolve images with filters.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (F, C, HH, WW)
    b : array (F,)
    conv_param : dict
        ``"stride"`` and ``"pad"``.

    Returns
    -------
    out : ndarray (N, F, H', W')
        ``H' = (H + 2 * pad - HH) // stride + 1``.
    cache : tuple
        For `conv_backward_fast`; laid out as the naive layer's, ``(x, w, b, conv_param)``.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import conv_forward_fast
    >>> x, w, b = np.ones((1, 3, 4, 4)), np.ones((2, 3, 3, 3)), np.array([0, 100])
    >>> out, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 1})
    >>> out.shape, out[0, :, 0, 0]
    ((1, 2, 4, 4), array([ 12., 112.]))
    """
    return _conv_forward("conv_forward_fast", x, w, b, conv_param, strict=False)


def conv_forward_im2col(
    x: ArrayLike, w: ArrayLike, b: ArrayLike, conv_param: Mapping[str, int]
) -> tuple[np.ndarray, tuple]:
    """`conv_forward_fast` for sizes that fit: ValueError where the last window would not.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import conv_forward_im2col
    >>> x, w, b = np.ones((1, 3, 7, 7)), np.ones((2, 3, 3, 3)), np.zeros(2)
    >>> conv_forward_im2col(x, w, b, {"stride": 2, "pad": 0})[0].shape
    (1, 2, 3, 3)
    """
    return _conv_forward("conv_forward_im2col", x, w, b, conv_param, strict=True)


def _conv_forward(
    function: str,
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike,
    conv_param: Mapping[str, int],
    *,
    strict: bool,
) -> tuple[np.ndarray, tuple]:
    stride, pad = settings(function, "conv_param", conv_param, "stride", "pad")
    x, w, b = promoted(function, x=x, w=w, b=b)
    b = b.reshape(-1)  # the course's code takes (F, 1) as well
    out = conv2d(x, w, b, stride, pad, strict=strict, memory_format="contiguous")
    return out, (x, w, b, conv_param)


def conv_backward_fast(dout: ArrayLike, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of a convolution.

    Parameters
    ----------
    dout : array (N, F, H', W')
        Gradient of the loss with respect to the convolution's output.
    cache : tuple
        From `conv_forward_fast` (or from the course's naive layer).

    Returns
    -------
    dx : ndarray (N, C, H, W)
    dw : ndarray (F, C, HH, WW)
    db : ndarray (F,)

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import conv_backward_fast, conv_forward_fast
    >>> x, w, b = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.zeros(1)
    >>> out, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    >>> dx, dw, db = conv_backward_fast(np.ones_like(out), cache)
    >>> dx[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> dw.ravel(), db
    (array([4., 4., 4., 4.]), array([4.]))
    """
    x, w, _, conv_param = cache
    stride, pad = settings("conv_backward_fast", "conv_param", conv_param, "stride", "pad")
    dout, x, w = promoted("conv_backward_fast", dout=dout, x=x, w=w)
    # Not one is None: that is only for gradients not asked for.
    return cast(
        "tuple[np.ndarray, np.ndarray, np.ndarray]", conv2d_backward(dout, x, w, stride, pad)
    )


conv_forward_strides = conv_forward_fast
conv_backward_strides = conv_backward_fast
conv_backward_im2col = conv_backward_fast
