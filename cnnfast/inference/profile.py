"""What a plan consists of, and what each step takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfast._ext.dispatch import chosen_isa
from cnnfast.functional._algorithm import get_conv_precision
from cnnfast.functional._conv.arguments import place
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._plan import plan_forward
from cnnfast.inference.fuse import FusedConv2d
from cnnfast.inference.program import Program
from cnnfast.inference.recorder import Step
from cnnfast.nn import Conv2d


class StepTime(NamedTuple):
    """One step of a plan."""

    name: str
    kernel: str
    output_shape: tuple[int, ...]
    output_bytes: int
    seconds: float


class Profile(NamedTuple):
    """All steps of a plan; printed, a table."""

    steps: tuple[StepTime, ...]
    values_bytes: int  #: of the block that all values share
    scratch_bytes: int  #: of what the kernels share
    tables_bytes: int  #: of each kernel's own tables
    parts: int  #: of the batch, which run one after another; the steps are those of the first

    @property
    def seconds(self) -> float:
        """Of all parts."""
        return self.parts * sum(step.seconds for step in self.steps)

    def __str__(self) -> str:
        wide = max((len(step.name) for step in self.steps), default=0)
        kind = max((len(step.kernel) for step in self.steps), default=0)
        lines = [
            f"{s.name:{wide}}  {s.kernel:{kind}}  {'x'.join(map(str, s.output_shape)):>18}  "
            f"{s.output_bytes:>12,} B  {1e6 * s.seconds:>10,.1f} us  "
            f"{self.parts * s.seconds / (self.seconds or 1):>6.1%}"
            for s in self.steps
        ]
        times = f"{self.parts} times " if self.parts > 1 else ""
        lines.append(
            f"{times}{len(self.steps)} steps, {1e3 * self.seconds:,.3f} ms; memory: values "
            f"{self.values_bytes:,} B, scratch {self.scratch_bytes:,} B, tables "
            f"{self.tables_bytes:,} B"
        )
        return "\n".join(lines)


def profile(program: Program, inputs: Sequence[np.ndarray], repeats: int) -> Profile:
    """Time every step of a program."""
    seconds = program.time(inputs, repeats)
    first = program.first_part(inputs)
    arrays = {**program.arrays, **dict(zip(program.inputs, first, strict=True))}
    steps = []
    for step, time in zip(program.steps, seconds, strict=True):
        name = step.call.name
        y = arrays[name] if name in arrays else arrays[f"{name}:0"]
        steps.append(StepTime(name, _kernel(step, arrays), y.shape, y.nbytes, time))
    sizes = program.block_bytes, program.scratch_bytes, program.kept_bytes
    return Profile(tuple(steps), *sizes, len(program.parts))


def _kernel(step: Step, arrays: dict[str, np.ndarray]) -> str:
    """What runs: the layer, what is fused to it and, of a convolution, which kernel."""
    module = step.call.module
    if step.run is not None:
        return f"{type(module).__name__} as it is"
    if step.first == step.last:
        return f"{type(module).__name__}: nothing to do"
    if not isinstance(module, Conv2d):
        return type(module).__name__
    name = "Conv2d"
    if isinstance(module, FusedConv2d):
        name += "+Add" * module.adds + ("+ReLU" if module.ceiling == math.inf else "+ReLU6") * bool(
            module.ceiling
        )
    x = arrays[step.call.sources[0]]  # type: ignore[index]
    shape = module.weight.shape
    geometry = (module.stride, module.padding, module.dilation, module.groups, module.strict)
    win = place("conv2d", x.shape, shape, *geometry)
    order = ("channels_last", x.flags.c_contiguous, is_channels_last(x))
    plan = plan_forward(
        x.shape[0],
        shape,
        x.dtype,
        win,
        module.groups,
        module.algorithm,
        *order,
        get_conv_precision(),
        chosen_isa(),
    )
    tile = f" F({plan.choice.tile})" if plan.kernel == "winograd" else ""
    return f"{name}, {plan.kernel}{tile}"
