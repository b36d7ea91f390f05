"""Arrays in, batches out."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np


class DataLoader:
    """Cut images and labels into batches, in order or shuffled.

    Each iteration is one epoch. With ``shuffle=True`` every epoch has its own order, and the
    whole sequence of orders follows from ``seed``.

    Parameters
    ----------
    images : numpy.ndarray
        (N, ...), any dtype; usually float32 (N, C, H, W). May be read-only, a memory map, or what
        has a shape and gives arrays when it is indexed with one of integers, as `ImageFiles`.
    labels : numpy.ndarray
        (N, ...), any dtype; usually int64 (N,).
    batch_size : int
        Images in a batch.
    shuffle : bool
        Draw a new order for each epoch.
    seed : int, numpy.random.Generator or None
        Where the orders come from; anything ``numpy.random.default_rng`` takes. None: different
        each time.
    drop_last : bool
        Leave out a last batch of fewer than ``batch_size`` images.

    Yields
    ------
    tuple of numpy.ndarray
        ``(images, labels)`` of one batch: copies, free to be changed.

    Raises
    ------
    TypeError
        ``images`` or ``labels`` is not an array, ``batch_size`` not an integer, ``seed`` not a
        seed.
    ValueError
        The lengths differ, or ``batch_size`` or ``seed`` is out of range.

    Examples
    --------
    >>> images = np.zeros((5, 1, 28, 28), np.float32)
    >>> labels = np.arange(5)
    >>> loader = DataLoader(images, labels, batch_size=2)
    >>> len(loader)
    3
    >>> [batch_labels.tolist() for batch_images, batch_labels in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int | np.random.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        _check_arrays(images, labels)
        self.images = images
        self.labels = labels
        self.batch_size = _checked_batch_size(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        try:
            self._rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as error:
            raise type(error)(f"DataLoader: seed {seed!r} is not a seed: {error}") from error

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.images), self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Start an epoch."""
        count = len(self.images)
        order = self._rng.permutation(count) if self.shuffle else np.arange(count)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            batch = order[start : start + self.batch_size]
            yield self.images[batch], self.labels[batch]


def _check_arrays(images: np.ndarray, labels: np.ndarray) -> None:
    for name, array in (("images", images), ("labels", labels)):
        # Not only NumPy's: images may be decoded as they are asked for.
        if not hasattr(array, "shape") or not hasattr(array, "__getitem__"):
            raise TypeError(
                f"DataLoader: {name} must be a NumPy array, found {type(array).__name__}"
            )
        if not array.shape:
            raise ValueError(f"DataLoader: {name} must have a batch dimension, found shape ()")
    if len(images) != len(labels):
        raise ValueError(
            f"DataLoader: images and labels must be of one length, "
            f"found {len(images)} images and {len(labels)} labels"
        )


def _checked_batch_size(batch_size: int) -> int:
    try:
        checked = operator.index(batch_size)
    except TypeError:
        raise TypeError(
            f"DataLoader: batch_size must be an integer, found {batch_size!r}"
        ) from None
    if checked < 1:
        raise ValueError(f"DataLoader: batch_size must be at least 1, found {batch_size}")
    return checked
