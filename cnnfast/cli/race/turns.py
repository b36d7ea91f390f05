"""Timing competitors against each other, fairly: same work, checked results, taking turns.

On a machine shared with others only a comparison within one run means anything, and only if a slow
spell hits all alike. So the competitors take turns, round after round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

# Rounding differs with the order of summation: up to this part of the largest element.
TOLERANCE = 1e-4
# Thread pools keep spinning for a while after their work, on processors the next one needs.
SETTLE = 1e-2
# A turn of a quick competitor is several calls, about so long in all.
TURN = 2e-3
LEAST_ROUNDS, MOST_ROUNDS = 3, 200


class UnequalError(Exception):
    """Two competitors disagree about a result, so there is nothing to time."""


class Timing(NamedTuple):
    """Seconds a call took, over `calls` calls."""

    minimum: float
    median: float
    calls: int


def race(
    competitors: Mapping[str, Callable[[], Any]],
    seconds: float = 0.5,
    *,
    unchecked: Mapping[str, Callable[[], Any]] | None = None,
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

    Raises
    ------
    UnequalError
        If results differ in shape, or by more than rounding does.
    """
    entrants = {**competitors, **(unchecked or {})}
    (first, call), *others = competitors.items()
    expected = call()
    for name, other in others:
        check_equal(name, other(), first, expected)
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
            times[name] += [seconds_of(entrants[name]) for _ in range(calls[name])]
        order.append(order.pop(0))  # nobody always follows the same neighbour's cache and threads
    return {name: Timing(min(ts), median(ts), len(ts)) for name, ts in times.items()}


def seconds_of(call: Callable[[], Any]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _estimate(call: Callable[[], Any]) -> float:
    first = seconds_of(call)
    return first if first > 0.05 else min(first, seconds_of(call), seconds_of(call))


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
