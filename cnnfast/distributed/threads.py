"""How many threads a rank takes where several share a machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from cnnfast._ext import threads


def share_processors(machine: Any) -> None:
    """Set the threads of each rank so that those of a machine together fill it once.

    Whoever set CNNFAST_NUM_THREADS or OMP_NUM_THREADS has chosen; then nothing is changed.

    Parameters
    ----------
    machine : mpi4py.MPI.Comm
        The ranks of this machine; all of them must call.
    """
    everyones = machine.allgather(_processors())
    if not (os.environ.get("CNNFAST_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")):
        threads.set_num_threads(fair_share(everyones, machine.rank, threads.cgroup_quota()))


def fair_share(everyones: Sequence[Sequence[int]], rank: int, quota: float) -> int:
    """Give the threads for one rank of a machine, 1 or more.

    Parameters
    ----------
    everyones : sequence of sequence of int
        The processors that each rank may use. Launchers bind ranks to some of them, or to none;
        one that k ranks may use is a k-th of a processor to each.
    rank : int
    quota : float
        How many processors' worth of time the machine's ranks have together.

    Examples
    --------
    >>> fair_share([range(8)] * 3, 0, quota=float("inf"))
    2
    >>> fair_share([range(0, 4), range(4, 8)], 0, quota=float("inf"))
    4
    """
    users = Counter(processor for processors in everyones for processor in processors)
    share = sum(Fraction(1, users[processor]) for processor in everyones[rank])
    return max(1, int(min(share, quota / len(everyones))))


def _processors() -> list[int]:
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return list(range(os.cpu_count() or 1))
