"""Training on several ranks: measured on this machine, and on paper for clusters.

Measured: ranks of one thread each against one process of as many threads, at one global batch.
They cannot run at the same time, so they take turns, each time in fresh processes.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import scaling
from cnnfast import distributed, models, nn, optim

ROUNDS, STEPS, BATCH, SIZE = 5, 5, 32, 224
NETWORK = "resnet18"
PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"


class Run(NamedTuple):
    """What rank 0 measured: seconds a step, and how many of them it spent in communication.

    And those of processor time, of all threads, which depend less on what else is running.
    """

    step: float
    communication: float
    processor: float


class Comparison(NamedTuple):
    """One process of several threads, and as many ranks of one thread, in turns."""

    alone: list[Run]
    ranks: list[Run]

    @property
    def speed(self) -> float:
        """How many times as fast the ranks are, each at its best."""
        return min(run.step for run in self.alone) / min(run.step for run in self.ranks)

    @property
    def share(self) -> float:
        """The part of a step on several ranks that goes into communication."""
        return statistics.median(run.communication / run.step for run in self.ranks)


def measure(ranks: int, quick: bool = False) -> Comparison:
    """Hold the contest."""
    alone, parallel = [], []
    for _ in range(1 if quick else ROUNDS):
        alone.append(_run([], threads=ranks))
        parallel.append(_run([_launcher(), "-n", str(ranks)], threads=1))
    return Comparison(alone, parallel)


def seconds_an_image(processors: int, quick: bool = False) -> dict[str, float]:
    """Tell how long an image of a training step takes a machine that divides the work evenly."""
    batch = 1 if quick else BATCH // 4
    return {
        name: _run([], 1, name, batch).processor / batch / processors for name in scaling.NETWORKS
    }


def document(
    facts: dict[str, str], comparison: Comparison, ranks: int, seconds: dict[str, float]
) -> None:
    """Write docs/scaling.md."""
    PAGE.write_text(
        "\n".join(
            [
                "# Scaling",
                "",
                "Written by `python -m benchmarks distributed --document`.",
                "",
                "## Measured, on one machine",
                "",
                *(f"- {name}: {fact}" for name, fact in facts.items()),
                f"- load average at the end, of which up to {ranks} are this benchmark's: "
                f"{os.getloadavg()[0]:.1f}",
                "",
                *lines(comparison, ranks),
                "",
                "## On paper, on several",
                "",
                *scaling.INTRODUCTION,
                "",
                *scaling.lines(seconds),
                "## Sources",
                "",
                *(f"- {source}" for source in scaling.SOURCES),
                "",
            ]
        )
    )


def lines(comparison: Comparison, ranks: int) -> list[str]:
    """Say what was measured."""

    def milliseconds(runs: list[Run]) -> str:
        times = sorted(run.step * 1e3 for run in runs)
        return f"{times[0]:.0f} ms a step at best, {statistics.median(times):.0f} ms in the median"

    return [
        f"ResNet-18, training steps of {BATCH} images of {SIZE}x{SIZE} in all; each turn is the "
        f"fastest of {STEPS - 1} steps, and there were {len(comparison.alone)} turns each:",
        "",
        f"- one process of {ranks} threads: {milliseconds(comparison.alone)}",
        f"- {ranks} ranks of one thread: {milliseconds(comparison.ranks)}",
        f"- {ranks} ranks are {comparison.speed:.2f} times as fast (aim: 0.9)",
        f"- communication, waiting for the slower rank included: {comparison.share:.1%} of a step",
    ]


def _launcher() -> str:
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("mpiexec")
    if found is None:
        raise FileNotFoundError("mpiexec is missing: python -m pip install mpich")
    return found


def _run(launcher: Sequence[str], threads: int, network: str = NETWORK, batch: int = BATCH) -> Run:
    command = [*launcher, sys.executable, "-m", "benchmarks.distributed", network, str(batch)]
    settings = os.environ | {"CNNFAST_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout))


# ---------------------------------------------------------------------------- on every rank


def main(network: str, batch: int) -> None:
    """Train for a few steps; rank 0 prints what it measured of the fastest."""
    model: nn.Module = getattr(models, network)(rng=np.random.default_rng(0))
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, SIZE, SIZE), np.float32)
    batches: Any = [(images, rng.integers(0, 1000, batch))] * STEPS
    clock = _Clock()
    if distributed.launched():
        model, batches = distributed.parallel(model), list(distributed.shard(batches))
        clock.watch(distributed.init())
    runs = []
    for x, labels in batches:
        clock.seconds, start, processor = 0.0, time.perf_counter(), time.process_time()
        scores, backward = model.forward(x)
        _, gradient = criterion(scores, labels)
        backward(gradient, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.perf_counter() - start
        runs.append(Run(seconds, clock.seconds, time.process_time() - processor))
    if not distributed.launched() or distributed.init().rank == 0:
        print(json.dumps(min(runs[1:])._asdict()))  # the first warms up


class _Clock:
    """Adds up the time that calls take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, world: distributed.World) -> None:
        """Time all that goes through MPI."""
        for name in ("start_sum", "wait", "progress"):
            setattr(world, name, self._timed(getattr(world, name)))

    def _timed(self, call: Any) -> Any:
        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
