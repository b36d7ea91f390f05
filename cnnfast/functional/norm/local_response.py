"""Local response normalisation: every element against its neighbours in other channels."""

from __future__ import annotations

import operator

import numpy as np

from cnnfast._ext import lrn as _kernels
from cnnfast.functional._arguments import matching_gradient, number
from cnnfast.functional._memory import empty_image, in_order
from cnnfast.functional._window import LARGEST
from cnnfast.functional.norm._arguments import checked_input, image


def local_response_norm(
    x: np.ndarray, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> np.ndarray:
    r"""Divide every element by a power of the mean square of its neighbours in other channels.

    .. math:: y_c = x_c \Big(k + \frac{\alpha}{n} \sum_{c' = c - \lfloor n/2 \rfloor}
              ^{c + \lfloor (n-1)/2 \rfloor} x_{c'}^2\Big)^{-\beta}

    with n = `size`; there are zeros beyond the first and the last channel.

    Parameters
    ----------
    x : ndarray (N, C, L) or (N, C, H, W), float32 or float64
        Any strides.
    size : int
        Channels of a window.
    alpha, beta : float
        Factor and exponent, 0 or more.
    k : float
        Greater than 0.

    Returns
    -------
    ndarray
        In the shape and memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or out of range.

    Notes
    -----
    AlexNet's paper does not divide alpha by n; its k = 2, n = 5, alpha = 1e-4 are ``alpha=5e-4``
    here, as in torch.

    References
    ----------
    A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional
    neural networks", 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import local_response_norm
    >>> x = np.array([1.0, 2.0, 2.0]).reshape(1, 3, 1)
    >>> local_response_norm(x, 3, alpha=3.0, beta=1.0).ravel().round(6).tolist()
    [0.166667, 0.2, 0.222222]
    """
    name = "local_response_norm"
    x = checked_input(name, x, (3, 4))
    size, alpha, beta, k = checked_settings(name, size, alpha, beta, k)
    images, channels_last = image(x)
    y = empty_image(images.shape, x.dtype, channels_last)
    _kernels.forward(images, y, size, alpha / size, beta, k)
    return y.reshape(x.shape)


def local_response_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> np.ndarray:
    r"""Gradient of `local_response_norm`.

    With :math:`d_c` what is raised to the power :math:`-\beta`,

    .. math:: \bar x_c = \bar y_c\, d_c^{-\beta} - \frac{2 \alpha \beta}{n}\, x_c
              \sum_{c'} \bar y_{c'} x_{c'} d_{c'}^{-\beta - 1},

    over the channels in whose windows c lies.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, size, alpha, beta, k
        What the forward pass took.

    Returns
    -------
    ndarray
        In the shape and memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `local_response_norm`, and for a gradient of another shape than that of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import local_response_norm_backward
    >>> x = np.ones((1, 1, 1))
    >>> local_response_norm_backward(x, x, 1, alpha=1.0, beta=1.0).round(6).tolist()
    [[[0.0]]]
    """
    name = "local_response_norm_backward"
    x = checked_input(name, x, (3, 4))
    size, alpha, beta, k = checked_settings(name, size, alpha, beta, k)
    grad, x = matching_gradient(name, grad, "x", x)
    images, channels_last = image(x)
    gx = empty_image(images.shape, x.dtype, channels_last)
    grad = in_order(grad.reshape(images.shape), channels_last)
    _kernels.backward(grad, images, gx, size, alpha / size, beta, k)
    return gx.reshape(x.shape)


def checked_settings(
    function: str, size: int, alpha: float, beta: float, k: float
) -> tuple[int, float, float, float]:
    """Check a window's number of channels, factor, exponent and constant."""
    try:
        channels = operator.index(size)
    except TypeError:
        raise TypeError(f"{function}: size must be an integer, got {size!r}") from None
    if not 1 <= channels <= LARGEST:
        raise ValueError(f"{function}: size must lie in 1..{LARGEST}, got {size}")
    alpha, beta = number(function, "alpha", alpha, 0), number(function, "beta", beta, 0)
    k = number(function, "k", k)
    if k <= 0:
        raise ValueError(f"{function}: k must be greater than 0, got {k:g}")
    return channels, alpha, beta, k
