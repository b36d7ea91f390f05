"""A data set as the command line names it: a folder, of one of several kinds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfast import data
from cnnfast.cli import CommandError
from cnnfast.cli.networks import usual_side
from cnnfast.cli.settings import KINDS, Settings

# By a file or folder that only such a set has.
_SIGNS = {
    "mnist": ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"),
    "cifar10": ("data_batch_1.bin", "cifar-10-batches-bin"),
    "cifar100": ("train.bin", "cifar-100-binary"),
    "arrays": ("train_images.npy",),
    "images": ("train",),
}
_TESTS = ("test", "val", "validation")
_SAMPLE = 1_000  # images that mean and standard deviation are taken of


class Data(NamedTuple):
    """Images (N, C, H, W), labels (N,) of int64, and names of the classes, if only numbers."""

    train_images: np.ndarray | data.ImageFiles
    train_labels: np.ndarray
    test_images: np.ndarray | data.ImageFiles
    test_labels: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def of(cls, arrays: data.Dataset, classes: tuple[str, ...] | None = None) -> Data:
        """Number the classes of a data set that has no names for them, if there are none yet."""
        return cls(*arrays, classes or _numbered(arrays.train_labels, arrays.test_labels))


def dataset(settings: Settings, classes: tuple[str, ...] | None = None) -> Data:
    """Read the data set of a run, which has these classes if they are known.

    Raises
    ------
    CommandError
        There is none, or none of that kind, or it is damaged, or a class has no images.
    """
    if settings.data is None:
        raise CommandError("train needs --data, the folder with the images")
    root = Path(settings.data)
    kind = settings.kind or _kind_of(root)
    try:
        if kind == "images":
            return _image_folders(root, settings, classes)
        return Data.of(_checked(getattr(data, kind)(root)), classes)
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from error


def mean_and_std(
    images: np.ndarray | data.ImageFiles,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give mean and standard deviation of each channel, over evenly spaced images."""
    count = min(len(images), _SAMPLE)
    sample = images[np.linspace(0, len(images) - 1, count).astype(int)]
    scale = 255.0 if sample.dtype == np.uint8 else 1.0
    mean = sample.mean(axis=(0, 2, 3), dtype=np.float64) / scale
    std = sample.std(axis=(0, 2, 3), dtype=np.float64) / scale
    # Six digits are enough, and are easily read in a file of settings.
    return tuple(mean.round(6).tolist()), tuple(np.maximum(std, 1e-6).round(6).tolist())


def _kind_of(root: Path) -> str:
    for kind, signs in _SIGNS.items():
        if any((root / sign).exists() for sign in signs):
            return kind
    if not root.is_dir():
        raise CommandError(f"{root}: there is no such folder")
    raise CommandError(
        f"{root} is no data set of a known kind ({', '.join(KINDS)}): none of "
        f"{', '.join(signs[0] for signs in _SIGNS.values())} is in it"
    )


def _image_folders(root: Path, settings: Settings, classes: tuple[str, ...] | None) -> Data:
    tests = [root / name for name in _TESTS if (root / name).is_dir()]
    if not tests or not (root / "train").is_dir():
        raise CommandError(
            f"{root} must have folders train and {' or '.join(_TESTS)}, each with a folder of "
            "images for each class"
        )
    size = settings.image_size or usual_side(settings.model)
    channels = 1 if settings.grey else 3
    train = data.image_folder(root / "train", size, channels, classes)
    test = data.image_folder(tests[0], size, channels, train.classes)
    return Data(train.images, train.labels, test.images, test.labels, train.classes)


def _checked(read: data.Dataset) -> data.Dataset:
    """Check that these are images and labels; give all labels as int64."""
    for part, images, labels in (
        ("train", read.train_images, read.train_labels),
        ("test", read.test_images, read.test_labels),
    ):
        if not len(images):
            raise CommandError(f"there are no images to {part} with")
        if images.ndim != 4 or images.dtype not in (np.uint8, np.float32, np.float64):
            raise CommandError(
                f"images to {part} with are {images.dtype} {images.shape}, must be (N, C, H, W) of "
                "uint8, float32 or float64"
            )
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise CommandError(
                f"labels to {part} with are {labels.dtype} {labels.shape}, must be integers (N,)"
            )
        if labels.min() < 0:
            raise CommandError(f"a label to {part} with is {labels.min()}, must be at least 0")
    return read._replace(
        train_labels=read.train_labels.astype(np.int64),
        test_labels=read.test_labels.astype(np.int64),
    )


def _numbered(train_labels: np.ndarray, test_labels: np.ndarray) -> tuple[str, ...]:
    """Name classes by their numbers, from 0, each of which must occur among `train_labels`."""
    known = np.unique(train_labels)
    missing = np.append(np.flatnonzero(known != np.arange(len(known))), len(known))[0]
    most = max(known[-1], test_labels.max())
    if missing <= most:
        raise CommandError(
            f"class {missing} has no images to train with, but there are labels up to {most}"
        )
    return tuple(map(str, range(len(known))))
