"""Rates that fall in steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules.scheduler import LRScheduler, checked_count, checked_number


class StepLR(LRScheduler):
    """Multiply the rate by `gamma` every `step_size` epochs.

    After t steps it is ``base_lr * gamma**(t // step_size)``.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> schedule = StepLR(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(epoch) for epoch in range(5)]
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = checked_count(self, "step_size", step_size)
        self.gamma = checked_number(self, "gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:
        return self.base_lr * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiply the rate by `gamma` at each of some epochs.

    After t steps it is ``base_lr * gamma**(milestones that are t or less)``.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : iterable of int
        In any order; one that occurs twice counts twice.
    gamma : float

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> schedule = MultiStepLR(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8), [1, 3], gamma=0.5)
    >>> [schedule.lr_at(epoch) for epoch in range(5)]
    [0.8, 0.4, 0.4, 0.2, 0.2]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(checked_count(self, "milestones", m) for m in milestones)
        self.gamma = checked_number(self, "gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:
        return self.base_lr * self.gamma ** bisect_right(self.milestones, epoch)
