"""Group and instance normalisation: each image on its own, by groups of channels or one by one."""

from __future__ import annotations

import operator
from collections.abc import Collection

import numpy as np

from cnnfast._ext import norm as _kernels
from cnnfast.functional._arguments import check_needs, matching_gradient
from cnnfast.functional._memory import empty, empty_image, in_order
from cnnfast.functional.norm._arguments import (
    Gradients,
    Vector,
    channel_vectors,
    checked_eps,
    checked_input,
    image,
)


def group_norm(
    x: np.ndarray,
    num_groups: int,
    weight: Vector = None,
    bias: Vector = None,
    eps: float = 1e-5,
) -> np.ndarray:
    r"""Normalise groups of neighbouring channels, image by image, then scale and shift channels.

    .. math:: y_{n,c} = \gamma_c \frac{x_{n,c} - \mu_{n,g}}{\sqrt{\sigma^2_{n,g} + \epsilon}}
              + \beta_c,

    with the mean and the biased variance of the group g that channel c belongs to.

    Parameters
    ----------
    x : ndarray (N, C), (N, C, L), (N, C, H, W) or (N, C, D, H, W), float32 or float64
        Any strides.
    num_groups : int
        Groups, all of C / num_groups channels.
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
    Y. Wu, K. He, "Group normalization", 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import group_norm
    >>> group_norm(np.array([[1.0, 5.0, 20.0, 40.0]]), 2, eps=0)
    array([[-1.,  1., -1.,  1.]])
    """
    return _normalized("group_norm", x, num_groups, weight, bias, eps)


def group_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    num_groups: int,
    weight: Vector = None,
    eps: float = 1e-5,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> Gradients:
    """Gradients of `group_norm`: those of `batch_norm_train`, with groups for channels.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, num_groups, weight, eps
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
        As `group_norm`, and for a gradient of another shape than that of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import group_norm_backward
    >>> x, grad = np.array([[1.0, 5.0]]), np.array([[2.0, 6.0]])
    >>> gx, gw, gb = group_norm_backward(grad, x, 1, eps=0)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[0.0, 0.0]], [-2.0, 6.0], [2.0, 6.0])
    """
    return _gradients("group_norm_backward", grad, x, num_groups, weight, eps, needs)


def instance_norm(
    x: np.ndarray, weight: Vector = None, bias: Vector = None, eps: float = 1e-5
) -> np.ndarray:
    """Normalise every channel of every image on its own, then scale and shift it.

    It is `group_norm` with groups of one channel.

    Parameters
    ----------
    x, weight, bias, eps
        As in `group_norm`.

    Returns
    -------
    ndarray
        In the shape and memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `group_norm`.

    References
    ----------
    D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization: the missing ingredient for fast
    stylization", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import instance_norm
    >>> instance_norm(np.array([[[1.0, 5.0], [20.0, 40.0]]]), eps=0)
    array([[[-1.,  1.],
            [-1.,  1.]]])
    """
    return _normalized("instance_norm", x, None, weight, bias, eps)


def instance_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: Vector = None,
    eps: float = 1e-5,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> Gradients:
    """Gradients of `instance_norm`.

    Parameters
    ----------
    grad : ndarray
        Gradient of the output, shape and dtype of `x`.
    x, weight, eps, needs
        As in `group_norm_backward`.

    Returns
    -------
    gx, gw, gb : ndarray or None
        As `group_norm_backward`.

    Raises
    ------
    TypeError, ValueError
        As `group_norm_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import instance_norm_backward
    >>> x, grad = np.array([[[1.0, 5.0]]]), np.array([[[2.0, 6.0]]])
    >>> gx, gw, gb = instance_norm_backward(grad, x, eps=0)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[[0.0, 0.0]]], [4.0], [8.0])
    """
    return _gradients("instance_norm_backward", grad, x, None, weight, eps, needs)


def instance_norm_moments(
    x: np.ndarray, weight: Vector, bias: Vector, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Do as `instance_norm` in training, and also return mean and biased variance, (N, C) each."""
    name = "instance_norm"
    x = checked_input(name, x)
    if x.size < 2 * x.shape[0] * x.shape[1]:
        raise ValueError(
            f"{name}: x must have at least 2 values a channel to take a variance of, "
            f"got shape {x.shape}"
        )
    mean, var = empty(x.shape[:2], x.dtype), empty(x.shape[:2], x.dtype)
    return _normalized(name, x, None, weight, bias, eps, mean, var), mean, var


def _normalized(
    function: str,
    x: np.ndarray,
    num_groups: int | None,
    weight: Vector,
    bias: Vector,
    eps: float,
    mean: Vector = None,
    var: Vector = None,
) -> np.ndarray:
    """Normalise by groups of channels, or channel by channel; mean and var receive the moments."""
    x, eps = checked_input(function, x), checked_eps(function, eps)
    group = _channels_of_a_group(function, x, num_groups)
    vectors = channel_vectors(function, x, weight=weight, bias=bias)
    images, channels_last = image(x)
    y = empty_image(images.shape, x.dtype, channels_last)
    _kernels.forward_moments(images, y, mean, var, *vectors, eps, False, group)
    return y.reshape(x.shape)


def _gradients(
    function: str,
    grad: np.ndarray,
    x: np.ndarray,
    num_groups: int | None,
    weight: Vector,
    eps: float,
    needs: Collection[str],
) -> Gradients:
    x, eps = checked_input(function, x), checked_eps(function, eps)
    grad, x = matching_gradient(function, grad, "x", x)
    group = _channels_of_a_group(function, x, num_groups)
    (weight,) = channel_vectors(function, x, weight=weight)
    check_needs(function, needs)
    images, channels_last = image(x)
    gx = empty_image(images.shape, x.dtype, channels_last) if "x" in needs else None
    gw = empty(x.shape[1:2], x.dtype) if "weight" in needs else None
    gb = empty(x.shape[1:2], x.dtype) if "bias" in needs else None
    grad = in_order(grad.reshape(images.shape), channels_last)
    _kernels.backward(grad, images, gx, gw, gb, None, None, weight, eps, False, False, group)
    return None if gx is None else gx.reshape(x.shape), gw, gb


def _channels_of_a_group(function: str, x: np.ndarray, num_groups: int | None) -> int:
    if num_groups is None:
        return 1
    try:
        groups = operator.index(num_groups)
    except TypeError:
        raise TypeError(f"{function}: num_groups must be an integer, got {num_groups!r}") from None
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(
            f"{function}: num_groups must divide the {x.shape[1]} channels of x, got {num_groups}"
        )
    return x.shape[1] // groups
