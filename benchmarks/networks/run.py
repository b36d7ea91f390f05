"""The run: contests in several processes, cold starts, memory, and one network's lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contests import in_processes, matching
from benchmarks.networks import cold_start, linearity, memory
from benchmarks.networks.competitors import LEARNERS
from benchmarks.networks.contests import contests
from benchmarks.networks.report import Results
from benchmarks.networks.table import Network, networks

# Processes that hold the contests, seconds for each contest, and rounds of cold starts.
FULL, QUICK = (3, 2.0, 7), (1, 0.2, 1)


def run(competitors: Sequence[Any], only: str, quick: bool, threads: int) -> Results:
    """Measure what of "group, network" matches `only`.

    Raises
    ------
    RuntimeError
        If a process fails, as it does where competitors do not agree; it says why.
    """
    table = networks(quick)

    def wanted(group: str, names: str = "") -> list[Network]:
        return [
            network
            for network in table
            if network.name.startswith(names)
            and re.search(only, f"{group}, {network.name}", re.IGNORECASE)
        ]

    count, seconds, rounds = QUICK if quick else FULL
    scores, started, lines = [], {}, []
    with TemporaryDirectory(prefix="cnnfast-benchmark-") as name:
        folder = Path(name)
        if chosen := matching(contests(table, folder), only):
            exactly = "|".join(f"^{re.escape(str(contest))}$" for contest in chosen)
            command = ["benchmarks.networks.contests", name, exactly]
            scores = in_processes(chosen, command, count, threads, seconds)
        for network in wanted(cold_start.GROUP, cold_start.NETWORK):
            started = cold_start.measure(network, competitors, folder, threads, rounds)
    learners = [kind.name for kind in LEARNERS if kind.name in {c.name for c in competitors}]
    peaks = memory.measure(wanted(memory.GROUP), learners, threads)
    for network in wanted(linearity.GROUP, linearity.NETWORK):
        lines = linearity.measure(network, threads, seconds)
    return Results(scores, started, peaks, lines)
