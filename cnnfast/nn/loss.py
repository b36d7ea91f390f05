"""Losses as objects: ``loss, gradient = criterion(scores, labels)``."""

from __future__ import annotations

import numpy as np

from cnnfast.functional.loss._arguments import check_reduction
from cnnfast.functional.loss.binary import binary_cross_entropy_with_logits
from cnnfast.functional.loss.cross_entropy import cross_entropy
from cnnfast.functional.loss.hinge import hinge_loss
from cnnfast.functional.loss.regression import l1_loss, mse_loss, smooth_l1_loss


class CrossEntropyLoss:
    """Softmax and cross-entropy; see `cnnfast.functional.cross_entropy`.

    Parameters
    ----------
    weight, ignore_index, reduction, label_smoothing
        As `cross_entropy` takes them.

    Examples
    --------
    >>> loss, gradient = CrossEntropyLoss()(np.zeros((1, 2)), np.array([0]))
    >>> gradient.tolist()
    [[-0.5, 0.5]]
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        check_reduction("CrossEntropyLoss", reduction)
        self.weight = weight
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def __call__(self, logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        return cross_entropy(
            logits, labels, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )

    def __repr__(self) -> str:
        return _described(
            self, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
        )


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


class MSELoss:
    """Squared error; see `cnnfast.functional.mse_loss`.

    Examples
    --------
    >>> MSELoss()(np.array([3.0]), np.array([1.0]))
    (4.0, array([4.]))
    """

    def __init__(self, reduction: str = "mean") -> None:
        check_reduction("MSELoss", reduction)
        self.reduction = reduction

    def __call__(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        return mse_loss(x, target, self.reduction)

    def __repr__(self) -> str:
        return _described(self, reduction="mean")


class L1Loss:
    """Absolute error; see `cnnfast.functional.l1_loss`.

    Examples
    --------
    >>> L1Loss()(np.array([3.0]), np.array([1.0]))
    (2.0, array([1.]))
    """

    def __init__(self, reduction: str = "mean") -> None:
        check_reduction("L1Loss", reduction)
        self.reduction = reduction

    def __call__(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        return l1_loss(x, target, self.reduction)

    def __repr__(self) -> str:
        return _described(self, reduction="mean")


class SmoothL1Loss:
    """Absolute error that is squared near 0; see `cnnfast.functional.smooth_l1_loss`.

    Examples
    --------
    >>> SmoothL1Loss()(np.array([1.5]), np.array([1.0]))
    (0.125, array([0.5]))
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        check_reduction("SmoothL1Loss", reduction)
        self.reduction = reduction
        self.beta = beta

    def __call__(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        return smooth_l1_loss(x, target, self.reduction, self.beta)

    def __repr__(self) -> str:
        return _described(self, reduction="mean", beta=1.0)


class BCEWithLogitsLoss:
    """Cross-entropy of the sigmoid of each element.

    See `cnnfast.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight, reduction, pos_weight
        As `binary_cross_entropy_with_logits` takes them.

    Examples
    --------
    >>> loss, gradient = BCEWithLogitsLoss()(np.array([0.0]), np.array([1.0]))
    >>> round(loss, 6), gradient.tolist()
    (0.693147, [-0.5])
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        reduction: str = "mean",
        pos_weight: np.ndarray | None = None,
    ) -> None:
        check_reduction("BCEWithLogitsLoss", reduction)
        self.weight = weight
        self.reduction = reduction
        self.pos_weight = pos_weight

    def __call__(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        return binary_cross_entropy_with_logits(
            x, target, self.weight, self.reduction, self.pos_weight
        )

    def __repr__(self) -> str:
        return _described(self, weight=None, reduction="mean", pos_weight=None)


def _described(loss: object, **defaults: object) -> str:
    """Name a loss, and those of its arguments that are not the defaults."""
    arguments = [
        f"{name}={value!r}"
        for name, default in defaults.items()
        if isinstance(value := getattr(loss, name), np.ndarray) or value != default
    ]
    return f"{type(loss).__name__}({', '.join(arguments)})"
