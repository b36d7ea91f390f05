"""Class scores: softmax, and losses."""

from __future__ import annotations

import numpy as np

from tests.oracle.geometry import (
    f64,
)


def log_softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    (x,) = f64(x)
    with np.errstate(invalid="ignore"):  # a NaN warns
        below = x - x.max(dim, keepdims=True)  # large scores would cost digits of their logarithm
        return below - np.logaddexp.reduce(below, axis=dim, keepdims=True)


def softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    return np.exp(log_softmax(x, dim))


def log_softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    (grad,) = f64(grad)
    return grad - softmax(x, dim) * grad.sum(dim, keepdims=True)


def softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    pg = softmax(x, dim) * f64(grad)[0]
    return pg - softmax(x, dim) * pg.sum(dim, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood of the labels, and the gradient of the logits."""
    rows = np.arange(len(labels))
    gradient = softmax(logits)
    gradient[rows, labels] -= 1
    return float(-log_softmax(logits)[rows, labels].mean()), gradient / len(labels)


def hinge_loss(
    scores: np.ndarray, labels: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """The course's multiclass SVM loss, averaged over the batch, and the gradient of the scores."""
    (scores,) = f64(scores)
    rows = np.arange(len(labels))
    margins = np.maximum(scores - scores[rows, labels][:, None] + margin, 0.0)
    margins[rows, labels] = 0.0
    gradient = (margins > 0).astype(np.float64)
    gradient[rows, labels] = -gradient.sum(1)
    return float(margins.sum() / len(labels)), gradient / len(labels)
