"""MNIST: the full set from its four IDX files, and the subset that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cnnfast.data.dataset import Dataset
from cnnfast.data.idx import read_idx

_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def mnist(root: str | os.PathLike[str]) -> Dataset:
    """Read MNIST, or a set in the same files such as Fashion-MNIST.

    Parameters
    ----------
    root : str or os.PathLike
        The folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each as it is or with ``.gz``
        (where both are there, the one without).

    Returns
    -------
    Dataset
        ``(train_images, train_labels, test_images, test_labels)``: images float32
        (N, 1, 28, 28) scaled to [0, 1], labels int64 (N,) in 0..9.

    Raises
    ------
    FileNotFoundError
        Files are missing; the message names them and where they can be had.
    ValueError
        A file is damaged, is not what its name says, or does not fit its partner.

    Examples
    --------
    >>> from importlib.resources import files
    >>> dataset = mnist(files("cnnfast.data") / "digits")
    >>> dataset.test_images.shape, dataset.test_labels.shape
    ((1000, 1, 28, 28), (1000,))
    """
    train_images, train_labels, test_images, test_labels = _find(Path(root))
    return Dataset(
        *_read_pair(train_images, train_labels),
        *_read_pair(test_images, test_labels),
    )


def digits() -> Dataset:
    """Give the bundled subset of MNIST: 5,000 digits to learn from, 1,000 to test with.

    Every class has the same number of images. ``digits/NOTICE`` beside this file says whose they
    are and under which licence.

    Returns
    -------
    Dataset
        As :func:`mnist` returns it: images float32 (N, 1, 28, 28) scaled to [0, 1], labels
        int64 (N,) in 0..9.

    Examples
    --------
    >>> train_images, train_labels, test_images, test_labels = digits()
    >>> train_images.shape, train_images.dtype
    ((5000, 1, 28, 28), dtype('float32'))
    >>> test_labels.shape, test_labels.dtype
    ((1000,), dtype('int64'))
    """
    return mnist(Path(__file__).with_name("digits"))


def _find(root: Path) -> list[Path]:
    found, missing = [], []
    for name in _NAMES:
        # is_file, because some archives unpack each file into a folder of the same name.
        candidates = [path for path in (root / name, root / f"{name}.gz") if path.is_file()]
        if candidates:
            found.append(candidates[0])
        else:
            missing.append(name)
    if missing:
        raise FileNotFoundError(
            f"mnist: no {', '.join(missing)} in {root} (looked for each as it is and with .gz); "
            f"the files can be had from {_SOURCE}"
        )
    return found


def _read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images = read_idx(images_path)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"mnist: {images_path}: found {images.dtype} {images.shape}, "
            "expected images, uint8 (N, 28, 28)"
        )
    labels = read_idx(labels_path)
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise ValueError(
            f"mnist: {labels_path}: found {labels.dtype} {labels.shape}, "
            "expected labels, uint8 (N,)"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"mnist: {labels_path}: found {len(labels)} labels, "
            f"expected one for each of the {len(images)} images of {images_path.name}"
        )
    outside = np.flatnonzero(labels > 9)
    if outside.size:
        raise ValueError(
            f"mnist: {labels_path}: found label {labels[outside[0]]} at index {outside[0]}, "
            "expected 0 to 9"
        )
    scaled = np.divide(images[:, np.newaxis], 255, dtype=np.float32)
    return scaled, labels.astype(np.int64)
