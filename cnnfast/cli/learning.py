"""How the subcommands train LeNet-5, and what they show of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.data import DataLoader, Dataset
from cnnfast.models import lenet5
from cnnfast.nn import CrossEntropyLoss, Sequential
from cnnfast.optim import SGD
from cnnfast.training import Progress, evaluate, train_epoch


class Recipe(NamedTuple):
    """How to train: SGD, with a learning rate that falls in equal steps, epoch by epoch, to 0.

    With `shift`, each batch is moved by up to so many pixels in either direction: more to learn
    from where images are few.
    """

    epochs: int
    batch_size: int
    lr: float
    seed: int = 0
    momentum: float = 0.9
    weight_decay: float = 0.0
    shift: int = 0


class Epoch(NamedTuple):
    """An epoch that has run."""

    number: int
    training: Progress
    seconds: float


class Learning:
    """LeNet-5, fresh, and its training: everything random follows from the recipe's seed.

    Attributes
    ----------
    model : Sequential
    """

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        for name, images in (("train", dataset.train_images), ("test", dataset.test_images)):
            if not len(images):
                raise CommandError(f"there are no images to {name} with")
        seeds = np.random.SeedSequence(recipe.seed).spawn(3)
        weights, order, self._shifts = map(np.random.default_rng, seeds)
        self.dataset = dataset
        self.recipe = recipe
        self.model: Sequential = lenet5(rng=weights)
        self._loader = DataLoader(
            dataset.train_images, dataset.train_labels, recipe.batch_size, shuffle=True, seed=order
        )

    def epochs(self) -> Iterator[Epoch]:
        """Train, an epoch for each item, with a progress bar where there is a terminal."""
        recipe = self.recipe
        criterion = CrossEntropyLoss()
        optimizer = SGD(
            self.model.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        for number in range(1, recipe.epochs + 1):
            optimizer.lr = recipe.lr * (1 - (number - 1) / recipe.epochs)
            start = time.perf_counter()
            title = f"epoch {number}/{recipe.epochs}"
            with bar(len(self.dataset.train_images), title, " images") as shown:
                try:
                    training = train_epoch(
                        self.model, self._batches(), criterion, optimizer, _updating(shown)
                    )
                except FloatingPointError as error:
                    raise CommandError(f"epoch {number}: {error}") from error
            yield Epoch(number, training, time.perf_counter() - start)

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        most = self.recipe.shift
        for images, labels in self._loader:
            if most:
                # Around the edge, which in these images is background on all sides.
                images = np.roll(images, self._shifts.integers(-most, most + 1, 2), axis=(2, 3))
            yield images, labels

    def test(self) -> float:
        """Give the accuracy on the test images."""
        return evaluate(self.model, self.dataset.test_images, self.dataset.test_labels)

    def print_epoch(self, epoch: Epoch, test_accuracy: float) -> None:
        """Print what remains of an epoch when its bar is gone."""
        width = len(str(self.recipe.epochs))
        rate = epoch.training.images / epoch.seconds
        print(
            f"epoch {epoch.number:{width}}/{self.recipe.epochs}   {_figures(epoch.training)}   "
            f"test {percent(test_accuracy)}   {rate:,.0f} images/s",
            flush=True,
        )


def _updating(shown: Any) -> Callable[[Progress], None] | None:
    if shown is None:
        return None

    def update(progress: Progress) -> None:
        shown.set_postfix_str(_figures(progress), refresh=False)
        shown.update(progress.images - shown.n)

    return update


def percent(share: float) -> str:
    """Write 0.9893 as 98.93 %."""
    return f"{100 * share:.2f} %"


def _figures(progress: Progress) -> str:
    return f"loss {progress.loss:.4f}   accuracy {percent(progress.accuracy)}"


def bar(total: int, title: str, unit: str) -> AbstractContextManager[Any]:
    """Show a progress bar, or give None if tqdm is not installed or nobody watches."""
    try:
        from tqdm import tqdm
    except ImportError:
        return nullcontext()
    if not sys.stderr.isatty():
        return nullcontext()
    return tqdm(total=total, desc=title, unit=unit, leave=False, dynamic_ncols=True)
