"""How the subcommands train a network, and what they show of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.cli.datasets import Data
from cnnfast.cli.networks import maker
from cnnfast.cli.settings import Settings
from cnnfast.data import DataLoader
from cnnfast.data.transforms import (
    Compose,
    Cutout,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Transform,
)
from cnnfast.distributed import Shard, World, parallel, shard
from cnnfast.models import from_pattern
from cnnfast.nn import CrossEntropyLoss, Module
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
from cnnfast.training import Callback, Checkpoints, EarlyStopping, History, Trainer

# Of all networks only this one is for the 28x28 of MNIST. Others halve images up to five times.
LENET, SIDE = "lenet5", 32
TEST_BATCH = 256
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
        transforms = _augmentation(dataset, settings) + _preparation(dataset, settings)
        self.train: DataLoader | Shard = DataLoader(
            dataset.train_images,
            dataset.train_labels,
            settings.batch_size,
            shuffle=True,
            seed=order,
            transform=Compose(transforms) if transforms else None,
            workers=_workers(dataset, settings, bool(transforms)),
        )
        optimizer = _optimizer(self.model, settings)
        schedule = _schedule(optimizer, settings, len(self.train))
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
            f"{last['images'] / last['seconds']:,.0f} images/s   {_clock(left)} left",
            flush=True,
        )


# ---------------------------------------------------------------------------- the network


def fresh_network(
    dataset: Data, settings: Settings, test: DataLoader, rng: np.random.Generator
) -> Module:
    """Make the network for a data set; see whether it takes its images."""
    name, classes = settings.model, len(dataset.classes)
    one = DataLoader(dataset.test_images[:1], np.zeros(1, int), transform=test.transform)
    try:
        ((image, _),) = one
        if name.startswith("INPUT"):
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


def weights_name(settings: Settings) -> str:
    """Give the name of the file with what a network has learned."""
    return "pattern.npz" if settings.model.startswith("INPUT") else f"{settings.model}.npz"


# ---------------------------------------------------------------------------- the batches


def test_loader(dataset: Data, settings: Settings) -> DataLoader:
    """Give the batches to test with."""
    transforms = _preparation(dataset, settings)
    return DataLoader(
        dataset.test_images,
        dataset.test_labels,
        TEST_BATCH,
        transform=Compose(transforms) if transforms else None,
        workers=_workers(dataset, settings, bool(transforms)),
    )


def _augmentation(dataset: Data, settings: Settings) -> list[Transform]:
    height, width = dataset.train_images.shape[2:]
    found: list[Transform] = []
    if settings.shift:
        if height != width:
            raise CommandError(f"--shift needs square images, these are {height}x{width}")
        found.append(RandomCrop(height, padding=settings.shift))
    if settings.flip:
        found.append(RandomHorizontalFlip())
    if settings.cutout:
        found.append(Cutout(settings.cutout))
    return found


def _preparation(dataset: Data, settings: Settings) -> list[Transform]:
    """What training and test images undergo alike."""
    shape = dataset.train_images.shape
    found: list[Transform] = []
    if settings.normalize:
        found.append(Normalize(settings.mean or (), settings.std or ()))
    elif dataset.train_images.dtype == np.uint8:
        found.append(Normalize([0.0] * shape[1], [1.0] * shape[1]))
    if settings.model != LENET and min(shape[2:]) < SIDE:
        found.append(_frame)
    return found


def _frame(images: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Put zeros around images that are too small."""
    missing = [max(0, SIDE - side) for side in images.shape[2:]]
    return np.pad(images, [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in missing)])


def _workers(dataset: Data, settings: Settings, transformed: bool) -> int:
    if settings.workers is not None:
        return settings.workers
    return int(transformed or not isinstance(dataset.train_images, np.ndarray))


# ---------------------------------------------------------------------------- the rate


def _optimizer(model: Module, settings: Settings) -> Optimizer:
    if settings.optimizer == "adam":
        return Adam(model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    return SGD(
        model.parameters(),
        settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def _schedule(
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


# ---------------------------------------------------------------------------- text


def percent(share: float) -> str:
    """Write 0.9893 as 98.93 %."""
    return f"{100 * share:.2f} %"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def checkpoints_of(run: Path, settings: Settings) -> Checkpoints:
    """Give the checkpoints of a run."""
    return Checkpoints(
        run / "checkpoints",
        keep=settings.keep,
        every_steps=settings.checkpoint_steps,
        monitor="validation_accuracy",
    )
