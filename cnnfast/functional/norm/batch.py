"""Batch normalisation: every channel to mean 0 and variance 1 over the batch."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from cnnfast._ext import norm as _kernels
from cnnfast.functional._arguments import (
    ceiling,
    check_needs,
    float_array,
    matching_gradient,
    same_dtype,
    same_shape,
)
from cnnfast.functional._elementwise import rectify
from cnnfast.functional._memory import empty, empty_image, in_order
from cnnfast.functional.activation.relu import relu_backward
from cnnfast.functional.combine import add
from cnnfast.functional.norm._arguments import (
    Gradients,
    Vector,
    channel_vectors,
    checked_eps,
    checked_input,
    image,
)


def batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> np.ndarray:
    r"""Normalise every channel with a given mean and variance, then scale and shift it.

    .. math:: y_c = \gamma_c \frac{x_c - \mu_c}{\sqrt{\sigma^2_c + \epsilon}} + \beta_c

    This is inference, with the running statistics; `batch_norm_train` takes those of the batch.

    Parameters
    ----------
    x : ndarray (N, C), (N, C, L), (N, C, H, W) or (N, C, D, H, W), float32 or float64
        Any strides.
    mean, var : ndarray (C,)
        What to normalise with.
    weight, bias : ndarray (C,), optional
        Scale and shift; 1 and 0 unless given.
    eps : float
        Keeps the root away from 0.

    Returns
    -------
    ndarray
        In the shape and memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or shapes that do not fit together.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm
    >>> batch_norm(np.array([[1.0, 20.0]]), np.array([3.0, 10.0]), np.array([4.0, 100.0]), eps=0)
    array([[-1.,  1.]])
    """
    name = "batch_norm"
    x, eps = checked_input(name, x), checked_eps(name, eps)
    vectors = channel_vectors(name, x, mean=mean, var=var, weight=weight, bias=bias)
    images, channels_last = image(x)
    y = empty_image(images.shape, x.dtype, channels_last)
    _kernels.forward(images, y, *vectors, eps)
    return y.reshape(x.shape)


def batch_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: np.ndarray | None = None,
    eps: float = 1e-5,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> Gradients:
    r"""Gradients of `batch_norm`, whose mean and variance are constants.

    .. math:: \bar x_c = \frac{\gamma_c\, \bar y_c}{\sqrt{\sigma^2_c + \epsilon}}, \qquad
              \bar\gamma_c = \sum \bar y_c\, \hat x_c, \qquad \bar\beta_c = \sum \bar y_c,

    where :math:`\hat x` is what `weight` scales, and the sums go over the channel.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, mean, var, weight, eps
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray or None
        In the shape and memory order of `x`.
    gw, gb : ndarray (C,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`, and for a gradient of another shape than that of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm_backward
    >>> x, mean, var = np.array([[1.0], [5.0]]), np.array([3.0]), np.array([4.0])
    >>> gx, gw, gb = batch_norm_backward(np.array([[2.0], [6.0]]), x, mean, var, eps=0)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[1.0], [3.0]], [4.0], [8.0])
    """
    return _backward("batch_norm_backward", grad, x, mean, var, weight, eps, needs, True)


def batch_norm_train(
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
    *,
    residual: np.ndarray | None = None,
    relu: bool | float = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise every channel with its mean and variance in this batch, then scale and shift it.

    The formula is that of `batch_norm`; mean and variance are sums over all axes but the
    channels', over the number of elements.

    Parameters
    ----------
    x, weight, bias, eps
        As in `batch_norm`; at least two values a channel.
    residual : ndarray, optional
        Added to y, as a residual block does with its shortcut: shape and dtype of `x`.
    relu : bool or float
        Rectify the sum: max(0, y + residual); with a number, to at most that. Of
        channels-last images both come with the same pass over memory.

    Returns
    -------
    y : ndarray
        In the shape and memory order of `x`.
    mean, var : ndarray (C,)
        Mean and biased variance. Running statistics take n / (n - 1) times that variance, where
        n = x.size / C.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that do not fit together, or too few values.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm_train
    >>> y, mean, var = batch_norm_train(np.array([[1.0], [5.0]]), eps=0)
    >>> y.tolist(), mean.tolist(), var.tolist()
    ([[-1.0], [1.0]], [3.0], [4.0])
    """
    name = "batch_norm_train"
    x, eps = checked_input(name, x), checked_eps(name, eps)
    vectors = channel_vectors(name, x, weight=weight, bias=bias)
    channels = x.shape[1]
    if x.size < 2 * channels:
        raise ValueError(
            f"{name}: x must have at least 2 values a channel to take a variance of, "
            f"got shape {x.shape}"
        )
    images, channels_last = image(x)
    y = empty_image(images.shape, x.dtype, channels_last)
    mean, var = empty((channels,), x.dtype), empty((channels,), x.dtype)
    if residual is not None:
        residual = float_array(name, "residual", residual)
        same_dtype(name, "x", x, residual=residual)
        same_shape(name, "residual", residual, x.shape, "the shape of x")
        residual = in_order(residual.reshape(images.shape), channels_last)
    most = ceiling(name, relu)
    fused = (residual, most) if channels_last else ()
    _kernels.forward_moments(images, y, mean, var, *vectors, eps, True, 1, *fused)
    if not fused:
        y = y if residual is None else add(y, residual)
        rectify(y, most)
    return y.reshape(x.shape), mean, var


def batch_norm_train_backward(
    grad: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: np.ndarray | None = None,
    eps: float = 1e-5,
    needs: Collection[str] = ("x", "weight", "bias"),
    *,
    bias: np.ndarray | None = None,
    relu: bool | float = False,
) -> Gradients:
    r"""Gradients of `batch_norm_train`, whose mean and variance depend on `x`.

    .. math:: \bar x_c = \frac{\gamma_c}{\sqrt{\sigma^2_c + \epsilon}} \Big(\bar y_c
              - \frac{\bar\beta_c + \hat x_c\, \bar\gamma_c}{n}\Big),

    with n values a channel; the others are those of `batch_norm_backward`.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, weight, eps
        What the forward pass took.
    mean, var : ndarray (C,)
        What it returned.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.
    bias : ndarray (C,), optional
        What the forward pass took; it matters only with `relu`.
    relu : bool or float
        How the forward pass rectified, with no residual: `grad` then counts where y was cut off at
        neither end, which is found anew from `x`. With a residual pass ``relu_backward(grad, y)``,
        which is the residual's gradient too.

    Returns
    -------
    gx : ndarray or None
        In the shape and memory order of `x`.
    gw, gb : ndarray (C,) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `batch_norm_train`, and for a gradient of another shape than that of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import batch_norm_train_backward
    >>> x, mean, var = np.array([[1.0], [5.0]]), np.array([3.0]), np.array([4.0])
    >>> gx, gw, gb = batch_norm_train_backward(np.array([[2.0], [6.0]]), x, mean, var, eps=0)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[0.0], [0.0]], [4.0], [8.0])
    """
    name = "batch_norm_train_backward"
    most = ceiling(name, relu)
    return _backward(name, grad, x, mean, var, weight, eps, needs, False, bias, most)


def _backward(
    function: str,
    grad: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: Vector,
    eps: float,
    needs: Collection[str],
    constant: bool,
    bias: Vector = None,
    most: float = 0,
) -> Gradients:
    x, eps = checked_input(function, x), checked_eps(function, eps)
    grad, x = matching_gradient(function, grad, "x", x)
    vectors = channel_vectors(function, x, mean=mean, var=var, weight=weight, bias=bias)
    check_needs(function, needs)
    images, channels_last = image(x)
    if most and not channels_last:
        y = empty_image(images.shape, x.dtype, channels_last)
        _kernels.forward(images, y, *vectors, eps)
        y = y.reshape(x.shape)
        grad = relu_backward(grad, y)
        grad, most = np.where(most <= y, 0, grad) if most < math.inf else grad, 0
    gx = empty_image(images.shape, x.dtype, channels_last) if "x" in needs else None
    gw = empty(x.shape[1:2], x.dtype) if "weight" in needs else None
    gb = empty(x.shape[1:2], x.dtype) if "bias" in needs else None
    grad = in_order(grad.reshape(images.shape), channels_last)
    *vectors, bias = vectors
    _kernels.backward(grad, images, gx, gw, gb, *vectors, eps, constant, True, 1, bias, most)
    return None if gx is None else gx.reshape(x.shape), gw, gb
