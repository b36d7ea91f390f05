"""The steps of a plan: kernels taken down once and replayed, or modules called as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnfast import nn
from cnnfast._ext import elementwise as _elementwise
from cnnfast._ext.threads import Recording
from cnnfast.functional._memory import placed_in
from cnnfast.inference.fuse import FusedConv2d
from cnnfast.nn.node import Node

# Layers whose forward pass is kernels alone, which read no array but the layer's own, its inputs
# and its output: one that NumPy made on the way would be gone when they run.
RECORDABLE = (
    FusedConv2d,
    nn.Conv2d,
    nn.Linear,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.GlobalAvgPool2d,
    nn.GlobalMaxPool2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Softplus,
    nn.Tanh,
    nn.Softmax,
    nn.LogSoftmax,
    nn.Add,
)


class Step(NamedTuple):
    """One call of a plan: kernels first..last-1 of the recording or, if ``run``, that."""

    call: Node
    first: int
    last: int
    run: Callable[[], None] | None


def record(recording: Recording, call: Node, values: Mapping[str, np.ndarray]) -> Step:
    """Take down what computes ``values[call.name]`` from the other values."""
    first = len(recording)
    with recording:
        recorded = _record(call, values)
    if not recorded:
        return as_it_is(call, values)
    return Step(call, first, len(recording), None)


def as_it_is(call: Node, values: Mapping[str, np.ndarray]) -> Step:
    """A step that calls the module and copies what it gives."""

    def run() -> None:
        # Looked up now: inputs lie elsewhere in every run.
        result = call.module(*(None if s is None else values[s] for s in call.sources))
        if isinstance(result, tuple):
            for i, part in enumerate(result):
                if f"{call.name}:{i}" in values:
                    values[f"{call.name}:{i}"][...] = part
        else:
            values[call.name][...] = result

    return Step(call, 0, 0, run)


def _record(call: Node, values: Mapping[str, np.ndarray]) -> bool:
    """Call what launches the kernels; False if that would not be all there is to do."""
    module = call.module
    arguments: list[Any] = [None if s is None else values[s] for s in call.sources]
    if call.name not in values:
        return False
    out = values[call.name]
    if isinstance(module, nn.Concatenate) and out.ndim == 4:
        return _join(out, arguments)
    if any(a is not None and a.ctypes.data == out.ctypes.data for a in arguments):
        return True  # a view of what it takes: there is nothing to do
    if isinstance(module, nn.Flatten):
        return _copy(out.reshape(arguments[0].shape), arguments[0])
    if type(module) not in RECORDABLE or not _kernels_alone(module, arguments, out):
        return False
    with placed_in(out):
        return module(*arguments).ctypes.data == out.ctypes.data


def _kernels_alone(module: nn.Module, arguments: Sequence[np.ndarray], out: np.ndarray) -> bool:
    """Whether these arguments, too, are such that NumPy has no part in it."""
    if isinstance(module, nn.Conv2d):
        laid_out = all(residual.strides == out.strides for residual in arguments[1:])
        return module.algorithm != "im2col" and laid_out
    return True


def _join(out: np.ndarray, parts: Sequence[np.ndarray]) -> bool:
    """Put parts behind each other along the channels, as far as they do not lie there already."""
    end = 0
    for part in parts:
        start, end = end, end + part.shape[1]
        if out[:, start:end].ctypes.data != part.ctypes.data:
            _copy(out[:, start:end], part)
    return True


def _copy(to: np.ndarray, source: np.ndarray) -> bool:
    _elementwise.apply("copy", to, source)
    return True
