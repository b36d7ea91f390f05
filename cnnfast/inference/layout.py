"""What the values of a plan look like, and where in its memory each of them lies."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.functional._memory import empty, is_channels_last
from cnnfast.inference.arena import Life, lay_out
from cnnfast.nn.node import Node
from cnnfast.nn.trace import Trace, replay


@dataclass
class Value:
    """An array of a plan, and what it is a part or a view of, if anything."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    host: str | None = None
    offset: int = 0  # bytes from where the host begins
    digest: int = 0  # of what the survey's inputs gave

    @classmethod
    def like(cls, array: np.ndarray) -> Value:
        """Of the shape and memory order of `array`, without gaps."""
        itemsize = array.itemsize
        if array.ndim == 4 and is_channels_last(array):
            _, c, h, w = array.shape
            strides = (h * w * c * itemsize, itemsize, w * c * itemsize, c * itemsize)
            return cls(array.shape, strides, array.dtype)
        return cls(array.shape, np.empty(array.shape, array.dtype).strides, array.dtype)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def view(self, memory: np.ndarray, offset: int) -> np.ndarray:
        return np.ndarray(self.shape, self.dtype, memory, offset + self.offset, self.strides)


def survey(net: Trace, inputs: Sequence[np.ndarray]) -> dict[str, Value]:
    """Run a network once and note what each call gives.

    That packs the weights too, for all later runs.
    """
    values: dict[str, Value] = {}
    for call, taken, given in replay(net, inputs):
        for name, array in given.items():
            values[name] = Value.like(array)
            values[name].digest = digest(array)
            values[name].host = _viewed(array, call, taken, net.inputs)
    return values


def digest(array: np.ndarray) -> int:
    """A checksum of the elements' bits, whatever their order in memory."""
    ordered = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
    return zlib.crc32(np.ascontiguousarray(ordered).data.cast("B") if array.size else b"")


def _viewed(
    array: np.ndarray, call: Node, taken: Sequence[Any], inputs: Sequence[str]
) -> str | None:
    """The value that a layer gave back, maybe as another shape: `Flatten` does, of 1x1 images."""
    for source, there in zip(call.sources, taken, strict=True):
        if source is None or source in inputs:
            continue
        flat = isinstance(call.module, nn.Flatten) and array.flags.c_contiguous
        same = array.shape == there.shape and array.strides == there.strides
        if (flat or same) and array.ctypes.data == there.ctypes.data:
            return source
    return None


def nest_concatenated(net: Trace, values: dict[str, Value]) -> None:
    """Let convolutions write where their concatenation wants their output."""
    calls = {call.name: call for call in net.calls}
    takers = [s for call in net.calls for s in call.sources]
    for call in net.calls:
        whole = values.get(call.name)
        if not isinstance(call.module, nn.Concatenate) or whole is None or len(whole.shape) != 4:
            continue
        if any(source in net.inputs for source in call.sources):
            continue  # an input lies where the caller has it
        offset = 0
        for source in call.sources:
            part = values[source]  # type: ignore[index]
            convolved = source in calls and isinstance(calls[source].module, nn.Conv2d)
            if convolved and takers.count(source) == 1 and source not in net.outputs:
                part.host, part.offset, part.strides = call.name, offset, whole.strides
            offset += part.shape[1] * whole.strides[1]


def place(net: Trace, values: dict[str, Value]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Lay all values out in one block; return the arrays and the block."""
    hosts = [name for name, value in values.items() if value.host is None]
    first = {name: len(net.calls) for name in hosts}
    last = dict.fromkeys(hosts, 0)

    def used(name: str, step: int) -> None:
        host = _root(name, values)
        first[host], last[host] = min(first[host], step), max(last[host], step)

    for step, call in enumerate(net.calls):
        for name in (call.name, *call.sources, *_numbered(call, values)):
            if name in values:
                used(name, step)
    for name in net.outputs:
        if name in values:
            used(name, len(net.calls))
    offsets, size = lay_out([Life(values[n].size, first[n], last[n]) for n in hosts])
    block = empty((size,), np.dtype(np.uint8))
    start = dict(zip(hosts, offsets, strict=True))
    arrays = {n: value.view(block, start[_root(n, values)]) for n, value in values.items()}
    return arrays, block


def _numbered(call: Node, values: dict[str, Value]) -> list[str]:
    """The outputs of a call that has several."""
    return [name for name in values if name.startswith(f"{call.name}:")]


def _root(name: str, values: dict[str, Value]) -> str:
    value = values[name]
    return name if value.host is None else _root(value.host, values)
