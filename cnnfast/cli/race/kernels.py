"""The race at one task: cnnfast, vectorised NumPy, the naive loops, and whoever else comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from cnnfast import functional, reference
from cnnfast.cli.race import vectorised
from cnnfast.cli.race.tasks import KERNELS, Layer, Task, columns_shape
from cnnfast.cli.race.turns import Timing, UnequalError, check_equal, race, seconds_of

# What tells how long the naive loops' steps take.
TRIAL_STEPS = 5_000

LOOPS = SimpleNamespace(**{name: getattr(reference, name) for name in KERNELS})
LOOPS.max_pool2d = lambda *operands: reference.max_pool2d(*operands)[0]


class NaiveTiming(NamedTuple):
    """Seconds the naive loops took for a slice of the work, and what they would for all of it."""

    seconds: float
    slice_seconds: float
    slice: str


class Result(NamedTuple):
    """What was measured of one task; the first of `timings` is cnnfast's."""

    task: str
    kernel: str
    layer: Layer
    work: int
    unit: str
    timings: dict[str, Timing]
    loops: NaiveTiming

    @property
    def rate(self) -> float:
        """Thousand millions of work a second, for cnnfast."""
        return self.work / self.timings["cnnfast"].minimum / 1e9

    def ratio(self, name: str) -> float | None:
        """How many times as fast as `name` cnnfast is; None if `name` did not take part."""
        if name == "loops":
            return self.loops.seconds / self.timings["cnnfast"].minimum
        timing = self.timings.get(name)
        return timing and timing.minimum / self.timings["cnnfast"].minimum


def measure(
    task: Task,
    seconds: float,
    loop_seconds: float,
    peers: Mapping[str, Callable[[], Any]] | None = None,
) -> Result:
    """Race cnnfast, vectorised NumPy and any `peers` at one task, and time the naive loops.

    im2col and col2im only move memory, so a plain copy of the columns, into a new array as theirs
    are, runs with them.

    Raises
    ------
    UnequalError
        If any two of them disagree.
    """
    competitors = {"cnnfast": task.call(functional), "NumPy": task.call(vectorised)}
    yardstick = {}
    if task.kernel in ("im2col", "col2im"):
        yardstick["copy"] = np.ones(columns_shape(task.layer), np.float32).copy
    try:
        loops = time_loops(task, loop_seconds)
        timings = race({**competitors, **(peers or {})}, seconds, unchecked=yardstick)
    except UnequalError as error:
        raise UnequalError(f"{task}: {error}") from None
    return Result(str(task), task.kernel, task.layer, task.work, task.unit, timings, loops)


def time_loops(task: Task, seconds: float) -> NaiveTiming:
    """Time the naive loops on a slice of a task, cut so that they take about `seconds`.

    Raises
    ------
    UnequalError
        If cnnfast gives another result there.
    """
    rng = np.random.default_rng(0)
    trial = Task(task.kernel, task.slice(TRIAL_STEPS)[0], rng)
    steps = seconds / 2 * trial.steps / seconds_of(trial.call(LOOPS))
    layer, what = task.slice(steps)
    part = Task(task.kernel, layer, rng)
    loops = part.call(LOOPS)
    start = time.perf_counter()
    expected = loops()
    elapsed = min(time.perf_counter() - start, seconds_of(loops))
    check_equal("cnnfast", part.call(functional)(), "the naive loops", expected)
    return NaiveTiming(elapsed * task.steps / part.steps, elapsed, what)
