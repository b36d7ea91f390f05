"""A rank's part of every batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cnnfast.data import DataLoader
from cnnfast.distributed.world import init

Batch = tuple[np.ndarray, np.ndarray]


def shard(loader: Iterable[Batch]) -> Shard:
    """Give of each batch the part that belongs to this rank.

    All ranks must have the same `loader`, with the same seed: then the whole batches, and what
    comes of them, are those of one process. Parts differ by one image at most. Of a batch that has
    fewer images than there are ranks, every image is repeated until each rank has one: means over
    the batch stay what they were (only a running variance, unbiased, sees that it has grown).

    Parameters
    ----------
    loader : iterable of (images, labels)
        A `cnnfast.data.DataLoader` prepares on each rank only the images of its part (and fewer
        than 64 before and after them, if it transforms them). Of any other iterable each rank makes
        whole batches, and takes its part.

    Returns
    -------
    Shard
        An iterable of as many batches, which saves and restores its place as `loader` does: that
        is in whole batches, so another number of ranks can go on from it.

    Examples
    --------
    >>> from cnnfast import data, distributed
    >>> loader = data.DataLoader(np.zeros((5, 3)), np.arange(5), batch_size=2)
    >>> [labels.tolist() for images, labels in distributed.shard(loader)]  # the only rank has all
    [[0, 1], [2, 3], [4]]
    """
    world = init()
    return Shard(loader, world.rank, world.size)


class Shard:
    """Part number `rank` of `size` of every batch; see `shard`.

    Examples
    --------
    >>> batches = [(np.zeros((5, 3)), np.arange(5)), (np.zeros((1, 3)), np.array([5]))]
    >>> [labels.tolist() for images, labels in Shard(batches, rank=1, size=2)]
    [[2, 3, 4], [5]]
    """

    def __init__(self, loader: Any, rank: int, size: int) -> None:
        self.loader = loader
        self.rank, self.size = rank, size

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        if isinstance(self.loader, DataLoader):
            yield from self.loader.parts(self._part)
            return
        for images, labels in self.loader:
            mine = self._part(len(images))
            yield images[mine], labels[mine]

    def _part(self, count: int) -> np.ndarray | slice:
        """Which of `count` images are this rank's; never none, unless there are none at all."""
        times = -(-self.size // max(count, 1))
        first, last = (times * count * r // self.size for r in (self.rank, self.rank + 1))
        return slice(first, last) if times == 1 else np.arange(first, last) % max(count, 1)

    def state_dict(self) -> dict[str, Any]:
        """Give the loader's."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the loader's."""
        self.loader.load_state_dict(state)
