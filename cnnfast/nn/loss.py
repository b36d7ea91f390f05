"""Losses as objects: ``loss, gradient = criterion(scores, labels)``."""

from __future__ import annotations

import numpy as np

from cnnfast.functional.loss import cross_entropy, hinge_loss


class CrossEntropyLoss:
    """Softmax and cross-entropy, averaged over the batch; see `cnnfast.functional.cross_entropy`.

    Examples
    --------
    >>> loss, gradient = CrossEntropyLoss()(np.zeros((1, 2)), np.array([0]))
    >>> gradient.tolist()
    [[-0.5, 0.5]]
    """

    def __call__(self, logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        return cross_entropy(logits, labels)

    def __repr__(self) -> str:
        return "CrossEntropyLoss()"


class HingeLoss:
    """The multiclass SVM loss, averaged over the batch; see `cnnfast.functional.hinge_loss`.

    Examples
    --------
    >>> HingeLoss()(np.array([[0.5, 0.0]]), np.array([0]))[0]
    0.5
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def __call__(self, scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        return hinge_loss(scores, labels, self.margin)

    def __repr__(self) -> str:
        return f"HingeLoss(margin={self.margin})"
