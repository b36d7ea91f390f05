"""Data sets of one's own in NumPy's files, mapped into memory and not read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cnnfast.data.dataset import Dataset


def arrays(root: str | os.PathLike[str]) -> Dataset:
    """Map a folder of ``.npy`` files into memory: images are read when they are needed.

    So a set may be larger than the memory, and opens at once. ``numpy.save`` writes such files.

    Parameters
    ----------
    root : str or os.PathLike
        The folder with ``train_images.npy``, ``train_labels.npy``, ``test_images.npy`` and
        ``test_labels.npy``.

    Returns
    -------
    Dataset
        Read-only memory maps of what is in the files: images (N, ...) of any type (networks take
        floats; `transforms.Normalize` makes them of uint8), labels (N, ...).

    Raises
    ------
    FileNotFoundError
        Files are missing; the message names them.
    ValueError
        A file is no ``.npy`` file of numbers, holds less than its header claims, or has not one
        label for each image; or the images to test with have another shape or type than those to
        learn from.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, count in (("train", 5), ("test", 2)):
    ...         np.save(f"{folder}/{part}_images.npy", np.zeros((count, 3, 64, 64), np.uint8))
    ...         np.save(f"{folder}/{part}_labels.npy", np.arange(count))
    ...     dataset = arrays(folder)
    >>> dataset.train_images.shape, dataset.test_labels.tolist()
    ((5, 3, 64, 64), [0, 1])
    """
    root = Path(root)
    paths = [root / f"{name}.npy" for name in Dataset._fields]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"arrays: no {', '.join(missing)} in {root}")
    dataset = Dataset(*map(_map, paths))
    for images, labels, path in (
        (dataset.train_images, dataset.train_labels, paths[1]),
        (dataset.test_images, dataset.test_labels, paths[3]),
    ):
        if len(images) != len(labels):
            raise ValueError(
                f"arrays: {path}: found {len(labels)} labels, expected one for each of the "
                f"{len(images)} images beside it"
            )
    _check_alike(dataset, paths[2])
    return dataset


def _map(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"arrays: {path}: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise ValueError(f"arrays: {path}: found no array of several images or labels")
    return array


def _check_alike(dataset: Dataset, path: Path) -> None:
    train, test = dataset.train_images, dataset.test_images
    if (train.shape[1:], train.dtype) != (test.shape[1:], test.dtype):
        raise ValueError(
            f"arrays: {path}: found images {test.shape[1:]} of {test.dtype}, expected "
            f"{train.shape[1:]} of {train.dtype} as in those to learn from"
        )
