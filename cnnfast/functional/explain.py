"""Asking what a convolution would do, without doing it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cnnfast._ext.dispatch import chosen_isa, register_tile
from cnnfast._ext.threads import Recording, get_num_threads
from cnnfast.functional._algorithm import Algorithm, get_conv_precision
from cnnfast.functional._conv.arguments import place
from cnnfast.functional._memory import empty_image, is_channels_last
from cnnfast.functional._plan import (
    BackwardPlan,
    ForwardPlan,
    MemoryFormat,
    plan_backward_data,
    plan_backward_weights,
    plan_forward,
)
from cnnfast.functional._window import Padding, Pair, Window
from cnnfast.functional.conv import conv2d, conv2d_backward


class ConvPass(NamedTuple):
    """How one pass of a convolution is computed.

    Attributes
    ----------
    algorithm : str
        "direct", "winograd" or "im2col".
    kernel : str
        What carries it out: one of these, or for "direct" also "depthwise", "planes" (1x1 in C
        order), "few channels" (vectors of positions) or "narrow columns" (col2im in bands).
    tile : tuple of two ints
        Outputs of a Winograd tile, else accumulators of the register tile: rows, and elements of
        its vectors.
    instruction_set : str
    threads : int
        That take part, at most.
    workspace_bytes : int
        Scratch memory, packed or transformed filters included (a layer keeps those).
    reason : str
        Why this algorithm.
    """

    algorithm: str
    kernel: str
    tile: tuple[int, int]
    instruction_set: str
    threads: int
    workspace_bytes: int
    reason: str

    def __str__(self) -> str:
        tile = "x".join(map(str, self.tile))
        return (
            f"{self.algorithm}, kernel {self.kernel!r}, tile {tile}, {self.instruction_set}, "
            f"threads: {self.threads}, workspace: {self.workspace_bytes:,} bytes ({self.reason})"
        )


class ConvExplanation(NamedTuple):
    """How a convolution and its gradients are computed."""

    forward: ConvPass
    input_gradient: ConvPass
    weight_gradient: ConvPass

    def __str__(self) -> str:
        return "\n".join(
            f"{name.replace('_', ' '):15} : {step}"
            for name, step in zip(self._fields, self, strict=True)
        )


def explain_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    memory_format: MemoryFormat = "preserve",
    algorithm: Algorithm = "auto",
) -> ConvExplanation:
    """Say which kernels `conv2d` and `conv2d_backward` take for these arguments, and why.

    Nothing is computed: the passes are recorded, not run. The output's gradient is taken to
    have the output's memory order.

    Parameters
    ----------
    x, weight, bias, stride, padding, dilation, groups, memory_format, algorithm
        As for `conv2d`. Only shapes, dtypes and memory orders matter, so ``numpy.empty`` will do.

    Returns
    -------
    ConvExplanation
        A `ConvPass` each for ``forward``, ``input_gradient`` and ``weight_gradient``; printed, a
        line each.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast import explain_conv2d
    >>> x, weight = np.empty((8, 64, 56, 56), np.float32), np.empty((64, 64, 3, 3), np.float32)
    >>> explained = explain_conv2d(x, weight, padding=1)
    >>> explained.forward.algorithm, explained.forward.tile, explained.forward.reason
    ('winograd', (4, 4), 'a factor 4.0 fewer multiplications')
    """
    geometry = (stride, padding, dilation, groups)
    options: dict[str, Any] = {"memory_format": memory_format, "algorithm": algorithm}
    conv2d(x[:0], weight, bias, *geometry, **options)  # checks the arguments
    win = place("conv2d", x.shape, weight.shape, *geometry, False)
    shapes = (x.shape[0], weight.shape, x.dtype, win, groups, algorithm)
    settings = (get_conv_precision(), chosen_isa())
    order = (memory_format, x.flags.c_contiguous, is_channels_last(x))
    forward = plan_forward(*shapes, *order, *settings)
    y = empty_image(forward.out, x.dtype, forward.channels_last)
    in_planes = not is_channels_last(x) and y.flags.c_contiguous

    def gradient(need: str) -> Callable[[], Any]:
        return partial(conv2d_backward, y, x, weight, *geometry, (need,), algorithm=algorithm)

    return ConvExplanation(
        _explain(forward, win, x, partial(conv2d, x, weight, bias, *geometry, **options)),
        _explain(plan_backward_data(*shapes, in_planes, *settings), win, x, gradient("x")),
        _explain(plan_backward_weights(*shapes, *settings), win, x, gradient("weight")),
    )


def _explain(
    plan: ForwardPlan | BackwardPlan, win: Window, x: np.ndarray, operation: Callable[[], Any]
) -> ConvPass:
    """Describe a planned pass; what it takes comes from recording `operation`."""
    algorithm, side, reason = plan.choice
    if algorithm == "im2col":  # NumPy's matrix product would be run
        taps = win.rows.kernel * win.columns.kernel
        workspace = x.shape[1] * taps * math.prod(win.out) * x.itemsize
        threads = get_num_threads()
    else:
        with Recording() as recording:
            operation()
        threads, workspace = recording.threads, recording.scratch_bytes + recording.kept_bytes
    tile = (side, side) if algorithm == "winograd" else register_tile(x.itemsize)
    return ConvPass(algorithm, plan.kernel, tile, chosen_isa(), threads, workspace, reason)
