"""Training from the first step to the last, also over interruptions."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from cnnfast.nn import Module
from cnnfast.nn.module import positive
from cnnfast.optim import (
    LRScheduler,
    Optimizer,
    ReduceLROnPlateau,
    clip_grad_norm_,
    clip_grad_value_,
)
from cnnfast.training.bar import ProgressBar
from cnnfast.training.callbacks import Callback
from cnnfast.training.checkpoints import Checkpoints
from cnnfast.training.history import History
from cnnfast.training.interruption import Interruption, deferred_interruption
from cnnfast.training.loop import Batches, Criterion, Progress, train_epoch, validate
from cnnfast.training.ranks import Ranks, any_of_all, is_first
from cnnfast.training.resumption import begin, save
from cnnfast.training.state import state_of_loader


class Trainer:
    """Trains a network, and can go on where it was stopped as if nothing had happened.

    Parameters
    ----------
    model : Module
        Gives scores. Whether it trains or not (dropout) is as it was set.
    optimizer : Optimizer
        Over the parameters of `model`.
    criterion : callable
        ``loss, gradient = criterion(scores, labels)``, for instance ``nn.CrossEntropyLoss(
        label_smoothing=0.1)``.
    schedule : LRScheduler or ReduceLROnPlateau, optional
        Of that optimizer. A plateau is one of the loss (mode "min") or of the accuracy ("max"), of
        the validation if there is one.
    schedule_every : "epoch" or "step"
        What the schedule counts: a `OneCycleLR` is usually made for steps.
    clip_norm, clip_value : float, optional
        Bounds for the gradients: see `optim.clip_grad_norm_`, `optim.clip_grad_value_`.
    checkpoints : Checkpoints, str or os.PathLike, optional
        Where one is written after each epoch, on ctrl-C, and when a batch cannot be had (a damaged
        file); a folder is one with the usual settings.
    callbacks : iterable of Callback
        Called in this order.
    progress : bool
        Show a `ProgressBar`.
    world : distributed.World, optional
        What `distributed.init` gave, to train on several ranks: `model` is one of
        `distributed.parallel`, and what `fit` trains with one of `distributed.shard`. Then figures
        are those of all ranks, ctrl-C on any ends all after the same step, and rank 0 alone shows
        progress, writes checkpoints and reads them. Callbacks that write belong to it as well.

    Attributes
    ----------
    history : History
        Of the epochs that are complete.
    epoch, epochs : int
        The number of the one under way, from 1, and of the last one.
    step : int
        How many steps have been taken.
    lr : float
        Learning rate of the last one.
    progress : Progress
        Of the epoch under way.
    learned : bool
        Whether only the validation of that epoch is still to come.
    validated : Progress
        Of the last validation, which may be under way.
    seconds : float
        How long that has been learning.
    stopped : str
        Why training ended before the last epoch; empty if it did not.
    train, validation : iterable
        The batches that `fit` was given.
    model, optimizer, criterion, schedule, checkpoints, callbacks
        As above.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong kind, or belongs to another optimizer.

    Examples
    --------
    >>> from cnnfast import data, models, nn, optim
    >>> images, labels, test_images, test_labels = data.digits()
    >>> model = models.lenet5(rng=np.random.default_rng(0))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    >>> trainer = Trainer(model, optimizer, nn.CrossEntropyLoss())
    >>> history = trainer.fit(
    ...     data.DataLoader(images[:640], labels[:640], 32, shuffle=True, seed=0),
    ...     data.DataLoader(test_images[:100], test_labels[:100], 100),
    ...     epochs=2,
    ... )
    >>> history["epoch"], bool(history["train_loss"][1] < history["train_loss"][0])
    (array([1, 2]), True)
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        criterion: Criterion,
        *,
        schedule: LRScheduler | ReduceLROnPlateau | None = None,
        schedule_every: str = "epoch",
        clip_norm: float | None = None,
        clip_value: float | None = None,
        checkpoints: Checkpoints | str | os.PathLike[str] | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        world: Ranks | None = None,
    ) -> None:
        if not isinstance(model, Module) or not isinstance(optimizer, Optimizer):
            raise TypeError(
                "Trainer: model must be a Module and optimizer an Optimizer, got "
                f"{type(model).__name__} and {type(optimizer).__name__}"
            )
        if {id(p) for p in model.parameters()}.isdisjoint(map(id, optimizer.params)):
            raise ValueError("Trainer: optimizer has none of the parameters of model")
        for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if bound is not None and not bound >= 0:
                raise ValueError(f"Trainer: {name} must be at least 0, got {bound}")
        if schedule is not None and getattr(schedule, "optimizer", None) is not optimizer:
            raise ValueError("Trainer: schedule must be one of the optimizer")
        if schedule_every not in ("epoch", "step"):
            raise ValueError(
                f'Trainer: schedule_every must be "epoch" or "step", got {schedule_every!r}'
            )
        if schedule_every == "step" and isinstance(schedule, ReduceLROnPlateau):
            raise ValueError('Trainer: a plateau can only be seen with schedule_every="epoch"')
        if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
            checkpoints = Checkpoints(checkpoints)
        self.model = model
        self.optimizer = optimizer
        self.criterion = criterion
        self.schedule = schedule
        self.schedule_every = schedule_every
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.checkpoints = checkpoints
        self.world = world
        self.callbacks = list(callbacks)
        for i, callback in enumerate(self.callbacks):
            if not isinstance(callback, Callback):
                raise TypeError(f"Trainer: callbacks[{i}] must be a Callback, got {callback!r}")
        if progress and is_first(world):
            self.callbacks.insert(0, ProgressBar())  # gone before others print
        self._clear()

    def _clear(self) -> None:
        self.history = History()
        self.epoch = self.epochs = self.step = 0
        self.lr = self.optimizer.lr
        self.progress = self.validated = Progress()
        self.learned = False
        self.stopped = ""
        self.train: Batches = ()
        self.validation: Batches | None = None
        self.seconds = 0.0
        #: Batches that a loader which does not know where it was is to give again, for nothing.
        self.passed_over = 0
        #: Of the validation batches, as they were before the validation under way.
        self.validation_state: Any = None

    def fit(
        self,
        train: Batches,
        validation: Batches | None = None,
        epochs: int = 1,
        resume: bool = False,
    ) -> History:
        """Train, and validate after each epoch.

        Parameters
        ----------
        train : iterable of (images, labels)
            For instance a `cnnfast.data.DataLoader`; each iteration is an epoch. It can be resumed
            in the middle of one if it has ``state_dict`` and ``load_state_dict``, or gives the same
            batches every time.
        validation : iterable of (images, labels), optional
        epochs : int
            In all: those before a resumption count.
        resume : bool
            Go on from the newest checkpoint, if there is one, with the same parameters, random
            numbers and batches, to the bit, as without the interruption.

        Returns
        -------
        History

        Raises
        ------
        ValueError
            `train` or `validation` gives no images; there are checkpoints, but `resume` is False;
            or the checkpoint does not belong to this run.
        FloatingPointError
            The loss or a gradient became NaN or infinite; the message says at which step, and in
            which layer that began. The parameters are those of the step before.
        KeyboardInterrupt
            ctrl-C was pressed: the step under way is complete, and there is a checkpoint of it. (A
            second ctrl-C does not wait for that.)
        Exception
            Whatever `train` or `validation` raises, when there is a checkpoint of the last step.
        OSError
            A checkpoint cannot be written; those before it are still there.
        """
        self._clear()
        self.train, self.validation = train, validation
        self.epochs = positive("Trainer.fit", "epochs", epochs)
        self.validation_state = state_of_loader(validation)
        begin(self, resume)
        with deferred_interruption() as interruption:
            self._interruption: Interruption = interruption
            try:
                self._call("on_fit_begin")
                while self.history.epochs < epochs and not self.stopped:
                    self._run_epoch()
            finally:
                self._call("on_fit_end")
        return self.history

    def stop(self, reason: str) -> None:
        """End training after the epoch under way: for callbacks."""
        self.stopped = reason

    def _run_epoch(self) -> None:
        self.epoch = self.history.epochs + 1
        if not self.learned:
            self._learn()
        self._end_epoch(self._validate())

    def _learn(self) -> None:
        self._start = time.perf_counter() - self.seconds
        try:
            self.progress = train_epoch(
                self.model,
                self._batches(),
                self.criterion,
                self.optimizer,
                self._after_step,
                before_step=self._before_step,
                progress=self.progress,
                world=self.world,
            )
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Trainer.fit: epoch {self.epoch}, step {self.step + 1}: {error}"
            ) from error
        self._check_given("train", self.progress)
        self.seconds = time.perf_counter() - self._start
        self.learned = True

    def _validate(self) -> Progress:
        if self.validation is None:
            return Progress(math.nan, math.nan)
        measured = validate(
            self.model,
            self._given(self.validation),
            self.criterion,
            self._after_validation_step,
            world=self.world,
        )
        self._check_given("validation", measured)
        self.validation_state = state_of_loader(self.validation)
        return measured

    def _check_given(self, name: str, progress: Progress) -> None:
        if not progress.images:
            raise ValueError(
                f"Trainer.fit: {name} gave no images in epoch {self.epoch} (a generator gives its "
                "batches only once: pass a DataLoader, or a list)"
            )

    def _end_epoch(self, validation: Progress) -> None:
        self.history.append(
            epoch=self.epoch,
            step=self.step,
            lr=self.lr,
            train_loss=self.progress.loss,
            train_accuracy=self.progress.accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            images=self.progress.images,
            seconds=self.seconds,
        )
        if isinstance(self.schedule, ReduceLROnPlateau):
            measured = self.progress if self.validation is None else validation
            self.schedule.step(measured.loss if self.schedule.mode == "min" else measured.accuracy)
        elif self.schedule is not None and self.schedule_every == "epoch":
            self.schedule.step()
        self._call("on_epoch_end")
        self.progress, self.seconds, self.learned = Progress(), 0.0, False
        save(self)
        self._heed_interruption()

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        batches = (batch for batch in self._given(self.train) if len(batch[0]))
        passed_over, self.passed_over = self.passed_over, 0
        return islice(batches, passed_over, None)

    def _given(self, batches: Batches) -> Batches:
        """Give batches; if there is an error in them, what was learned until then is saved."""
        try:
            yield from batches
        except Exception:
            if self.world is None and self.progress.batches:
                save(self)
            raise

    def _before_step(self) -> None:
        self._call("on_backward_end")
        if self.clip_norm is not None:
            clip_grad_norm_(self.optimizer.params, self.clip_norm)
        if self.clip_value is not None:
            clip_grad_value_(self.optimizer.params, self.clip_value)

    def _after_step(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds = time.perf_counter() - self._start
        self.step += 1
        self.lr = self.optimizer.lr
        if self.schedule_every == "step" and isinstance(self.schedule, LRScheduler):
            self.schedule.step()
        self._call("on_step_end")
        every = self.checkpoints.every_steps if self.checkpoints is not None else None
        if every and self.step % every == 0:
            save(self)
        self._heed_interruption()

    def _after_validation_step(self, validated: Progress) -> None:
        self.validated = validated
        self._call("on_validation_step")
        if self.world is None:  # ranks validate different numbers of batches, and do not wait
            self._heed_interruption()

    def _heed_interruption(self) -> None:
        if not any_of_all(self.world, self._interruption.requested):
            return
        path = save(self)
        saved = "" if path is None else f", saved in {path}"
        raise KeyboardInterrupt(f"after step {self.step}{saved}")

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)
