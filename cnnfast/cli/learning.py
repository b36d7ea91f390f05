"""How the subcommands train a network, and what they show of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.cli.batches import test_loader, train_loader
from cnnfast.cli.datasets import Data
from cnnfast.cli.networks import is_pattern, maker
from cnnfast.cli.optimizers import HighestRate, optimizer_of, schedule_of
from cnnfast.cli.settings import Settings
from cnnfast.cli.text import clock, percent
from cnnfast.data import DataLoader
from cnnfast.distributed import Shard, World, parallel, shard
from cnnfast.models import from_pattern
from cnnfast.nn import CrossEntropyLoss, Module
from cnnfast.optim import ReduceLROnPlateau
from cnnfast.training import Callback, Checkpoints, EarlyStopping, History, Trainer

DIVERGED = 3  # exit code


class Learning:
    """A fresh network and its training: everything random follows from the seed.

    Parameters
    ----------
    dataset : Data
    settings : Settings
    checkpoints : Checkpoints, optional
    callbacks : iterable of Callback
    world : World, optional
        The ranks that train together.

    Attributes
    ----------
    model : Module
    train, test : DataLoader
    trainer : Trainer

    Raises
    ------
    CommandError
        There is no such network, it cannot take the images, or settings do not fit together.
    """

    def __init__(
        self,
        dataset: Data,
        settings: Settings,
        checkpoints: Checkpoints | None = None,
        callbacks: Iterable[Callback] = (),
        world: World | None = None,
    ) -> None:
        self.settings = settings
        weights, order = map(np.random.default_rng, np.random.SeedSequence(settings.seed).spawn(2))
        self.test = test_loader(dataset, settings)
        self.model = fresh_network(dataset, settings, self.test, weights)
        self.train: DataLoader | Shard = train_loader(dataset, settings, order)
        optimizer = optimizer_of(self.model, settings)
        schedule = schedule_of(optimizer, settings, len(self.train))
        stopping = []
        if settings.early_stopping is not None:
            stopping.append(EarlyStopping("validation_accuracy", settings.early_stopping))
        learner = self.model.train()
        if world is not None:
            learner = parallel(self.model, settings.sync_batchnorm)
            self.train = shard(self.train)
        self.trainer = Trainer(
            learner,
            optimizer,
            CrossEntropyLoss(label_smoothing=settings.label_smoothing),
            schedule=schedule,
            schedule_every="epoch" if isinstance(schedule, ReduceLROnPlateau) else "step",
            clip_norm=settings.clip_norm,
            checkpoints=checkpoints,
            callbacks=[HighestRate(settings.lr), *stopping, EpochLines(), *callbacks],
            world=world,
        )

    def fit(self, resume: bool = False) -> History:
        """Train, with a line for each epoch, and a progress bar where there is a terminal."""
        try:
            return self.trainer.fit(self.train, self.test, self.settings.epochs, resume)
        except FloatingPointError as error:
            raise CommandError(str(error), DIVERGED) from error
        except (ImportError, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error


class EpochLines(Callback):
    """Prints what remains of an epoch when its bar is gone."""

    def on_fit_begin(self, trainer: Trainer) -> None:
        self._start = time.perf_counter(), trainer.history.epochs

    def on_epoch_end(self, trainer: Trainer) -> None:
        last = {column: trainer.history[column][-1] for column in trainer.history}
        start, before = self._start
        seconds = time.perf_counter() - start
        left = seconds / (trainer.epoch - before) * (trainer.epochs - trainer.epoch)
        print(
            f"epoch {trainer.epoch:{len(str(trainer.epochs))}}/{trainer.epochs}   "
            f"loss {last['train_loss']:.4f}   accuracy {percent(last['train_accuracy'])}   "
            f"test {percent(last['validation_accuracy'])}   "
            f"{last['images'] / last['seconds']:,.0f} images/s   {clock(left)} left",
            flush=True,
        )


def fresh_network(
    dataset: Data, settings: Settings, test: DataLoader, rng: np.random.Generator
) -> Module:
    """Make the network for a data set; see whether it takes its images."""
    name, classes = settings.model, len(dataset.classes)
    one = DataLoader(dataset.test_images[:1], np.zeros(1, int), transform=test.transform)
    try:
        ((image, _),) = one
        if is_pattern(name):
            return from_pattern(name, image.shape[1:], classes, rng=rng, dtype=image.dtype)
        model = maker(name)(classes, image.shape[1], rng=rng, dtype=image.dtype)
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from error
    try:
        model(image)
    except ValueError as error:
        height, width = image.shape[2:]
        raise CommandError(f"{name} is not for images of {height}x{width}: {error}") from error
    return model
