"""From the start of a process to its end, with one prediction of ResNet-18 in between.

Each library imports, reads the network from a file of its own kind, prepares it, and computes the
scores of one image: prediction.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

import cnnfast
from benchmarks.networks.competitors import exported
from benchmarks.networks.prediction import LIBRARIES
from benchmarks.networks.table import Network
from cnnfast.cli.race import check_equal

GROUP = "cold start"
NETWORK = "ResNet-18"


def measure(
    network: Network, competitors: Sequence[Any], folder: Path, threads: int, rounds: int
) -> dict[str, float]:
    """Medians of seconds by library, of processes that take turns; `folder` keeps their files.

    Raises
    ------
    UnequalError
        If their scores differ.
    RuntimeError
        If a process fails; what it said is on standard error.
    """
    names = [c.name for c in competitors if c.name in LIBRARIES]
    _write_files(network, competitors, folder)
    for name in names:  # not timed: it brings the files into memory
        _predict(name, folder, threads)
        scores, expected = (np.load(folder / f"{who}.npy") for who in (name, names[0]))
        check_equal(name, scores, names[0], expected)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    order = list(names)
    for _ in tqdm(range(rounds), unit="round", leave=False):
        for name in order:
            start = time.perf_counter()
            _predict(name, folder, threads)
            seconds[name].append(time.perf_counter() - start)
        order.append(order.pop(0))
    return {name: median(found) for name, found in seconds.items()}


def _write_files(network: Network, competitors: Sequence[Any], folder: Path) -> None:
    """Write the image, and the network as each library reads it."""
    model, x = network.make(), network.images(1)
    np.save(folder / "image.npy", x)
    cnnfast.save_weights(model.state_dict(), folder / f"{network.model}.npz")
    for competitor in competitors:
        if competitor.name == "ONNX Runtime":
            exported(network, model, folder)
        elif competitor.name == "torch NCHW":
            torch = competitor.torch
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                script = torch.jit.trace(
                    competitor.make(network, model).eval(), torch.from_numpy(x)
                )
                script.save(folder / f"{network.model}.ts")


def _predict(name: str, folder: Path, threads: int) -> None:
    command = [sys.executable, "-m", "benchmarks.networks.prediction", name]
    done = subprocess.run([*command, str(folder), str(threads)], check=False)
    if done.returncode:
        raise RuntimeError(f"the cold start of {name} ended with status {done.returncode}")
