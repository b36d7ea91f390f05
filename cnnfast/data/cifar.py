"""CIFAR-10 and CIFAR-100 from their binary files.

A file is nothing but records: the label (in CIFAR-100 the superclass, then the class), a byte each,
then 3,072 bytes of an image of 32x32, the red plane, the green one and the blue one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfast.data.dataset import Dataset

_SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


class _Labels(NamedTuple):
    """Where the label is among a record's first bytes."""

    bytes: int
    position: int
    classes: int


_CIFAR100_LABELS = {"coarse": _Labels(2, 0, 20), "fine": _Labels(2, 1, 100)}


def cifar10(root: str | os.PathLike[str]) -> Dataset:
    """Read CIFAR-10: 50,000 images of 10 classes to learn from, 10,000 to test with.

    Parameters
    ----------
    root : str or os.PathLike
        The folder with ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, or the
        one above it, where the archive ``cifar-10-binary.tar.gz`` was unpacked.

    Returns
    -------
    Dataset
        ``(train_images, train_labels, test_images, test_labels)``: images float32
        (N, 3, 32, 32) scaled to [0, 1], labels int64 (N,) in 0..9. The training images take
        614 MB.

    Raises
    ------
    FileNotFoundError
        Files are missing; the message names them and where they can be had.
    ValueError
        A file does not end with a whole record, or a label is out of range.

    References
    ----------
    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
    ...                  "data_batch_5", "test_batch"):
    ...         _ = Path(folder, f"{name}.bin").write_bytes(bytes([7, *[255] * 3072]))
    ...     dataset = cifar10(folder)
    >>> dataset.train_images.shape, dataset.test_labels.tolist()
    ((5, 3, 32, 32), [7])
    """
    train = [f"data_batch_{number}.bin" for number in range(1, 6)]
    folder = _find("cifar10", Path(root), "cifar-10-batches-bin", [*train, "test_batch.bin"])
    labels = _Labels(1, 0, 10)
    return Dataset(
        *_read("cifar10", [folder / name for name in train], labels),
        *_read("cifar10", [folder / "test_batch.bin"], labels),
    )


def cifar100(root: str | os.PathLike[str], label_mode: str = "fine") -> Dataset:
    """Read CIFAR-100: 50,000 images of 100 classes to learn from, 10,000 to test with.

    Parameters
    ----------
    root : str or os.PathLike
        The folder with ``train.bin`` and ``test.bin``, or the one above it, where the archive
        ``cifar-100-binary.tar.gz`` was unpacked.
    label_mode : "fine" or "coarse"
        The 100 classes, or the 20 superclasses that they fall into.

    Returns
    -------
    Dataset
        As `cifar10` returns it, with labels in 0..99 or 0..19.

    Raises
    ------
    FileNotFoundError, ValueError
        As `cifar10`, and for another `label_mode`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("train", "test"):
    ...         _ = Path(folder, f"{name}.bin").write_bytes(bytes([11, 98, *[0] * 3072]))
    ...     cifar100(folder).test_labels, cifar100(folder, "coarse").test_labels
    (array([98]), array([11]))
    """
    if label_mode not in _CIFAR100_LABELS:
        raise ValueError(f'cifar100: label_mode must be "fine" or "coarse", got {label_mode!r}')
    folder = _find("cifar100", Path(root), "cifar-100-binary", ["train.bin", "test.bin"])
    labels = _CIFAR100_LABELS[label_mode]
    return Dataset(
        *_read("cifar100", [folder / "train.bin"], labels),
        *_read("cifar100", [folder / "test.bin"], labels),
    )


def _find(function: str, root: Path, unpacked: str, names: list[str]) -> Path:
    folder = root / unpacked if (root / unpacked).is_dir() else root
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{function}: no {', '.join(missing)} in {folder}; the files can be had from {_SOURCE} "
            "(the binary version)"
        )
    return folder


def _read(function: str, paths: list[Path], kind: _Labels) -> tuple[np.ndarray, np.ndarray]:
    files = [_records(function, path, kind) for path in paths]
    count = sum(len(records) for records in files)
    images = np.empty((count, *_IMAGE), np.float32)
    flat = images.reshape(count, _PIXELS)
    start = 0
    for records in files:  # one after the other, for a single copy of them all
        end = start + len(records)
        np.divide(records[:, kind.bytes :], 255, out=flat[start:end], dtype=np.float32)
        start = end
    labels = np.concatenate([records[:, kind.position] for records in files])
    return images, labels.astype(np.int64)


def _records(function: str, path: Path, kind: _Labels) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    size = kind.bytes + _PIXELS
    if not content.size or content.size % size:
        raise ValueError(
            f"{function}: {path}: found {content.size} bytes, expected records of {size} bytes"
        )
    records = content.reshape(-1, size)
    outside = np.flatnonzero(records[:, kind.position] >= kind.classes)
    if outside.size:
        raise ValueError(
            f"{function}: {path}: found label {records[outside[0], kind.position]} in record "
            f"{outside[0]}, expected 0 to {kind.classes - 1}"
        )
    return records
