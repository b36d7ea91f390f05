"""The batches of a data set, as the settings want them."""

from __future__ import annotations

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.cli.datasets import Data
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

# Of all networks only this one is for the 28x28 of MNIST. Others halve images up to five times.
LENET, SIDE = "lenet5", 32
TEST_BATCH = 256


def train_loader(dataset: Data, settings: Settings, order: np.random.Generator) -> DataLoader:
    """Give the batches to learn from, in another order each time."""
    transforms = _augmentation(dataset, settings) + _preparation(dataset, settings)
    return DataLoader(
        dataset.train_images,
        dataset.train_labels,
        settings.batch_size,
        shuffle=True,
        seed=order,
        transform=Compose(transforms) if transforms else None,
        workers=_workers(dataset, settings, bool(transforms)),
    )


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
