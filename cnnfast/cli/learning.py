"""How the subcommands train a network, and what they show of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.cli.networks import maker
from cnnfast.data import DataLoader, Dataset
from cnnfast.nn import CrossEntropyLoss, Module
from cnnfast.optim import SGD
from cnnfast.training import Progress, evaluate, train_epoch

# Of all networks only this one is for the 28x28 of MNIST. Others halve images up to five times.
LENET, SIDE = "lenet5", 32


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
    """A fresh network and its training: everything random follows from the recipe's seed.

    Images of fewer than 32 rows or columns get as many zeros around them as are missing, except
    for LeNet-5.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
    name : str
        Of a function of `cnnfast.models`.

    Attributes
    ----------
    model : Module
    dataset : Dataset
        As the network sees it.

    Raises
    ------
    CommandError
        There are no images, no such network, or it cannot take them.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, name: str = LENET) -> None:
        for part, images in (("train", dataset.train_images), ("test", dataset.test_images)):
            if not len(images):
                raise CommandError(f"there are no images to {part} with")
        seeds = np.random.SeedSequence(recipe.seed).spawn(3)
        weights, order, self._shifts = map(np.random.default_rng, seeds)
        self.dataset = dataset if name == LENET else _padded(dataset)
        self.recipe = recipe
        self.model = _fresh(name, self.dataset, weights).train()
        self._loader = DataLoader(
            self.dataset.train_images,
            self.dataset.train_labels,
            recipe.batch_size,
            shuffle=True,
            seed=order,
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


def _padded(dataset: Dataset) -> Dataset:
    """Put zeros around images that are too small."""
    missing = [max(0, SIDE - side) for side in dataset.train_images.shape[2:]]
    around = [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in missing)]
    return dataset._replace(
        train_images=np.pad(dataset.train_images, around),
        test_images=np.pad(dataset.test_images, around),
    )


def _fresh(name: str, dataset: Dataset, rng: np.random.Generator) -> Module:
    """Make the network of that name for a data set; see whether it takes its images."""
    one = dataset.train_images[:1]
    classes = int(max(dataset.train_labels.max(), dataset.test_labels.max())) + 1
    model = maker(name)(classes, one.shape[1], rng=rng)
    try:
        model(one)
    except ValueError as error:
        height, width = one.shape[2:]
        raise CommandError(f"{name} is not for images of {height}x{width}: {error}") from error
    return model


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
