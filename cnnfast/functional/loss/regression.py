"""Losses that compare numbers with their targets."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import number
from cnnfast.functional._memory import empty_like
from cnnfast.functional.loss._arguments import check_reduction, matching_target, reduced


def mse_loss(
    x: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[float, np.ndarray]:
    """Mean squared error, (x - target)^2 over all elements, and its gradient.

    Parameters
    ----------
    x, target : numpy.ndarray
        Any shape, but the same, float32 or float64.
    reduction : str
        "mean" or "sum".

    Returns
    -------
    loss : float
        The mean over no element is NaN, as in torch.
    gradient : numpy.ndarray
        Of `x`: its shape, dtype and memory order.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that differ, or an unknown reduction.

    Examples
    --------
    >>> loss, gradient = mse_loss(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> loss, gradient.tolist()
    (2.0, [0.0, 2.0])
    """
    difference = _difference("mse_loss", x, target, reduction)
    with np.errstate(over="ignore"):
        loss = reduced(np.square(difference).sum(dtype=np.float64), difference.size, reduction)
        difference *= 2
    return loss, _scaled(difference, reduction)


def l1_loss(x: np.ndarray, target: np.ndarray, reduction: str = "mean") -> tuple[float, np.ndarray]:
    """Mean absolute error, abs(x - target) over all elements, and its gradient.

    Parameters
    ----------
    x, target, reduction
        As in `mse_loss`.

    Returns
    -------
    loss : float
        The mean over no element is NaN, as in torch.
    gradient : numpy.ndarray
        Of `x`; 0 where the two are equal.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that differ, or an unknown reduction.

    Examples
    --------
    >>> loss, gradient = l1_loss(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> loss, gradient.tolist()
    (1.0, [0.0, 0.5])
    """
    difference = _difference("l1_loss", x, target, reduction)
    loss = reduced(np.abs(difference).sum(dtype=np.float64), difference.size, reduction)
    return loss, _scaled(np.sign(difference, out=difference), reduction)


def smooth_l1_loss(
    x: np.ndarray, target: np.ndarray, reduction: str = "mean", beta: float = 1.0
) -> tuple[float, np.ndarray]:
    """Absolute error that is squared near 0, over all elements, and its gradient.

    With d = abs(x - target) an element's loss is d^2 / (2 beta) where d < beta, and d - beta / 2
    elsewhere.

    Parameters
    ----------
    x, target, reduction
        As in `mse_loss`.
    beta : float
        Where the two parts meet; 0 gives `l1_loss`.

    Returns
    -------
    loss : float
        The mean over no element is NaN, as in torch.
    gradient : numpy.ndarray
        Of `x`: its shape, dtype and memory order.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that differ, an unknown reduction, or a negative
        `beta`.

    References
    ----------
    R. Girshick, "Fast R-CNN", 2015.

    Examples
    --------
    >>> loss, gradient = smooth_l1_loss(np.array([1.5, 4.0]), np.array([1.0, 2.0]), "sum")
    >>> loss, gradient.tolist()
    (1.625, [0.5, 1.0])
    """
    beta = number("smooth_l1_loss", "beta", beta)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must be at least 0, got {beta!r}")
    if beta == 0:
        return l1_loss(x, target, reduction)
    difference = _difference("smooth_l1_loss", x, target, reduction)
    distance = np.abs(difference)
    near = np.minimum(distance, beta)
    distance -= near / 2
    distance *= near / beta
    loss = reduced(distance.sum(dtype=np.float64), difference.size, reduction)
    difference /= beta
    return loss, _scaled(np.clip(difference, -1, 1, out=difference), reduction)


def _difference(function: str, x: np.ndarray, target: np.ndarray, reduction: str) -> np.ndarray:
    """Check the arguments, and subtract."""
    x, target = matching_target(function, x, target)
    check_reduction(function, reduction)
    with np.errstate(invalid="ignore", over="ignore"):  # the loss says it: NaN or infinity
        return np.subtract(x, target, out=empty_like(x))


def _scaled(gradient: np.ndarray, reduction: str) -> np.ndarray:
    if reduction == "mean":
        gradient /= max(gradient.size, 1)
    return gradient
