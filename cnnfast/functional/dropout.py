"""Dropout, forward and backward."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from cnnfast.functional._arguments import float_array, number, same_shape
from cnnfast.functional._memory import empty_like


@overload
def dropout(
    x: np.ndarray,
    p: float = ...,
    training: bool = ...,
    *,
    rng: np.random.Generator | None = ...,
    return_mask: Literal[False] = ...,
) -> np.ndarray: ...
@overload
def dropout(
    x: np.ndarray,
    p: float = ...,
    training: bool = ...,
    *,
    rng: np.random.Generator | None = ...,
    return_mask: Literal[True],
) -> tuple[np.ndarray, np.ndarray | None]: ...
def dropout(
    x: np.ndarray,
    p: float = 0.5,
    training: bool = True,
    *,
    rng: np.random.Generator | None = None,
    return_mask: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray | None]:
    """Set each element to 0 with probability p and divide the others by 1 - p ("inverted").

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    p : float
        Probability of being dropped, 0 to 1.
    training : bool
        Whether to drop at all. If not, `x` itself is returned.
    rng : numpy.random.Generator, optional
        Where the choice comes from; None makes a fresh one. Elements are drawn in memory order,
        so that a C-contiguous and a channels-last `x` lose different ones.
    return_mask : bool
        Return what `dropout_backward` needs as well.

    Returns
    -------
    y : numpy.ndarray
        The shape, dtype and memory order of `x`. NaN stays NaN.
    mask : numpy.ndarray or None
        Only with `return_mask`: True where an element was kept, in the order of `x`; None
        without training.

    Raises
    ------
    TypeError
        `x` is not a float32 or float64 array, or `p` not a number.
    ValueError
        `p` lies outside 0..1.

    References
    ----------
    N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    2014; CS231n notes, "Neural networks part 2".

    Examples
    --------
    >>> y, mask = dropout(np.ones(1000), 0.75, return_mask=True)
    >>> np.array_equal(y, np.where(mask, 4.0, 0.0))
    True
    """
    x = float_array("dropout", "x", x)
    p = number("dropout", "p", p, 0, 1)
    y, mask = x, None
    if training:
        mask = empty_like(x, np.dtype(bool))
        draws = np.random.default_rng(rng).random(x.size, dtype=np.float32)
        # What empty_like makes is dense in some order of its axes, so this ravel is a view.
        np.greater_equal(draws, p, out=mask.ravel("K"))
        y = _keep(x, mask, p)
    return (y, mask) if return_mask else y


def dropout_backward(grad: np.ndarray, mask: np.ndarray | None, p: float = 0.5) -> np.ndarray:
    """Gradient of `dropout`: grad / (1 - p) where the element was kept, 0 elsewhere.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, float32 or float64.
    mask : numpy.ndarray or None
        What `dropout` gave with ``return_mask=True``: bool, the shape of `grad`. None, for no
        training, returns `grad` itself.
    p : float
        As in `dropout`.

    Returns
    -------
    numpy.ndarray
        Gradient of `x`, in the memory order of `mask`, which is that of `x`.

    Raises
    ------
    TypeError
        `grad` is not a float32 or float64 array, `mask` not a bool array, `p` not a number.
    ValueError
        The shapes differ, or `p` lies outside 0..1.

    Examples
    --------
    >>> dropout_backward(np.array([1.0, 1.0]), np.array([True, False]), 0.75).tolist()
    [4.0, 0.0]
    """
    grad = float_array("dropout_backward", "grad", grad)
    p = number("dropout_backward", "p", p, 0, 1)
    if mask is None:
        return grad
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise TypeError("dropout_backward: mask must be the bool array that dropout returned")
    same_shape("dropout_backward", "grad", grad, mask.shape, "the shape of mask")
    return _keep(grad, mask, p)


def _keep(x: np.ndarray, mask: np.ndarray, p: float) -> np.ndarray:
    """Give x / (1 - p) where `mask` says so, 0 elsewhere, in the memory order of `mask`."""
    scale = 1 / (1 - p) if p < 1 else 0.0
    y = np.multiply(x, scale, out=empty_like(mask, x.dtype))
    return np.multiply(y, mask, out=y)
