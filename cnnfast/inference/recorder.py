"""The steps of a plan: kernels taken down once and replayed, or modules called as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cnnfast import nn
from cnnfast._ext import elementwise as _elementwise
from cnnfast._ext.threads import Recording
from cnnfast.functional._arguments import placed_in
from cnnfast.inference.fuse import FusedConv2d
from cnnfast.nn.trace import Call

# Layers whose forward pass is kernels alone. (Matrix products by NumPy are no kernels.)
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

    call: Call
    first: int
    last: int
    run: Callable[[], None] | None


def record(recording: Recording, call: Call, values: Mapping[str, np.ndarray]) -> Step:
    """Take down what computes ``values[call.name]`` from the other values."""
    first = len(recording)
    with recording:
        recorded = _record(call, values)
    if not recorded:
        return as_it_is(call, values)
    return Step(call, first, len(recording), None)


def as_it_is(call: Call, values: Mapping[str, np.ndarray]) -> Step:
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


def _record(call: Call, values: Mapping[str, np.ndarray]) -> bool:
    """Call what launches the kernels; False if that would not be all there is to do."""
    module = call.module
    arguments: list[Any] = [None if s is None else values[s] for s in call.sources]
    if call.name not in values:
        return False
    out = values[call.name]
    if isinstance(module, nn.Flatten):
        return _copy(out.reshape(arguments[0].shape), arguments[0])
    if isinstance(module, nn.Concatenate) and out.ndim == 4:
        end = 0
        for part in arguments:
            start, end = end, end + part.shape[1]
            if not _copy(out[:, start:end], part):
                return False
        return True
    if type(module) not in RECORDABLE:
        return False
    with placed_in(out):
        return module(*arguments) is out


def _copy(to: np.ndarray, source: np.ndarray) -> bool:
    """Copy, unless it lies there already."""
    if to.ctypes.data != source.ctypes.data:
        _elementwise.apply("copy", to, source)
    return True
