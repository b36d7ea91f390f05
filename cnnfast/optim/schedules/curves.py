"""Rates along a line or a cosine."""

from __future__ import annotations

import math

from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules.scheduler import LRScheduler, checked_count, checked_number


class LinearLR(LRScheduler):
    """Let the rate go along a line, from one multiple of it to another: a warm-up.

    After t steps it is ``base_lr * (start_factor + (end_factor - start_factor) * t /
    total_iters)``, and from ``total_iters`` on ``base_lr * end_factor``.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float
        More than 0, at most 1.
    end_factor : float
        From 0 to 1.
    total_iters : int

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> schedule = LinearLR(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8), 0.25, total_iters=3)
    >>> [round(schedule.lr_at(epoch), 6) for epoch in range(5)]
    [0.2, 0.4, 0.6, 0.8, 0.8]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor = checked_number(self, "start_factor", start_factor, 0, 1)
        if not start_factor:
            raise ValueError("LinearLR: start_factor must be greater than 0, got 0")
        self.end_factor = checked_number(self, "end_factor", end_factor, 0, 1)
        self.total_iters = checked_count(self, "total_iters", total_iters)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:
        if epoch >= self.total_iters:
            return self.base_lr * self.end_factor
        way = (self.end_factor - self.start_factor) * epoch / self.total_iters
        return self.base_lr * (self.start_factor + way)


class CosineAnnealingLR(LRScheduler):
    """Let the rate fall along half a period of the cosine, and rise again after it.

    After t steps it is ``eta_min + (base_lr - eta_min) * (1 + cos(pi * t / T_max)) / 2``.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Steps to the lowest rate.
    eta_min : float
        That rate.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    arXiv:1608.03983 (of which this is one descent, without restarts).

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> schedule = CosineAnnealingLR(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8), T_max=4)
    >>> [round(schedule.lr_at(epoch), 3) for epoch in range(5)]
    [0.8, 0.683, 0.4, 0.117, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803
        self.T_max = checked_count(self, "T_max", T_max)
        self.eta_min = checked_number(self, "eta_min", eta_min)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:
        height = (1 + math.cos(math.pi * epoch / self.T_max)) / 2
        return self.eta_min + (self.base_lr - self.eta_min) * height
