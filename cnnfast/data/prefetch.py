"""Threads that work ahead of the loop that takes their results."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")

THREAD_NAME = "cnnfast-DataLoader"


def prefetched(
    prepare: Callable[[int], T], numbers: Iterable[int], workers: int, ahead: int
) -> Iterator[T]:
    """Give what ``map(prepare, numbers)`` gives, prepared by threads.

    The threads end when all is given, when one of them raises (which raises here, in its turn) and
    when the iterator is closed or collected. A forked child has no threads and prepares the rest of
    an iteration itself.

    Parameters
    ----------
    prepare : callable
        Called for several numbers at once if there are several workers.
    numbers : iterable of int
    workers : int
        How many threads, 1 or more.
    ahead : int
        How many results may be under way or waiting while the loop is at work.

    Yields
    ------
    What `prepare` returned, in the order of `numbers`.

    Examples
    --------
    >>> list(prefetched(abs, [-3, 2, -1], workers=2, ahead=2))
    [3, 2, 1]
    """
    process = os.getpid()
    rest = iter(numbers)
    waiting: deque[tuple[int, Future[T]]] = deque()
    pool = ThreadPoolExecutor(workers, THREAD_NAME)
    try:
        waiting.extend((number, pool.submit(prepare, number)) for number in islice(rest, ahead))
        while waiting and os.getpid() == process:
            # Before the wait, so that a thread that is done goes on at once.
            waiting.extend((number, pool.submit(prepare, number)) for number in islice(rest, 1))
            yield waiting.popleft()[1].result()  # of which nothing is kept here
    finally:
        if os.getpid() == process:
            # Without a wait: the garbage collector may come here in any thread, one of these too,
            # and under any lock. They end with the batch at hand.
            pool.shutdown(wait=False, cancel_futures=True)
    for number in chain((number for number, _ in waiting), rest):
        yield prepare(number)
