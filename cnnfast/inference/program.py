"""A network prepared for inputs of one shape and memory order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from cnnfast._ext.threads import Recording
from cnnfast.functional._arguments import empty
from cnnfast.inference.layout import nest_concatenated, place, survey
from cnnfast.inference.recorder import Step, as_it_is, record
from cnnfast.nn.trace import Trace


class Program:
    """Steps over one block of memory; `run` follows inputs wherever they lie.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Names of values.
    steps : list of Step
    arrays : dict of str to numpy.ndarray
        The values that the steps read and write.
    block_bytes, scratch_bytes, kept_bytes : int
        Memory for the values, for what the kernels share, for each kernel's own tables.
    """

    def __init__(self, net: Trace, inputs: Sequence[np.ndarray]) -> None:
        self.inputs, self.outputs = net.inputs, net.outputs
        values = survey(net, inputs)
        nest_concatenated(net, values)
        self.arrays, block = place(net, values)
        self.arrays.update(zip(net.inputs, inputs, strict=True))
        self._recording = self._with_scratch(net)
        block.fill(255)  # NaN: what was computed while recording, and so is not recorded, will show
        steps = [record(self._recording, call, self.arrays) for call in net.calls]
        for slot, x in enumerate(inputs):
            self._recording.bind(slot, x.ctypes.data, x.nbytes)
        self.steps = self._verified(steps)
        self._actions = list(self._merged())
        self._forget_inputs()
        self.block_bytes = block.nbytes
        self.scratch_bytes = self._recording.scratch_bytes
        self.kept_bytes = self._recording.kept_bytes

    def _with_scratch(self, net: Trace) -> Recording:
        """Record without scratch memory first, to see how much the kernels want."""
        sizing = Recording()
        for call in net.calls:
            record(sizing, call, self.arrays)
        return Recording(empty((sizing.scratch_bytes,), np.dtype(np.uint8)))

    def _verified(self, steps: list[Step]) -> list[Step]:
        """Run each step; one that does not give the very same as its module is not recorded."""
        rng = np.random.default_rng(0)
        samples = [np.empty_like(self.arrays[name]) for name in self.inputs]
        for sample in samples:
            sample[...] = rng.standard_normal(sample.shape)
        self._take(samples)
        return [self._checked(step) for step in steps]

    def _checked(self, step: Step) -> Step:
        if step.run is not None:
            step.run()
            return step
        self._recording.run(step.first, step.last)
        out = self.arrays[step.call.name]
        recorded = out.copy()
        as_is = as_it_is(step.call, self.arrays)
        assert as_is.run is not None
        as_is.run()
        return step if np.array_equal(recorded, out, equal_nan=True) else as_is

    def _merged(self) -> Iterator[Callable[[], None]]:
        """What there is to do: neighbouring recorded steps in one call."""
        first = last = 0
        for step in self.steps:
            if step.run is None and step.first == last:
                last = step.last
                continue
            if first < last:
                yield partial(self._recording.run, first, last)
            first, last = step.first, step.last
            if step.run is not None:
                yield step.run
        if first < last:
            yield partial(self._recording.run, first, last)

    def _take(self, inputs: Sequence[np.ndarray]) -> None:
        for slot, (name, x) in enumerate(zip(self.inputs, inputs, strict=True)):
            self.arrays[name] = x
            self._recording.move(slot, x.ctypes.data)

    def _forget_inputs(self) -> None:
        for name in self.inputs:
            del self.arrays[name]

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Compute the outputs, which the next run overwrites."""
        self._take(inputs)
        for action in self._actions:
            action()
        outputs = tuple(self.arrays[name] for name in self.outputs)
        self._forget_inputs()
        return outputs

    def time(self, inputs: Sequence[np.ndarray], repeats: int) -> list[float]:
        """Seconds that each step takes, the least of `repeats` runs of them all."""
        self._take(inputs)
        best = [math.inf] * len(self.steps)
        for _ in range(repeats):
            for i, step in enumerate(self.steps):
                start = time.perf_counter()
                self._recording.run(step.first, step.last) if step.run is None else step.run()
                best[i] = min(best[i], time.perf_counter() - start)
        self._forget_inputs()
        return best
