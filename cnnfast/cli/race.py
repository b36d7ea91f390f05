"""Timing competitors against each other, fairly: same work, checked results, taking turns.

On a machine shared with others only a comparison within one run means anything, and only if a slow
spell hits all alike. So the competitors take turns, round after round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from cnnfast import functional, reference
from cnnfast.cli import vectorised
from cnnfast.cli.tasks import CONVOLUTION_KERNELS, POOL_KERNELS, Layer, Task, columns_shape

# Rounding differs with the order of summation: up to this part of the largest element.
TOLERANCE = 1e-4
# Thread pools keep spinning for a while after their work, on processors the next one needs.
SETTLE = 1e-2
# A turn of a quick competitor is several calls, about so long in all.
TURN = 2e-3
LEAST_ROUNDS, MOST_ROUNDS = 3, 200
# What tells how long the naive loops' steps take.
TRIAL_STEPS = 5_000

LOOPS = SimpleNamespace(
    **{name: getattr(reference, name) for name in CONVOLUTION_KERNELS + POOL_KERNELS}
)
LOOPS.max_pool2d = lambda *operands: reference.max_pool2d(*operands)[0]


class UnequalError(Exception):
    """Two competitors disagree about a result, so there is nothing to time."""


class Timing(NamedTuple):
    """Seconds a call took, over `calls` calls."""

    minimum: float
    median: float
    calls: int


class NaiveTiming(NamedTuple):
    """Seconds the naive loops took for a slice of the work, and what they would for all of it."""

    seconds: float
    slice_seconds: float
    slice: str


def race(
    competitors: Mapping[str, Callable[[], Any]],
    seconds: float = 0.5,
    *,
    unchecked: Mapping[str, Callable[[], Any]] | None = None,
    tolerance: float = TOLERANCE,
) -> dict[str, Timing]:
    """Check that all competitors agree, then time their calls in turns.

    Parameters
    ----------
    competitors : mapping of names to functions without arguments
        Each returns an array, or several, or None for one. All are compared with the first's.
    seconds : float
        Time to spend, about; there are never fewer than three rounds.
    unchecked : mapping, optional
        What runs along as a yardstick, whatever it returns.
    tolerance : float
        Largest difference, as a part of the largest element of the first's result.

    Raises
    ------
    UnequalError
        If results differ in shape or by more than `tolerance`.
    """
    entrants = {**competitors, **(unchecked or {})}
    (first, call), *others = competitors.items()
    expected = call()
    for name, other in others:
        check_equal(name, other(), first, expected, tolerance)
    del expected
    for call in (unchecked or {}).values():
        call()

    estimates = {name: _estimate(call) for name, call in entrants.items()}
    calls = {name: max(1, min(20, int(TURN / t))) for name, t in estimates.items()}
    # What a turn costs: the wait, one call to get warm again, the calls that count.
    turn = sum(SETTLE + t * (calls[name] + (t < TURN)) for name, t in estimates.items())
    times: dict[str, list[float]] = {name: [] for name in entrants}
    order = list(entrants)
    for _ in range(max(LEAST_ROUNDS, min(MOST_ROUNDS, int(seconds / turn)))):
        for name in order:
            time.sleep(SETTLE)
            if estimates[name] < TURN:
                entrants[name]()
            times[name] += [_time(entrants[name]) for _ in range(calls[name])]
        order.append(order.pop(0))  # nobody always follows the same neighbour's cache and threads
    return {name: Timing(min(ts), median(ts), len(ts)) for name, ts in times.items()}


def _time(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _estimate(call: Callable[[], Any]) -> float:
    first = _time(call)
    return first if first > 0.05 else min(first, _time(call), _time(call))


def check_equal(
    name: str, results: Any, first: str, expected: Any, tolerance: float = TOLERANCE
) -> None:
    """Raise `UnequalError`, saying where and by how much, unless `results` are as `expected`."""
    results, expected = _several(results), _several(expected)
    if len(results) != len(expected):
        raise UnequalError(f"{name} gives {len(results)} results, {first} {len(expected)}")
    for i, pair in enumerate(zip(results, expected, strict=True)):
        actual, right = map(np.asarray, pair)
        which = f"result {i} of {name}" if len(results) > 1 else f"the result of {name}"
        if actual.shape != right.shape:
            raise UnequalError(f"{which} has shape {actual.shape}, that of {first} {right.shape}")
        if not right.size:
            continue
        scale = np.abs(right).max() or 1.0
        error = np.abs(actual - right).max() / scale
        if not error <= tolerance:
            raise UnequalError(
                f"{which} differs from that of {first} by {error:.1e} of its largest element, "
                f"more than {tolerance:.0e}"
            )


def _several(results: Any) -> Sequence[Any]:
    return results if isinstance(results, (tuple, list)) else (results,)


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
    steps = seconds / 2 * trial.steps / _time(trial.call(LOOPS))
    layer, what = task.slice(steps)
    part = Task(task.kernel, layer, rng)
    loops = part.call(LOOPS)
    start = time.perf_counter()
    expected = loops()
    elapsed = min(time.perf_counter() - start, _time(loops))
    check_equal("cnnfast", part.call(functional)(), "the naive loops", expected)
    return NaiveTiming(elapsed * task.steps / part.steps, elapsed, what)


# ---------------------------------------------------------------------------- the demo's table

DEMO = (
    Layer("LeNet-5 conv2", n=64, c=6, h=14, w=14, k=16, r=5, s=5),
    Layer("VGG-16 conv2_1", n=1, c=64, h=56, w=56, k=64, r=3, s=3, padding=1),
    Layer("LeNet-5 pool1", n=64, c=6, h=28, w=28, r=2, s=2, stride=2),
    Layer("ResNet-18 pool1", n=1, c=64, h=112, w=112, r=3, s=3, stride=2, padding=1),
)
DEMO_SECONDS = 0.3


def race_kernels(
    progress: Callable[[Sequence[Task]], Iterable[Task]] | None = None,
) -> list[Result]:
    """Measure every kernel on two small layers, in about ten seconds.

    Parameters
    ----------
    progress : function, optional
        Given the list of tasks it returns an iterable over them that shows how far it is, as
        ``tqdm.tqdm`` does.

    Raises
    ------
    UnequalError
        If cnnfast, NumPy and the naive loops do not agree.
    """
    rng = np.random.default_rng(0)
    tasks = [Task(kernel, layer, rng) for layer in DEMO for kernel in layer.kernels]
    tasks.sort(key=lambda task: (CONVOLUTION_KERNELS + POOL_KERNELS).index(task.kernel))
    return [measure(task, DEMO_SECONDS, DEMO_SECONDS) for task in (progress or iter)(tasks)]


def table(results: Sequence[Result]) -> str:
    """Lay results out as plain text, a line each: how many times as fast as each competitor."""
    names = ["loops", *dict.fromkeys(name for result in results for name in result.timings)]
    names.remove("cnnfast")
    names.sort(key="copy".__eq__)  # no competitor, so last
    lines = [["kernel", "layer", "cnnfast", "rate", *(f"vs {name}" for name in names)]]
    for result in results:
        ratios = [result.ratio(name) for name in names]
        lines.append(
            [
                result.kernel,
                result.layer.name,
                f"{result.timings['cnnfast'].minimum * 1e3:.3f} ms",
                f"{result.rate:.1f} {result.unit}",
                *("" if ratio is None else times(ratio) for ratio in ratios),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for line in lines:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    text += [
        "",
        "vs: the competitor's best time over that of cnnfast. All results were checked equal",
        "first. The naive loops ran on a slice of the work, and their time is scaled up by work.",
    ]
    return "\n".join(text)


def times(ratio: float) -> str:
    """Write a ratio with as many digits as mean something: 0.92x, 3.1x, 12,300x."""
    if ratio < 1:
        return f"{ratio:.2f}x"
    return f"{ratio:.1f}x" if ratio < 100 else f"{float(f'{ratio:.3g}'):,.0f}x"
