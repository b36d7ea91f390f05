"""What training on several processes needs to know of them."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")


class Ranks(Protocol):
    """The processes that train together: `cnnfast.distributed.init` gives them."""

    rank: int
    size: int

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Replace an array by its sum over all ranks; return it."""

    def broadcast(self, value: T) -> T:
        """Give the value that rank 0 has."""


def is_first(world: Ranks | None) -> bool:
    """Tell whether this rank is the one that writes and shows: rank 0, or the only one."""
    return world is None or world.rank == 0


def mean_of_all(
    world: Ranks | None, loss: float, accuracy: float, images: int
) -> tuple[float, float, int]:
    """Give the means of all ranks' images, and how many they are."""
    if world is None:
        return loss, accuracy, images
    sums = world.sum(np.array([loss * images, accuracy * images, images], np.float64))
    return float(sums[0] / sums[2]), float(sums[1] / sums[2]), int(sums[2])


def any_of_all(world: Ranks | None, here: bool) -> bool:
    """Tell whether something is so on any rank."""
    return here if world is None else bool(world.sum(np.array([int(here)]))[0])
