"""The run: every kernel on every layer of shapes.json, everyone with the same threads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import cnnfast
from cnnfast.cli.race import Layer, Result, Task, measure

SHAPES = Path(__file__).with_name("shapes.json")
# Seconds for one task's race, and for its naive loops: in a full and in a quick run.
FULL, QUICK = (0.6, 1.0), (0.1, 0.1)


def layers(
    quick: bool = False, sections: Sequence[str] = ("convolutions", "max_pools")
) -> list[Layer]:
    """Read layers of the shapes file; with `quick` only those marked so."""
    shapes = json.loads(SHAPES.read_text())
    return [
        Layer(**{key: value for key, value in row.items() if key != "quick"})
        for section in sections
        for row in shapes[section]
        if row.get("quick") or not quick
    ]


def plan(chosen: list[Layer], only: str = "") -> list[tuple[str, Layer]]:
    """List what to measure, kernel by kernel; of "kernel, layer" `only` must match some part."""
    pairs = [(kernel, layer) for layer in chosen for kernel in layer.kernels]
    kernels = list(dict.fromkeys(kernel for kernel, _ in pairs))
    pairs.sort(key=lambda pair: kernels.index(pair[0]))
    wanted = re.compile(only, re.IGNORECASE)
    return [pair for pair in pairs if wanted.search(f"{pair[0]}, {pair[1].name}")]


def run(pairs: list[tuple[str, Layer]], peers: list[Any], quick: bool = False) -> list[Result]:
    """Measure all of `pairs` against `peers`, showing progress.

    Raises
    ------
    UnequalError
        If a competitor's result is not cnnfast's.
    """
    rng = np.random.default_rng(0)
    results = []
    with tqdm(pairs, unit="task", leave=False) as progress:
        for kernel, layer in progress:
            progress.set_description(f"{kernel}, {layer.name}")
            task = Task(kernel, layer, rng)
            calls = {peer.name: peer.call(task) for peer in peers}
            calls = {name: call for name, call in calls.items() if call}
            results.append(measure(task, *(QUICK if quick else FULL), calls))
    return results


@contextmanager
def same_threads(count: int) -> Iterator[None]:
    """Let cnnfast and NumPy's BLAS use `count` threads; peers are told when they are made."""
    before = cnnfast.get_num_threads()
    cnnfast.set_num_threads(count)
    try:
        with threadpool_limits(count, user_api="blas"):
            yield
    finally:
        cnnfast.set_num_threads(before)
