"""Cross-entropy of softmax probabilities."""

from __future__ import annotations

import operator

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, number, same_dtype, same_shape
from cnnfast.functional._memory import empty_like
from cnnfast.functional.loss._arguments import check_reduction, class_labels, reduced
from cnnfast.functional.softmax import log_softmax, log_softmax_gradient


def cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[float, np.ndarray]:
    r"""Cross-entropy of softmax probabilities, and its gradient.

    With p the softmax of one set of scores, y its label, w the classes' weights and s the
    smoothing, its loss is

    .. math:: -(1 - s)\, w_y \log p_y - \frac{s}{C} \sum_c w_c \log p_c

    and the mean divides the sum of these by that of all :math:`w_y`. Without weights or smoothing
    the gradient is :math:`(p_c - [c = y]) / N`.

    Parameters
    ----------
    logits : numpy.ndarray
        Scores (N, C), or maps of them (N, C, H, W), float32 or float64.
    labels : numpy.ndarray
        (N,), or (N, H, W), any integer dtype, in 0..C-1.
    weight : numpy.ndarray, optional
        (C,), in the dtype of `logits`; 1 for every class by default.
    ignore_index : int
        Scores with this label count for nothing; it need not be a class.
    reduction : str
        "mean" or "sum".
    label_smoothing : float
        In 0..1: the part of the label's weight that is shared out to all classes.

    Returns
    -------
    loss : float
        The mean is NaN where nothing counts, as in torch.
    gradient : numpy.ndarray
        The shape and dtype of `logits`, and if these are maps their memory order.

    Raises
    ------
    TypeError
        `logits` or `weight` is not a float32 or float64 array, or their dtypes differ; `labels` is
        not an integer array, or a number is none.
    ValueError
        The shapes do not fit together, there is no class, a label is out of range, the reduction
        unknown, or `label_smoothing` outside 0..1.

    References
    ----------
    CS231n notes, "Linear classification: softmax classifier"; C. Szegedy et al., "Rethinking the
    Inception architecture for computer vision", 2015 (smoothing); ``torch.nn.CrossEntropyLoss``
    (weights).

    Examples
    --------
    >>> loss, gradient = cross_entropy(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    >>> round(loss, 6), gradient.tolist()
    (0.693147, [[-0.25, 0.25], [0.25, -0.25]])
    """
    name = "cross_entropy"
    logits = float_array(name, "logits", logits)
    if logits.ndim < 2:
        raise ValueError(
            f"{name}: logits must have 2 dimensions (N, C) or more, got shape {logits.shape}"
        )
    nonempty(name, "logits", logits)
    classes = logits.shape[1]
    shape = (*logits.shape[:1], *logits.shape[2:])
    ignored = _integer(name, "ignore_index", ignore_index)
    labels = class_labels(name, labels, shape, classes, ignored)
    weights = _class_weights(name, weight, logits)
    smoothing = number(name, "label_smoothing", label_smoothing, 0, 1)
    check_reduction(name, reduction)

    counted = labels != ignored
    chosen = np.where(counted, labels, 0)
    shares = weights[chosen] * counted
    count = shares.sum(dtype=np.float64)
    at_labels = _at(chosen)
    log_probabilities = log_softmax(logits, 1)
    with np.errstate(invalid="ignore"):  # a probability of 0 that does not count
        losses = (smoothing - 1) * shares * log_probabilities[at_labels]
    scale = 1 / float(count) if reduction == "mean" and count else 1.0
    # What the logarithm of each probability is multiplied by in the loss.
    factors = empty_like(logits)
    factors[...] = 0
    if smoothing:
        of_classes = -smoothing / classes * weights.reshape(-1, *[1] * (logits.ndim - 2))
        losses += (of_classes * log_probabilities).sum(1)
        factors += scale * of_classes * counted[:, None]
    factors[at_labels] += scale * (smoothing - 1) * shares
    loss = reduced(losses.sum(where=counted, dtype=np.float64), count, reduction)
    return loss, log_softmax_gradient(factors, log_probabilities, 1)


def _at(labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index the scores of the labels, along axis 1."""
    images, *pixels = np.ix_(*map(range, labels.shape))
    return (images, labels, *pixels)


def _class_weights(function: str, weight: np.ndarray | None, logits: np.ndarray) -> np.ndarray:
    classes = logits.shape[1]
    if weight is None:
        return np.ones(classes, logits.dtype)
    weight = float_array(function, "weight", weight, 1)
    same_dtype(function, "logits", logits, weight=weight)
    same_shape(function, "weight", weight, (classes,), "one value for each class")
    return weight


def _integer(function: str, name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer, got {value!r}") from None
