"""Losses, each with its gradient.

Losses of class scores are those of the whole batch; the others are each element's, with its slope.
"""

import math

import numpy as np

from cnnfast.reference.activation import logistic
from cnnfast.reference.elementwise import elementwise
from cnnfast.reference.softmax import log_softmax


def cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[float, np.ndarray]:
    """Return the mean of -log(softmax(logits)[label]) over the batch, and its gradient.

    It is a mean weighted by the labels' classes. With smoothing every class is a little the label.

    Parameters
    ----------
    logits : ndarray of shape (N, K)
    labels : integer ndarray of shape (N,), each in 0..K-1, or `ignore_index`
    weight : ndarray of shape (K,), optional

    Returns
    -------
    loss : float
    gradient : ndarray of shape (N, K)
        (softmax(logits) - 1 at the label) / N

    Examples
    --------
    >>> loss, gradient = cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(loss, 6) == round(math.log(4), 6), gradient.round(6).tolist()
    (True, [[0.25, 0.25, -0.75, 0.25]])
    """
    N, K = logits.shape
    weight = np.ones(K) if weight is None else weight
    log_probability = log_softmax(logits.astype(np.float64))
    rows = [n for n in range(N) if labels[n] != ignore_index]
    total = sum(float(weight[labels[n]]) for n in rows) if reduction == "mean" else 1.0
    loss, gradient = 0.0, np.zeros(logits.shape)
    for n in rows:
        for target in range(K):
            share = label_smoothing / K + (1 - label_smoothing) * (target == int(labels[n]))
            if share == 0:
                continue
            share *= float(weight[target]) / total
            loss -= share * float(log_probability[n, target])
            for k in range(K):
                gradient[n, k] += share * (math.exp(log_probability[n, k]) - (k == target))
    return loss, gradient.astype(logits.dtype)


def hinge_loss(
    scores: np.ndarray, labels: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """Return the course's multiclass SVM loss and its gradient.

    The mean over the batch of the sum over j != y of max(0, s[j] - s[y] + margin), y the label.

    Parameters
    ----------
    scores : ndarray of shape (N, K)
    labels : integer ndarray of shape (N,), each in 0..K-1

    Returns
    -------
    loss : float
    gradient : ndarray of shape (N, K)

    Examples
    --------
    >>> loss, gradient = hinge_loss(np.array([[3.0, 2.5, 0.0]]), np.array([0]))
    >>> loss, gradient.tolist()
    (0.5, [[-1.0, 1.0, 0.0]])
    """
    N, K = scores.shape
    loss, gradient = 0.0, np.zeros(scores.shape)
    for n in range(N):
        y = labels[n]
        for j in range(K):
            if j == y:
                continue
            violation = float(scores[n, j]) - float(scores[n, y]) + margin
            if violation > 0:
                loss += violation / N
                gradient[n, j] += 1 / N
                gradient[n, y] -= 1 / N
    return loss, gradient.astype(scores.dtype)


def mse_loss(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square every difference."""
    return (
        elementwise(lambda a, t: (a - t) ** 2, x, target),
        elementwise(lambda a, t: 2 * (a - t), x, target),
    )


def l1_loss(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the size of every difference; where there is none, neither is there a slope."""
    return (
        elementwise(lambda a, t: abs(a - t), x, target),
        elementwise(lambda a, t: float(a > t) - float(a < t), x, target),
    )


def smooth_l1_loss(
    x: np.ndarray, target: np.ndarray, beta: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Take the size of every difference, less beta/2; below beta a parabola instead."""
    if beta == 0:
        return l1_loss(x, target)

    def loss(a: float, t: float) -> float:
        d = abs(a - t)
        return d * d / (2 * beta) if d < beta else d - beta / 2

    def slope(a: float, t: float) -> float:
        return (a - t) / beta if abs(a - t) < beta else math.copysign(1.0, a - t)

    return elementwise(loss, x, target), elementwise(slope, x, target)


def binary_cross_entropy_with_logits(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, pos_weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take -w (p t log(s) + (1 - t) log(1 - s)), with s = 1/(1 + exp(-x)); all of one shape.

    Examples
    --------
    >>> one = np.ones(1)
    >>> loss, slope = binary_cross_entropy_with_logits(np.zeros(1), one, one, one)
    >>> round(float(loss[0]), 6) == round(math.log(2), 6), slope.tolist()
    (True, [-0.5])
    """

    def log_logistic(v: float) -> float:
        """log(1/(1 + exp(-v))), by whichever of its forms does not overflow."""
        return -math.log1p(math.exp(-v)) if v > 0 else v - math.log1p(math.exp(v))

    def loss(v: float, t: float, w: float, p: float) -> float:
        return -w * (p * t * log_logistic(v) + (1 - t) * log_logistic(-v))

    def slope(v: float, t: float, w: float, p: float) -> float:
        return w * ((1 - t) * logistic(v) - p * t * logistic(-v))

    arrays = (x, target, weight, pos_weight)
    return elementwise(loss, *arrays), elementwise(slope, *arrays)
