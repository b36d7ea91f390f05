"""Contests between cnnfast and PyTorch, repeated in several processes.

Within a process the competitors take turns (see `cnnfast.cli.race`); where memory lands and which
processor is busy differs between processes, so a contest's ratio is the median over several, each
of which begins with another competitor.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

from benchmarks.kernels import same_threads
from cnnfast.cli.race import UnequalError, race

Calls = dict[str, Callable[[], Any]]


class Contest(NamedTuple):
    """Competitors at one piece of work.

    Parameters
    ----------
    group : str
        What is measured, such as "forward".
    name : str
        On which shapes.
    work : float
        Operations of one call, or images, so that a rate can be told.
    enter : function
        Makes the competitors, the first of them "cnnfast", when their turn has come.
    """

    group: str
    name: str
    work: float
    enter: Callable[[], Calls]

    def __str__(self) -> str:
        return f"{self.group}, {self.name}"


class Score(NamedTuple):
    """What processes measured of a contest: seconds by competitor, and the ratio in each process.

    The ratio is the best competitor's time over that of cnnfast; None if there is no competitor.
    """

    group: str
    name: str
    work: float
    seconds: dict[str, float]
    ratios: list[float]

    @property
    def ratio(self) -> float | None:
        return median(self.ratios) if self.ratios else None

    @property
    def rate(self) -> float:
        """Thousand millions of operations a second, for cnnfast."""
        return self.work / self.seconds["cnnfast"] / 1e9


def matching(contests: Iterable[Contest], only: str) -> list[Contest]:
    """The contests whose "group, name" matches a regular expression somewhere."""
    wanted = re.compile(only, re.IGNORECASE)
    return [contest for contest in contests if wanted.search(str(contest))]


def hold(
    contests: Sequence[Contest], turn: int, threads: int, seconds: float
) -> Iterator[dict[str, float]]:
    """Hold contests in this process; yield the best seconds of each competitor.

    Raises
    ------
    UnequalError
        If competitors do not agree.
    """
    with same_threads(threads):
        for contest in tqdm(contests, unit="contest", leave=False):
            calls = contest.enter()
            first = turn % len(calls)
            order = [*calls][first:] + [*calls][:first]
            try:
                timings = race({name: calls[name] for name in order}, seconds)
            except UnequalError as error:
                raise UnequalError(f"{contest}: {error}") from None
            seconds_of = {name: timings[name].minimum for name in calls}
            del calls  # and the memory they hold, before the next contest's competitors come
            yield seconds_of


def in_processes(
    contests: Sequence[Contest],
    command: Sequence[str],
    count: int,
    threads: int,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> list[Score]:
    """Hold contests in `count` processes, one after the other, and gather the scores.

    Parameters
    ----------
    contests : sequence of Contest
    command : sequence of str
        A module and its arguments, which hold these contests and print seconds as JSON. To the
        arguments are added the number of the turn, that of threads, and seconds for a contest.
    environment : mapping, optional
        Variables to set for the processes.

    Raises
    ------
    RuntimeError
        If a process fails; what it said is on standard error.
    """
    runs = []
    for turn in range(count):
        print(f"process {turn + 1} of {count}", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, "-m", *command, str(turn), str(threads), str(seconds)],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"process {turn + 1} ended with status {done.returncode}")
        runs.append(json.loads(done.stdout))
    return [score(contest, results) for contest, *results in zip(contests, *runs, strict=True)]


def score(contest: Contest, results: Sequence[Mapping[str, float]]) -> Score:
    """Reduce what the processes measured of a contest."""
    seconds = {name: median(result[name] for result in results) for name in results[0]}
    peers = [name for name in results[0] if name != "cnnfast"]
    ratios = [
        min(result[name] for name in peers) / result["cnnfast"] for result in results if peers
    ]
    return Score(contest.group, contest.name, contest.work, seconds, ratios)
