"""Where each value of a plan lies: one block of memory, used again as soon as a value is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 64


class Life(NamedTuple):
    """How much memory a value needs, from which step to which, both included."""

    size: int
    first: int
    last: int


def lay_out(lives: Sequence[Life]) -> tuple[list[int], int]:
    """Give each value an offset, such that values alive at one time do not overlap.

    The largest go first, each to the lowest gap that is free all its life: not always the smallest
    block that is possible (that is NP-hard), but in networks nearly so.

    Returns
    -------
    offsets : list of int
        Multiples of 64.
    size : int
        Of the whole block.

    References
    ----------
    Y. Pisarchyk, J. Lee, "Efficient memory management for deep neural net inference", 2020:
    greedy by size.

    Examples
    --------
    >>> lay_out([Life(640, 0, 1), Life(640, 1, 2), Life(640, 2, 3)])
    ([0, 640, 0], 1280)
    """
    offsets = [0] * len(lives)
    placed: list[int] = []
    for i in sorted(range(len(lives)), key=lambda i: -lives[i].size):
        size, first, last = lives[i]
        neighbours = sorted(
            (offsets[j], offsets[j] + lives[j].size)
            for j in placed
            if lives[j].first <= last and first <= lives[j].last
        )
        offset = 0
        for start, end in neighbours:
            if offset + size <= start:
                break
            offset = max(offset, -(-end // ALIGNMENT) * ALIGNMENT)
        offsets[i] = offset
        placed.append(i)
    return offsets, max((o + life.size for o, life in zip(offsets, lives, strict=True)), default=0)
