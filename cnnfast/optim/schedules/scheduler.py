"""What schedules have in common."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any

from cnnfast.optim.optimizer import Optimizer


class Schedule:
    """What all schedules have: an optimizer, and a state that a run can go on from.

    Parameters
    ----------
    optimizer : Optimizer
    """

    #: The attributes that change in the course of a run, or that it began with.
    state_names: tuple[str, ...]

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        self.last_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        """Give what changes in the course of a run, as numbers, lists and dicts.

        The rate itself belongs to the optimizer's state, the arguments to neither.
        """
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        ValueError
            It is of another kind of schedule; nothing is changed.
        """
        check_state(self, state)
        for name in self.state_names:
            kind = type(getattr(self, name))
            setattr(self, name, kind(state[name]))


class LRScheduler(Schedule):
    """A learning rate as a function of how often ``step`` was called; a subclass gives `lr_at`.

    The rate is always computed anew, from that of the optimizer when its first schedule was made,
    so it gathers no rounding errors. It is set when it differs from the step before's: where a
    schedule is flat (a warm-up that is over), what others do to the rate stands.

    Parameters
    ----------
    optimizer : Optimizer

    Attributes
    ----------
    optimizer : Optimizer
    base_lr : float
        What the optimizer's rate was when its first schedule was made.
    last_epoch : int
        How often ``step`` was called: after each epoch or, if that is what the schedule counts,
        after each batch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong kind, or out of range.

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> class Halving(LRScheduler):
    ...     def lr_at(self, epoch):
    ...         return self.base_lr / 2**epoch
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.8)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.lr
    0.4
    """

    state_names = ("last_epoch", "base_lr")

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        if optimizer.initial_lr is None:
            optimizer.initial_lr = optimizer.lr
        self.base_lr = optimizer.initial_lr
        self._apply(0)

    def lr_at(self, epoch: int) -> float:
        """Give the rate after `epoch` steps, 0 or more."""
        raise NotImplementedError(f"{type(self).__name__} defines no lr_at")

    def step(self) -> None:
        """Go on by one epoch (or batch): call it after the optimizer's steps."""
        self.last_epoch += 1
        self._apply(self.last_epoch)

    def _apply(self, epoch: int) -> None:
        """Set what differs from the epoch before."""
        before = self.lr_at(epoch - 1) if epoch else self.base_lr
        lr = self.lr_at(epoch)
        if lr != before:
            self.optimizer.lr = lr


def check_optimizer(schedule: object, optimizer: object) -> Optimizer:
    """Check that a schedule was given an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{type(schedule).__name__}: optimizer must be an Optimizer, got {optimizer!r}"
        )
    return optimizer


def check_state(schedule: Schedule, state: object) -> None:
    """Check that a state has the names that the schedule's own has."""
    expected = schedule.state_dict()
    if not isinstance(state, Mapping) or set(state) != set(expected):
        found = ", ".join(map(str, state)) if isinstance(state, Mapping) else repr(state)
        raise ValueError(
            f"{type(schedule).__name__}.load_state_dict: state must have "
            f"{', '.join(expected)}, got {found}"
        )


def checked_count(schedule: object, name: str, value: int, least: int = 1) -> int:
    """Check that an argument is an integer of at least `least`."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{type(schedule).__name__}: {name} must be an integer, got {value!r}"
        ) from None
    if count < least:
        raise ValueError(f"{type(schedule).__name__}: {name} must be at least {least}, got {value}")
    return count


def checked_number(
    schedule: object, name: str, value: float, least: float = 0, most: float = math.inf
) -> float:
    """Check that an argument is a finite number from `least` to `most`."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{type(schedule).__name__}: {name} must be a number, got {value!r}")
    if not least <= value <= most or value == math.inf:
        bound = f"at least {least} and finite" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{type(schedule).__name__}: {name} must be {bound}, got {value!r}")
    return float(value)
