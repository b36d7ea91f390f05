"""A rate that falls when training makes no progress."""

from __future__ import annotations

import math

from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules.scheduler import Schedule, checked_count, checked_number


class ReduceLROnPlateau(Schedule):
    """Multiply the rate by `factor` when a measure has not improved for a while.

    ``step(measure)`` counts the epochs in a row in which it is not better than the best one. When
    they are more than `patience` the rate becomes ``max(lr * factor, min_lr)``, and counting begins
    again after `cooldown` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    mode : "min" or "max"
        What is better: less (a loss) or more (an accuracy).
    factor : float
        Less than 1.
    patience : int
    threshold : float
        How much better counts, as `threshold_mode` says: "rel", a share of the best, or "abs".
    threshold_mode : "rel" or "abs"
    cooldown : int
    min_lr, eps : float
        The least rate, and the least change of it.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong kind, or out of range.

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8)
    >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> optimizer.lr
    0.4
    """

    state_names = ("last_epoch", "best", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(optimizer)
        for name, value, known in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in known:
                raise ValueError(
                    f"ReduceLROnPlateau: {name} must be {' or '.join(known)}, got {value!r}"
                )
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor = checked_number(self, "factor", factor)
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1, got {factor}")
        self.patience = checked_count(self, "patience", patience, 0)
        self.threshold = checked_number(self, "threshold", threshold)
        self.cooldown = checked_count(self, "cooldown", cooldown, 0)
        self.min_lr = checked_number(self, "min_lr", min_lr)
        self.eps = checked_number(self, "eps", eps)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, measure: float) -> None:
        """Go on by one epoch, in which the measure was this."""
        self.last_epoch += 1
        if self._better(measure):
            self.best = float(measure)
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            lr = max(self.optimizer.lr * self.factor, self.min_lr)
            if self.optimizer.lr - lr > self.eps:
                self.optimizer.lr = lr
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _better(self, measure: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            return sign * measure > sign * self.best * (1 + sign * self.threshold)
        return sign * measure > sign * self.best + self.threshold
