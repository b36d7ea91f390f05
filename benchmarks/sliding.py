"""A network that slides over a larger image against the crops it slides over."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.arrays import normal
from benchmarks.kernels import same_threads
from cnnfast import models, nn
from cnnfast.cli.race import Timing, race, times

SIZE, IMAGE = 224, 384
SECONDS = 60
SLIDING = "converted network"


def measure(threads: int) -> dict[str, Timing]:
    """Race VGG-16 on one image of 384x384 against itself on the 36 crops of 224x224 in it."""
    with same_threads(threads):
        return race_network(models.vgg16(), "avgpool", SIZE, IMAGE, SECONDS)


def race_network(
    model: nn.Sequential, head: str, size: int, image: int, seconds: float
) -> dict[str, Timing]:
    """Race ways to what a network says at every step of its stride.

    The head on each part of the features, computed once, gives what the converted network does,
    and that is checked. The crops do so only if no layer pads.

    Parameters
    ----------
    model : Sequential
        For images of `size` rows and columns.
    head : str
        Name of the first layer that is to see a part of the map and not all of it.
    image : int
        Rows and columns of the larger image.

    Raises
    ------
    UnequalError
        If the converted network gives something else than the head on the parts.
    """
    cut = [name for name, _ in model.named_children()].index(head)
    features, rest = model[:cut], model[cut:]
    channels = next(model.parameters()).shape[1]
    sliding = nn.convert_linear_to_conv(model, (channels, size, size))
    x = normal(np.random.default_rng(0), (1, channels, image, image))
    positions = sliding(x).shape[2]
    step = (image - size) // (positions - 1)
    crops = windows(x, size, step, positions)
    part = features(crops[0]).shape[2]

    def by_parts() -> np.ndarray:
        parts = windows(features(x), part, 1, positions)
        return np.stack([rest(p) for p in parts], axis=2).reshape(1, -1, positions, positions)

    return race(
        {SLIDING: partial(sliding, x), "head on every part of the map": by_parts},
        seconds,
        unchecked={
            "crops one by one": lambda: [model(crop) for crop in crops],
            "crops in one batch": lambda: model(np.concatenate(crops)),
        },
    )


def windows(x: np.ndarray, size: int, step: int, positions: int) -> list[np.ndarray]:
    """Cut `positions` by `positions` windows out of images."""
    starts = [step * i for i in range(positions)]
    return [x[:, :, i : i + size, j : j + size] for i in starts for j in starts]


def lines(timings: dict[str, Timing]) -> list[str]:
    """Tell how long each took, and how many times as long as the converted network."""
    best = timings[SLIDING].minimum
    return [
        f"{name:30} {timing.minimum * 1e3:9.1f} ms   {times(timing.minimum / best)}"
        for name, timing in timings.items()
    ]
