"""What can be done in the course of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnfast.training.history import better, check_monitor

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer


class Callback:
    """Something that a `Trainer` calls at certain times; a subclass defines what it needs.

    ======================  ======================================================================
    ``on_fit_begin``        before the first step (or the first after a resumption)
    ``on_backward_end``     the gradients are there, before they are clipped and parameters change
    ``on_step_end``         the parameters have changed; ``trainer.progress`` is the epoch so far
    ``on_validation_step``  a batch was tested; ``trainer.validated`` is the validation so far
    ``on_epoch_end``        after validation; ``trainer.history`` has the epoch
    ``on_fit_end``          at the end in any case, also after an error
    ======================  ======================================================================

    What a callback raises ends the training. Random or counting ones give what they must remember
    in `state_dict`: a checkpoint keeps it.

    Examples
    --------
    >>> class Losses(Callback):
    ...     def on_fit_begin(self, trainer):
    ...         self.losses = []
    ...
    ...     def on_step_end(self, trainer):
    ...         self.losses.append(trainer.progress.loss)
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Do nothing, as the others."""

    def on_backward_end(self, trainer: Trainer) -> None: ...

    def on_step_end(self, trainer: Trainer) -> None: ...

    def on_validation_step(self, trainer: Trainer) -> None: ...

    def on_epoch_end(self, trainer: Trainer) -> None: ...

    def on_fit_end(self, trainer: Trainer) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint is to keep, as numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class EarlyStopping(Callback):
    """Stop when a measure has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        "validation_loss", "validation_accuracy", "train_loss" or "train_accuracy".
    patience : int
        How many epochs in a row may be no better than the best one.
    min_delta : float
        By how much an epoch must be better.

    Raises
    ------
    ValueError
        `monitor` is something else, or in training: it is NaN, as without validation.

    Examples
    --------
    >>> EarlyStopping("validation_accuracy", patience=3).best
    nan
    """

    def __init__(
        self, monitor: str = "validation_loss", patience: int = 5, min_delta: float = 0.0
    ) -> None:
        self.monitor = check_monitor("EarlyStopping", monitor)
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience must be at least 0, got {patience}")
        if not min_delta >= 0:
            raise ValueError(f"EarlyStopping: min_delta must be at least 0, got {min_delta}")
        self.patience = patience
        self.min_delta = min_delta
        self._begin()

    def _begin(self) -> None:
        self.best, self.bad_epochs = math.nan, 0

    def on_fit_begin(self, trainer: Trainer) -> None:
        if not trainer.history.epochs:
            self._begin()
        elif trainer.stopped == self._reason and self.bad_epochs <= self.patience:
            trainer.stop("")  # a resumption with more patience

    def on_epoch_end(self, trainer: Trainer) -> None:
        value = float(trainer.history[self.monitor][-1])
        if math.isnan(value):
            raise ValueError(
                f"EarlyStopping: {self.monitor} is nan after epoch {trainer.epoch}; give fit "
                "validation batches with classes for labels, or monitor something else"
            )
        if better(self.monitor, value, self.best, self.min_delta):
            self.best, self.bad_epochs = value, 0
        else:
            self.bad_epochs += 1
        if self.bad_epochs > self.patience:
            trainer.stop(self._reason)

    @property
    def _reason(self) -> str:
        epochs = "1 epoch" if self.bad_epochs == 1 else f"{self.bad_epochs} epochs"
        return f"{self.monitor} has not been better than {self.best:.6g} for {epochs}"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.bad_epochs = float(state["best"]), int(state["bad_epochs"])
