"""How long each layer of a network takes."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnfast.analysis.random_images import random_images
from cnnfast.nn import Module
from cnnfast.nn.trace import replay, trace


class LayerTime(NamedTuple):
    """What a layer takes for a batch.

    Attributes
    ----------
    name : str
        Path of the layer.
    images : int
        In the batch.
    forward, backward : float
        Seconds, the least of several runs.
    """

    name: str
    images: int
    forward: float
    backward: float


def layer_times(
    model: Module, *input_shapes: Sequence[int], batch_size: int = 8, repeats: int = 3
) -> list[LayerTime]:
    """Measure the forward and backward pass of each layer, as for learning, one layer at a time.

    A network whose layers are fused while it learns (batch normalisation with ReLU, for instance)
    takes less than their sum.

    Parameters
    ----------
    model : Module
        A `Sequential`, a `Graph`, or these in each other. A copy of it is measured, in the mode
        (training or not) in which it is.
    *input_shapes : sequence of int
        (C, H, W) for each input of the model, without N. They are filled with random numbers.
    batch_size : int
        Images at a time.
    repeats : int
        Runs of each layer, of which the quickest counts.

    Returns
    -------
    list of LayerTime
        In the order in which the layers run.

    Raises
    ------
    ValueError
        `batch_size` or `repeats` is not at least 1, there is not one shape for each input, or the
        model takes none such.

    Examples
    --------
    >>> from cnnfast.nn import Linear, ReLU, Sequential
    >>> times = layer_times(Sequential({"fc": Linear(4, 2), "relu": ReLU()}), (4,))
    >>> [time.name for time in times], min(time.forward for time in times) > 0
    (['fc', 'relu'], True)
    """
    for name, value in (("batch_size", batch_size), ("repeats", repeats)):
        if value < 1:
            raise ValueError(f"layer_times: {name} must be at least 1, got {value}")
    model = copy.deepcopy(model)  # learning leaves gradients and statistics behind
    images = random_images("layer_times", model, input_shapes, batch_size)
    return [
        LayerTime(call.name, batch_size, *_least(call.module, taken, repeats))
        for call, taken, _ in replay(trace(model), images)
    ]


def _least(layer: Module, taken: Sequence[Any], repeats: int) -> tuple[float, float]:
    """Seconds forward and backward."""
    forward, backward = [], []
    for _ in range(repeats):
        (y, run_backward), seconds = _timed(layer.forward, *taken)
        forward.append(seconds)
        gradient = tuple(map(np.ones_like, y)) if isinstance(y, tuple) else np.ones_like(y)
        backward.append(_timed(run_backward, gradient)[1])
    return min(forward), min(backward)


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start
