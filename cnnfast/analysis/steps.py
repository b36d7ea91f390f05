"""A network's layers with the sizes of what they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnfast.analysis.wrappers import innermost
from cnnfast.functional._window import Window, window
from cnnfast.nn import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    Conv1d,
    Conv2d,
    Conv3d,
    LPPool1d,
    LPPool2d,
    LPPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    Module,
)
from cnnfast.nn.node import schedule
from cnnfast.nn.trace import replay, trace

CONVOLUTIONS = (Conv1d, Conv2d, Conv3d)
POOLS = (
    *(AvgPool1d, AvgPool2d, AvgPool3d),
    *(LPPool1d, LPPool2d, LPPool3d),
    *(MaxPool1d, MaxPool2d, MaxPool3d),
)


class Step(NamedTuple):
    """A layer at work on one image.

    Attributes
    ----------
    name : str
        Path of the layer.
    layer : Module
    x_shape, y_shape : tuple of int
        Of the first value taken and given; N is 1.
    window : Window or None
        Of a convolution or a pool, over this input.
    sources : tuple of str
        The values it takes.
    of_input : bool
        Whether an input of the network is among them.
    given : dict of str to int or str
        For each value its bytes or, if it lies in the memory of one taken, that one's name.
    done_with : tuple of str
        Values that no later step takes.
    """

    name: str
    layer: Module
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    window: Window | None
    sources: tuple[str, ...]
    of_input: bool
    given: dict[str, int | str]
    done_with: tuple[str, ...]


def steps(model: Module, images: Sequence[np.ndarray]) -> list[Step]:
    """Run a network on one image for each input.

    Examples
    --------
    >>> from cnnfast.nn import Flatten, Sequential
    >>> [step] = steps(Sequential(MaxPool2d(2)), [np.zeros((1, 3, 8, 8))])
    >>> step.y_shape, step.given, step.window.rows.out
    ((1, 3, 4, 4), {'0': 384}, 4)
    """
    traced = trace(model)
    done = {call.name: done_with for call, done_with in schedule(traced.calls, traced.outputs)}
    result = []
    for call, taken, given in replay(traced, images):
        layer = innermost(call.module)
        x_shape = np.shape(taken[0]) if taken else ()
        result.append(
            Step(
                call.name,
                layer,
                x_shape,
                np.shape(next(iter(given.values()))),
                # What is around a layer may pad what it takes.
                _placed(layer, x_shape) if layer is call.module else None,
                tuple(source for source in call.sources if source is not None),
                bool(set(traced.inputs) & set(call.sources)),
                {name: _memory(y, call.sources, taken) for name, y in given.items()},
                done[call.name],
            )
        )
    return result


def _placed(layer: Module, x_shape: Sequence[int]) -> Window | None:
    if not isinstance(layer, CONVOLUTIONS + POOLS):
        return None
    options: dict[str, Any] = {
        name: getattr(layer, name)
        for name in ("padding", "dilation", "ceil_mode")
        if hasattr(layer, name)
    }
    return window("advise", tuple(x_shape[2:]), layer.kernel_size, layer.stride, **options)


def _memory(y: Any, sources: Sequence[str | None], taken: Sequence[Any]) -> int | str:
    y = np.asarray(y)
    for source, x in zip(sources, taken, strict=True):
        if source is not None and isinstance(x, np.ndarray) and np.may_share_memory(x, y):
            return source
    return y.nbytes
