"""Arrays in, batches out."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from cnnfast.data.prefetch import prefetched
from cnnfast.data.transforms import Transform

Batch = tuple[np.ndarray, np.ndarray]
#: Says which of so many images to take: an index of theirs, ascending.
Cut = Callable[[int], slice | np.ndarray]

#: Images that are transformed together, with draws of their own: who wants only some images of a
#: batch prepares few others, and sees the draws that everyone sees.
GROUP = 64


class Images(Protocol):
    """What batches of images can be taken from: an array, or `ImageFiles`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class DataLoader:
    """Cut images and labels into batches, in order or shuffled, as they are or transformed.

    Each iteration is one epoch. Every epoch has its own order with ``shuffle=True``, and its own
    draws of the transform; the whole sequence of them follows from ``seed``, whatever the number
    of workers. An epoch that is left early ends there: the next iteration is the next epoch.

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
        Where the orders and the transform's draws come from; anything
        ``numpy.random.default_rng`` takes. None: different each time.
    drop_last : bool
        Leave out a last batch of fewer than ``batch_size`` images.
    transform : callable, optional
        ``transform(images, rng) -> images`` for up to 64 images of a batch at a time, with a
        generator of their own; for instance from `cnnfast.data.transforms`. With several workers
        it runs in several threads at once.
    workers : int
        Threads that prepare batches ahead of the loop; 0 prepares each when it is asked for.
    prefetch : int
        Batches ahead of the loop, for each worker.

    Yields
    ------
    tuple of numpy.ndarray
        ``(images, labels)`` of one batch: copies, free to be changed.

    Raises
    ------
    TypeError
        ``images`` or ``labels`` is not an array, ``batch_size``, ``workers`` or ``prefetch`` not
        an integer, ``seed`` not a seed, ``transform`` not callable.
    ValueError
        The lengths differ, or ``batch_size``, ``workers``, ``prefetch`` or ``seed`` is out of
        range.

    Examples
    --------
    >>> images = np.zeros((5, 1, 28, 28), np.float32)
    >>> labels = np.arange(5)
    >>> loader = DataLoader(images, labels, batch_size=2)
    >>> len(loader)
    3
    >>> [batch_labels.tolist() for batch_images, batch_labels in loader]
    [[0, 1], [2, 3], [4]]

    Augmented, on a thread beside the one that learns:

    >>> from cnnfast.data.transforms import RandomCrop
    >>> augment = RandomCrop(28, padding=2)
    >>> loader = DataLoader(images, labels, 2, shuffle=True, seed=0, transform=augment, workers=1)
    >>> sorted(label for _, batch_labels in loader for label in batch_labels.tolist())
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self,
        images: Images,
        labels: np.ndarray,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int | np.random.Generator | None = None,
        drop_last: bool = False,
        transform: Transform | None = None,
        workers: int = 0,
        prefetch: int = 2,
    ) -> None:
        _check_arrays(images, labels)
        if transform is not None and not callable(transform):
            raise TypeError(f"DataLoader: transform must be callable, found {transform!r}")
        self.images = images
        self.labels = labels
        self.batch_size = _checked("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transform = transform
        self.workers = _checked("workers", workers, 0)
        self.prefetch = _checked("prefetch", prefetch, 1)
        try:
            self._rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as error:
            raise type(error)(f"DataLoader: seed {seed!r} is not a seed: {error}") from error
        self._epoch: _Epoch | None = None  # under way
        self._resume_at = 0  # where the next epoch begins

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.images), self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[Batch]:
        """Start an epoch, or go on with the one that a state was loaded from."""
        return self.parts(lambda count: slice(None))

    def parts(self, cut: Cut) -> Iterator[Batch]:
        """Start an epoch as iteration does, and prepare only some images of each batch.

        Parameters
        ----------
        cut : callable
            ``cut(count) -> index``: which of the `count` images of a batch to take, as a slice or
            as an array of integers in ascending order; at least one.

        Returns
        -------
        iterator of tuple of numpy.ndarray
            What iteration would give, ``(images[index], labels[index])`` of each batch, to the bit.

        Examples
        --------
        >>> loader = DataLoader(np.zeros((5, 1, 2, 2)), np.arange(5), batch_size=4)
        >>> [labels.tolist() for _, labels in loader.parts(lambda count: slice(count // 2, None))]
        [[2, 3], [4]]
        """
        start = self._rng.bit_generator.state
        count = len(self.images)
        order = self._rng.permutation(count) if self.shuffle else np.arange(count)
        seed = 0 if self.transform is None else int(self._rng.integers(1 << 63))
        self._epoch = _Epoch(start, order, seed, self._resume_at)
        self._resume_at = 0
        return self._batches(self._epoch, cut)

    def _batches(self, epoch: _Epoch, cut: Cut) -> Iterator[Batch]:
        prepare = partial(self._prepare, epoch, cut)
        numbers = range(epoch.position, len(self))
        batches: Iterator[Batch]
        if self.workers:
            batches = prefetched(prepare, numbers, self.workers, self.workers * self.prefetch)
        else:
            batches = map(prepare, numbers)
        for batch in batches:
            epoch.position += 1
            yield batch
        if self._epoch is epoch:
            self._epoch = None

    def _prepare(self, epoch: _Epoch, cut: Cut, number: int) -> Batch:
        start = number * self.batch_size
        batch = epoch.order[start : start + self.batch_size]
        places = np.arange(len(batch))[cut(len(batch))]
        labels = self.labels[batch[places]]
        if self.transform is None:
            return self.images[batch[places]], labels
        groups = places // GROUP
        parts = []
        for group in np.unique(groups).tolist():
            first = group * GROUP
            # A generator for each, so that it matters neither who prepares it nor when.
            rng = np.random.default_rng((epoch.seed, number, group))
            images = self.transform(self.images[batch[first : first + GROUP]], rng)
            mine = places[groups == group] - first
            parts.append(images if len(mine) == len(images) else images[mine])
        return parts[0] if len(parts) == 1 else np.concatenate(parts), labels

    def state_dict(self) -> dict[str, Any]:
        """Give what it takes to go on later, in another process too, as if nothing had happened.

        Returns
        -------
        dict
            ``generator``: the state of the random generator as it was when the epoch began;
            ``position``: how many batches of the epoch were given (those that wait in threads do
            not count); ``images`` and ``batch_size``, to recognise another loader. JSON can hold
            it, unless ``seed`` was a generator of another kind than NumPy's default.

        Examples
        --------
        >>> images, labels = np.zeros((6, 1, 2, 2)), np.arange(6)
        >>> loader = DataLoader(images, labels, 2, shuffle=True, seed=0)
        >>> batches = iter(loader)
        >>> _ = next(batches)
        >>> state = loader.state_dict()
        >>> state["position"]
        1
        >>> resumed = DataLoader(images, labels, 2, shuffle=True)
        >>> resumed.load_state_dict(state)
        >>> [y.tolist() for _, y in resumed] == [y.tolist() for _, y in batches]
        True
        """
        epoch = self._epoch
        return {
            "generator": self._rng.bit_generator.state if epoch is None else epoch.start,
            "position": self._resume_at if epoch is None else epoch.position,
            "images": len(self.images),
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state: the next iteration gives the rest of its epoch.

        Parameters
        ----------
        state : dict
            As `state_dict` gave it, of a loader over the same images that was made alike. The
            number of workers may differ.

        Raises
        ------
        ValueError
            It is of a loader of another number of images or another batch size, or no state.

        Examples
        --------
        See `state_dict`.
        """
        try:
            position = _checked("position", state["position"], 0)
            for name, found in (("images", len(self.images)), ("batch_size", self.batch_size)):
                if state[name] != found:
                    raise ValueError(f"it is of {name} {state[name]}, this loader has {found}")
            if position > len(self):
                raise ValueError(f"it is at batch {position} of {len(self)}")
            self._rng.bit_generator.state = state["generator"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"DataLoader: this state cannot be loaded: {error}") from error
        self._epoch = None
        self._resume_at = position


@dataclass
class _Epoch:
    """One pass over the images."""

    start: Any  # state of the generator before the draws of this epoch
    order: np.ndarray
    seed: int  # of the transform
    position: int  # batches given


def _check_arrays(images: Images, labels: np.ndarray) -> None:
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


def _checked(name: str, value: int, least: int) -> int:
    try:
        checked = operator.index(value)
    except TypeError:
        raise TypeError(f"DataLoader: {name} must be an integer, found {value!r}") from None
    if checked < least:
        raise ValueError(f"DataLoader: {name} must be at least {least}, found {value}")
    return checked
