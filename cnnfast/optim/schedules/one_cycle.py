"""The one-cycle policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules.scheduler import (
    LRScheduler,
    check_optimizer,
    checked_count,
    checked_number,
)


class _Phase(NamedTuple):
    end: float  # step
    lrs: tuple[float, float]
    momenta: tuple[float, float]


class OneCycleLR(LRScheduler):
    """Let the rate rise to `max_lr` and fall far below where it began, the momentum the other way.

    The rate goes from ``max_lr / div_factor`` to ``max_lr`` in the first ``pct_start *
    total_steps`` steps and on to ``max_lr / div_factor / final_div_factor`` in the others. One
    step is one batch.

    Parameters
    ----------
    optimizer : Optimizer
        Its own rate is replaced, and with `cycle_momentum` its momentum (of `Adam`, the first
        beta).
    max_lr : float
    total_steps : int, optional
        None: ``epochs * steps_per_epoch``.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        From 0 to 1.
    anneal_strategy : "cos" or "linear"
    cycle_momentum : bool
    base_momentum, max_momentum : float
        At the highest and at the lowest rates.
    div_factor, final_div_factor : float
    three_phase : bool
        Come back to the first rate as fast as it was left, and use the rest of the steps to go
        down to the last one.

    Raises
    ------
    ValueError
        Also by `step`, if it is called more than `total_steps` times.

    References
    ----------
    L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2017, arXiv:1708.07120.

    Examples
    --------
    >>> from cnnfast import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), momentum=0.9)
    >>> schedule = OneCycleLR(optimizer, max_lr=0.5, total_steps=10, pct_start=0.4)
    >>> [round(schedule.lr_at(step), 3) for step in range(10)]
    [0.02, 0.14, 0.38, 0.5, 0.467, 0.375, 0.25, 0.125, 0.033, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        check_optimizer(self, optimizer)
        self.total_steps = self._steps(total_steps, epochs, steps_per_epoch)
        pct_start = checked_number(self, "pct_start", pct_start, 0, 1)
        if anneal_strategy not in _CURVES:
            raise ValueError(
                f'OneCycleLR: anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}'
            )
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        if (
            cycle_momentum
            and not hasattr(optimizer, "momentum")
            and not hasattr(optimizer, "betas")
        ):
            raise ValueError(
                "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas, got "
                f"{type(optimizer).__name__}"
            )
        high = checked_number(self, "max_lr", max_lr)
        first = high / checked_number(self, "div_factor", div_factor)
        last = first / checked_number(self, "final_div_factor", final_div_factor)
        most = checked_number(self, "max_momentum", max_momentum, 0, 1)
        least = checked_number(self, "base_momentum", base_momentum, 0, 1)
        rise = pct_start * self.total_steps - 1
        end = self.total_steps - 1
        up, down = (most, least), (least, most)
        self._phases = [_Phase(rise, (first, high), up), _Phase(end, (high, last), down)]
        if three_phase:
            back = 2 * pct_start * self.total_steps - 2
            self._phases[1:] = [
                _Phase(back, (high, first), down),
                _Phase(end, (first, last), (most, most)),
            ]
        optimizer.initial_lr = optimizer.lr = first
        super().__init__(optimizer)

    def _steps(self, total: int | None, epochs: int | None, per_epoch: int | None) -> int:
        if total is not None:
            return checked_count(self, "total_steps", total)
        if epochs is None or per_epoch is None:
            raise ValueError("OneCycleLR: give either total_steps or epochs and steps_per_epoch")
        return checked_count(self, "epochs", epochs) * checked_count(
            self, "steps_per_epoch", per_epoch
        )

    def lr_at(self, epoch: int) -> float:
        phase, way = self._place(epoch)
        return _CURVES[self.anneal_strategy](*phase.lrs, way)

    def momentum_at(self, epoch: int) -> float:
        """Give the momentum after `epoch` steps."""
        phase, way = self._place(epoch)
        return _CURVES[self.anneal_strategy](*phase.momenta, way)

    def _place(self, step: int) -> tuple[_Phase, float]:
        """Give the phase of a step, and how much of the phase is over, from 0 to 1."""
        start = 0.0
        for phase in self._phases:
            if step <= phase.end or phase is self._phases[-1]:
                break
            start = phase.end
        length = phase.end - start
        return phase, (step - start) / length if length else 1.0

    def _apply(self, epoch: int) -> None:
        # As in torch, the step after the last batch is one too many for the curves, but counts.
        if epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR.step: called {epoch} times, more than the {self.total_steps} steps "
                "of the cycle"
            )
        super()._apply(epoch)
        if self.cycle_momentum:
            self._momentum = self.momentum_at(epoch)

    @property
    def _momentum(self) -> float:
        optimizer: Any = self.optimizer
        return optimizer.betas[0] if hasattr(optimizer, "betas") else optimizer.momentum

    @_momentum.setter
    def _momentum(self, value: float) -> None:
        optimizer: Any = self.optimizer
        if hasattr(optimizer, "betas"):
            optimizer.betas = (value, *optimizer.betas[1:])
        else:
            optimizer.momentum = value

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        if self.cycle_momentum:
            state["momentum"] = self._momentum
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        if self.cycle_momentum:
            self._momentum = float(state["momentum"])


def _cosine(start: float, end: float, way: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * way) + 1)


def _line(start: float, end: float, way: float) -> float:
    return (end - start) * way + start


_CURVES: dict[str, Callable[[float, float, float], float]] = {"cos": _cosine, "linear": _line}
