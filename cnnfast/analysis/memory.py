"""Which values of a network need memory of their own, and how much of it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast.analysis.wrappers import innermost
from cnnfast.nn import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from cnnfast.nn.node import Node
from cnnfast.nn.trace import ELEMENTWISE, Trace

_ADAPTIVE = (AdaptiveAvgPool2d, AdaptiveMaxPool2d)


class _Block:
    """Memory of one or more values, and the first and last call during which it is needed."""

    def __init__(self, value: np.ndarray, time: int) -> None:
        self.values, self.bytes = value.size, value.nbytes
        self.first = self.last = time


class Memory:
    """Follows a network as it runs, call by call.

    What elementwise layers give lies where their input was, if nobody else needs that; so does the
    input in another shape, and what an adaptive pool that pools nothing gives. Every other value is
    stored, and so are the inputs.
    """

    def __init__(self, traced: Trace) -> None:
        # Nobody may write over an input, which is the caller's, or over an output.
        self._takers: Counter[str | None] = Counter((*traced.inputs, *traced.outputs))
        self._takers.update(source for call in traced.calls for source in call.sources)
        self._outputs = traced.outputs
        self._blocks: list[_Block] = []
        self._block_of: dict[str | None, _Block] = {}
        self._time = 0

    def store(self, name: str, value: np.ndarray) -> None:
        """Find memory for a value."""
        block = self._block_of[name] = _Block(value, self._time)
        self._blocks.append(block)

    def place(self, name: str, value: np.ndarray, call: Node, taken: Sequence[Any]) -> bool:
        """Find a place for a value that a call gives; return whether that is new memory."""
        home = self._home(value, call, taken)
        if home is None:
            self.store(name, value)
        else:
            self._block_of[name] = self._block_of[home]
        return home is None

    def skip(self, name: str) -> None:
        """Note a value that is a part of the network."""
        self._block_of[name] = _Block(np.empty(0), self._time)

    def end(self, call: Node) -> None:
        """Note that a call is over, and what it needed."""
        for source in call.sources:
            if source is not None:
                self._block_of[source].last = self._time
        self._time += 1

    def most_at_once(self) -> tuple[int, int]:
        """How many values there are at once at most, and their bytes."""
        for output in self._outputs:
            self._block_of[output].last = self._time
        moments = [
            [block for block in self._blocks if block.first <= time <= block.last]
            for time in range(self._time + 1)
        ]
        return max((sum(b.values for b in now), sum(b.bytes for b in now)) for now in moments)

    def _home(self, value: np.ndarray, call: Node, taken: Sequence[Any]) -> str | None:
        """Find the value among those taken in whose memory a new one lies, or can."""
        for source, argument in zip(call.sources, taken, strict=True):
            if isinstance(argument, np.ndarray) and _is_view(value, argument):
                return source
        source, layer = call.sources[0], innermost(call.module)
        idle = isinstance(layer, _ADAPTIVE) and np.shape(taken[0]) == value.shape
        in_place = isinstance(layer, ELEMENTWISE) and self._takers[source] == 1
        return source if idle or in_place else None


def _is_view(value: np.ndarray, x: np.ndarray) -> bool:
    """Whether a value is `x` itself, a part of it, or the same in another shape."""
    reshaped = value.size == x.size and value.shape != x.shape
    return np.may_share_memory(x, value) or (reshaped and np.array_equal(x.ravel(), value.ravel()))
