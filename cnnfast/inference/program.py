"""A network prepared for inputs of one shape and memory order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from cnnfast._ext.threads import Recording
from cnnfast.functional._memory import empty
from cnnfast.inference.layout import Value, digest, nest_concatenated, place, survey
from cnnfast.inference.parts import split
from cnnfast.inference.recorder import Step, as_it_is, record
from cnnfast.nn.trace import Trace


class Program:
    """Steps over one block of memory; `run` follows inputs wherever they lie.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Names of values.
    parts : list
        How the inputs are cut along the batch; the steps are those of one part.
    results : list of tuple
        Shapes and dtypes of the outputs.
    steps : list of Step
    arrays : dict of str to numpy.ndarray
        The values that the steps read and write.
    block_bytes, scratch_bytes, kept_bytes : int
        Memory for the values, for what the kernels share, for each kernel's own tables.
    """

    def __init__(self, net: Trace, inputs: Sequence[np.ndarray]) -> None:
        self.inputs, self.outputs = net.inputs, net.outputs
        samples, values, block = self._laid_out(net, inputs)
        self.results = [(self.arrays[name].shape, self.arrays[name].dtype) for name in self.outputs]
        self.parts = split(net, inputs, values, block.nbytes)
        if len(self.parts) > 1:
            samples, values, block = self._laid_out(net, self.first_part(inputs))
        # NaN: what is computed while recording, and so is not recorded, will show.
        block.fill(255)
        for sample in samples:
            sample.fill(np.nan)
        self._recording = self._with_scratch(net)
        steps = [record(self._recording, call, self.arrays) for call in net.calls]
        for slot, x in enumerate(samples):
            self._recording.bind(slot, x.ctypes.data, x.nbytes)
        _draw(samples)
        self.steps = [self._checked(step, values) for step in steps]
        self._actions = list(self._merged())
        self._forget_inputs()
        self.block_bytes = block.nbytes
        self.scratch_bytes = self._recording.scratch_bytes
        self.kept_bytes = self._recording.kept_bytes

    def _laid_out(
        self, net: Trace, inputs: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, Value], np.ndarray]:
        """Find out what the values are and where they lie; return inputs for it, too."""
        samples = [np.empty_like(x) for x in inputs]
        _draw(samples)
        values = survey(net, samples)
        nest_concatenated(net, values)
        self.arrays, block = place(net, values)
        self.arrays.update(zip(net.inputs, samples, strict=True))
        return samples, values, block

    def _with_scratch(self, net: Trace) -> Recording:
        """Record without scratch memory first, to see how much the kernels want."""
        sizing = Recording()
        for call in net.calls:
            record(sizing, call, self.arrays)
        return Recording(empty((sizing.scratch_bytes,), np.dtype(np.uint8)))

    def _checked(self, step: Step, values: Mapping[str, Value]) -> Step:
        """Run a step; if it does not give the very same as its module did, it is not recorded."""
        if step.run is not None:
            step.run()
            return step
        self._recording.run(step.first, step.last)
        name = step.call.name
        if digest(self.arrays[name]) == values[name].digest:
            return step
        as_is = as_it_is(step.call, self.arrays)
        assert as_is.run is not None
        as_is.run()
        return as_is

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

    def first_part(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [x[self.parts[0]] for x in inputs]

    def run(
        self, inputs: Sequence[np.ndarray], results: Sequence[np.ndarray] = ()
    ) -> Sequence[np.ndarray]:
        """Compute the outputs, into arrays like `self.results` if there are some."""
        for part in self.parts:
            self._take([x[part] for x in inputs])
            for action in self._actions:
                action()
            given = [self.arrays[name] for name in self.outputs]
            if not results:
                shapes = (shape for shape, _ in self.results)
                results = [np.empty_like(y, shape=s) for y, s in zip(given, shapes, strict=True)]
            for result, y in zip(results, given, strict=True):
                result[part] = y
        self._forget_inputs()
        return results

    def time(self, inputs: Sequence[np.ndarray], repeats: int) -> list[float]:
        """Seconds that each step takes for the first part, the least of `repeats` runs of all."""
        self._take(self.first_part(inputs))
        best = [math.inf] * len(self.steps)
        for _ in range(repeats):
            for i, step in enumerate(self.steps):
                start = time.perf_counter()
                self._recording.run(step.first, step.last) if step.run is None else step.run()
                best[i] = min(best[i], time.perf_counter() - start)
        self._forget_inputs()
        return best


def _draw(samples: Sequence[np.ndarray]) -> None:
    """Write numbers of both signs, other ones into each image."""
    for sample in samples:
        sample[...] = np.resize(np.sin(1.7 * np.arange(4093)), sample.shape)
