"""Cross-entropy of independent yes-or-no answers."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import float_array, same_dtype
from cnnfast.functional._memory import empty_like
from cnnfast.functional.activation.sigmoid import sigmoid
from cnnfast.functional.loss._arguments import check_reduction, matching_target, reduced


def binary_cross_entropy_with_logits(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
    pos_weight: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    r"""Cross-entropy of the sigmoid of each element, and its gradient.

    With t the target, w the weight and p the weight of positives, an element's loss is

    .. math:: -w\, (p\, t \log \sigma(x) + (1 - t) \log \sigma(-x))

    computed without the sigmoid's underflow; its derivative is
    :math:`w\, ((1 - t)\, \sigma(x) - p\, t\, \sigma(-x))`.

    Parameters
    ----------
    x : numpy.ndarray
        Scores of any shape, float32 or float64.
    target : numpy.ndarray
        The shape and dtype of `x`, from 0 (no) to 1 (yes).
    weight, pos_weight : numpy.ndarray, optional
        Of the dtype of `x`, and of a shape that broadcasts to its own: (C,) for an `x` (N, C).
    reduction : str
        "mean" (over all elements, whatever their weights) or "sum".

    Returns
    -------
    loss : float
        The mean over no element is NaN, as in torch.
    gradient : numpy.ndarray
        Of `x`: its shape, dtype and memory order.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that do not fit together, or an unknown reduction.

    Examples
    --------
    >>> x, target = np.array([0.0, 1000.0]), np.array([1.0, 0.0])
    >>> loss, gradient = binary_cross_entropy_with_logits(x, target, reduction="sum")
    >>> round(loss, 6), gradient.tolist()
    (1000.693147, [-0.5, 1.0])
    """
    name = "binary_cross_entropy_with_logits"
    x, target = matching_target(name, x, target)
    check_reduction(name, reduction)
    yes, no = target, 1 - target
    if pos_weight is not None:
        yes = yes * _factor(name, "pos_weight", pos_weight, x)
    if weight is not None:
        factor = _factor(name, "weight", weight, x)
        yes, no = yes * factor, no * factor
    minus = np.negative(x, out=empty_like(x))
    # -log(sigmoid(x)) and -log(sigmoid(-x)), less what the two have in common.
    common = np.log1p(np.exp(-np.abs(x)))
    with np.errstate(invalid="ignore"):  # an infinite score for the wrong answer: NaN, as in torch
        losses = yes * (np.maximum(minus, 0) + common) + no * (np.maximum(x, 0) + common)
    gradient = np.subtract(no * sigmoid(x), yes * sigmoid(minus), out=minus)
    if reduction == "mean":
        gradient /= max(x.size, 1)
    return reduced(losses.sum(dtype=np.float64), x.size, reduction), gradient


def _factor(function: str, name: str, factor: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Check a weight."""
    factor = float_array(function, name, factor)
    same_dtype(function, "x", x, **{name: factor})
    try:
        return np.broadcast_to(factor, x.shape)
    except ValueError:
        raise ValueError(
            f"{function}: {name} has shape {factor.shape}, which does not broadcast to that of x, "
            f"{x.shape}"
        ) from None
