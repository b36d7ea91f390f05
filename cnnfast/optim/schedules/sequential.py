"""One schedule after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules.scheduler import LRScheduler, check_state, checked_count


class SequentialLR(LRScheduler):
    """Follow one schedule up to the first milestone, the next up to the second, and so on.

    Each begins anew at its milestone, from the rate that the optimizer had at first.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        Of that optimizer; their own ``step`` is not called. `ReduceLROnPlateau` is none of them.
    milestones : sequence of int
        One less than the schedules, rising: how many steps have been taken when the next begins.

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8)
    >>> warm_up = optim.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = optim.StepLR(optimizer, step_size=1, gamma=0.5)
    >>> schedule = SequentialLR(optimizer, [warm_up, decay], milestones=[2])
    >>> [round(schedule.lr_at(epoch), 6) for epoch in range(5)]
    [0.4, 0.6, 0.8, 0.4, 0.2]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        self.schedulers = list(schedulers)
        for i, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler):
                raise TypeError(
                    f"SequentialLR: schedulers[{i}] must be an LRScheduler, got {schedule!r}"
                )
            if schedule.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: schedulers[{i}] belongs to another optimizer")
        self.milestones = [checked_count(self, "milestones", m) for m in milestones]
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                "SequentialLR: milestones must be one less than the schedulers, got "
                f"{len(self.milestones)} for {len(self.schedulers)}"
            )
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"SequentialLR: milestones must rise, got {list(milestones)}")
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:
        schedule, since = self._active(epoch)
        return schedule.lr_at(since)

    def _active(self, epoch: int) -> tuple[LRScheduler, int]:
        """Give the schedule of an epoch, and how many epochs it has run by then."""
        index = bisect_right(self.milestones, epoch)
        return self.schedulers[index], epoch - (self.milestones[index - 1] if index else 0)

    def _apply(self, epoch: int) -> None:
        schedule, since = self._active(epoch)
        if since == 0:
            self.optimizer.lr = schedule.base_lr
        schedule._apply(since)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_state(self, state)
        states = state["schedulers"]
        if len(states) != len(self.schedulers):
            raise ValueError(
                f"SequentialLR.load_state_dict: state has {len(states)} schedulers, expected "
                f"{len(self.schedulers)}"
            )
        for schedule, part in zip(self.schedulers, states, strict=True):
            check_state(schedule, part)
        super().load_state_dict(state)
        for schedule, part in zip(self.schedulers, states, strict=True):
            schedule.load_state_dict(part)
