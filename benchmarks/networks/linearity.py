"""Time against the number of images, and against that of their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

import cnnfast
from benchmarks.kernels import same_threads
from benchmarks.networks.table import Network
from cnnfast.cli.race import race

GROUP = "linearity"
NETWORK = "ResNet-18"
IMAGES = (1, 2, 4, 6, 8, 12, 16)
SIDES = (96, 128, 160, 192, 224, 256, 288, 320)
# So many images of each side.
COUNT = 4


class Line(NamedTuple):
    """Seconds at several sizes, and the least-squares line through them."""

    of: str
    seconds: dict[int, float]

    @property
    def fit(self) -> tuple[float, float]:
        """Seconds at size zero, and for each more."""
        slope, constant = np.polyfit([*self.seconds], [*self.seconds.values()], 1)
        return float(constant), float(slope)

    @property
    def deviation(self) -> float:
        """The largest distance of a time from the line, as a part of that time."""
        constant, slope = self.fit
        return max(abs(constant + slope * n - t) / t for n, t in self.seconds.items())


def measure(network: Network, threads: int, seconds: float) -> list[Line]:
    """Time plans of a network, sizes taking turns, for about so many seconds a line."""
    c, h, w = network.image
    images = {n: (n, c, h, w) for n in IMAGES}
    pixels = {COUNT * side * side: (COUNT, c, side, side) for side in SIDES}
    model = network.make()
    with same_threads(threads):
        return [
            _line(f"images of {h}x{w}", model, images, seconds),
            _line(f"pixels of {COUNT} images", model, pixels, seconds),
        ]


def _line(of: str, model: cnnfast.nn.Module, shapes: Mapping, seconds: float) -> Line:
    rng = np.random.default_rng(0)
    calls = {
        size: partial(cnnfast.compile(model, shape), rng.standard_normal(shape, np.float32))
        for size, shape in shapes.items()
    }
    first = next(iter(calls))
    others = {size: call for size, call in calls.items() if size != first}
    timings = race({first: calls[first]}, seconds, unchecked=others)
    return Line(of, {size: timings[size].minimum for size in calls})
