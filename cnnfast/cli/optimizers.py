"""The optimizer that the settings name, and what becomes of its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnfast.cli import CommandError
from cnnfast.cli.settings import Settings
from cnnfast.nn import Module
from cnnfast.optim import (
    SGD,
    Adam,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    Optimizer,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from cnnfast.training import Callback, Trainer


def optimizer_of(model: Module, settings: Settings) -> Optimizer:
    """Make the optimizer of a network."""
    if settings.optimizer == "adam":
        return Adam(model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    return SGD(
        model.parameters(),
        settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def schedule_of(
    optimizer: Optimizer, settings: Settings, steps: int
) -> LRScheduler | ReduceLROnPlateau | None:
    """Give what changes the rate from step to step, of which an epoch has so many."""
    name = settings.schedule
    total = settings.epochs * steps
    rising = round(settings.warm_up * steps)
    if name in ("one-cycle", "plateau"):
        if rising:
            raise CommandError(f"--warm-up does not go with --schedule {name}")
        if name == "plateau":
            return ReduceLROnPlateau(optimizer, patience=3)
        momentum = settings.optimizer == "adam" or settings.momentum > 0
        return OneCycleLR(optimizer, settings.lr, total, cycle_momentum=momentum)
    if rising >= total:
        raise CommandError(
            f"--warm-up {settings.warm_up:g} must be less than the {settings.epochs} epochs"
        )
    rest = total - rising
    after: LRScheduler | None = None
    if name == "linear":
        after = LinearLR(optimizer, 1.0, 0.0, rest)
    elif name == "cosine":
        after = CosineAnnealingLR(optimizer, rest)
    elif name == "step":
        after = StepLR(optimizer, -(-rest // 3))
    if not rising:
        return after
    warm_up = LinearLR(optimizer, 1 / (rising + 1), 1.0, rising)
    return warm_up if after is None else SequentialLR(optimizer, [warm_up, after], [rising])


class HighestRate(Callback):
    """Gives a run that goes on the rate that was asked for, not the one of its checkpoint."""

    def __init__(self, lr: float) -> None:
        self._wanted = self._lr = lr

    def on_fit_begin(self, trainer: Trainer) -> None:
        change = self._wanted / self._lr
        trainer.optimizer.lr *= change
        if isinstance(schedule := trainer.schedule, LRScheduler):
            for part in (schedule, *getattr(schedule, "schedulers", ())):
                part.base_lr *= change
        self._lr = self._wanted

    def state_dict(self) -> dict[str, Any]:
        return {"lr": self._lr}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._lr = float(state["lr"])
