"""Max pooling by the course's names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from cnnfast.compat.cs231n._arguments import promoted, settings
from cnnfast.functional.max_pool import max_pool2d_routed

__all__ = [
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_backward_reshape",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
    "max_pool_forward_reshape",
]


def max_pool_forward_fast(x: ArrayLike, pool_param: Mapping[str, int]) -> tuple[np.ndarray, tuple]:
    """Take the maximum of every window.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        ``"pool_height"``, ``"pool_width"`` and ``"stride"``.

    Returns
    -------
    out : ndarray (N, C, H', W')
        ``H' = (H - pool_height) // stride + 1``.
    cache : tuple
        For `max_pool_backward_fast`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import max_pool_forward_fast
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> out, cache = max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    >>> out[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _max_pool_forward("max_pool_forward_fast", x, pool_param, strict=False)


def max_pool_forward_im2col(
    x: ArrayLike, pool_param: Mapping[str, int]
) -> tuple[np.ndarray, tuple]:
    """`max_pool_forward_fast` for sizes that fit: ValueError where the last window would not.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import max_pool_forward_im2col
    >>> pool_param = {"pool_height": 3, "pool_width": 3, "stride": 2}
    >>> max_pool_forward_im2col(np.zeros((2, 3, 7, 7)), pool_param)[0].shape
    (2, 3, 3, 3)
    """
    return _max_pool_forward("max_pool_forward_im2col", x, pool_param, strict=True)


def _max_pool_forward(
    function: str, x: ArrayLike, pool_param: Mapping[str, int], *, strict: bool
) -> tuple[np.ndarray, tuple]:
    height, width, stride = settings(
        function, "pool_param", pool_param, "pool_height", "pool_width", "stride"
    )
    (x,) = promoted(function, x=x)
    out, route = max_pool2d_routed(x, (height, width), stride, 0, 1, False, strict)
    return out, (route, out.dtype)


def max_pool_backward_fast(dout: ArrayLike, cache: tuple) -> np.ndarray:
    """Route each gradient to the first maximum of its window.

    The course's reshape pooling divides it among all maxima of the window instead.

    Parameters
    ----------
    dout : array (N, C, H', W')
        Gradient of the loss with respect to the pooling's output.
    cache : tuple
        From `max_pool_forward_fast`.

    Returns
    -------
    ndarray (N, C, H, W)
        In the dtype of what was pooled.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import max_pool_backward_fast, max_pool_forward_fast
    >>> x = np.array([[[[1.0, 2.0], [4.0, 4.0]]]])
    >>> out, cache = max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    >>> max_pool_backward_fast(np.array([[[[10.0]]]]), cache)[0, 0]
    array([[ 0.,  0.],
           [10.,  0.]])
    """
    route, dtype = cache
    (dout,) = promoted("max_pool_backward_fast", dout=dout)
    return route(dout.astype(dtype, copy=False))


max_pool_forward_reshape = max_pool_forward_im2col
max_pool_backward_reshape = max_pool_backward_im2col = max_pool_backward_fast
