"""What a convolution of given shapes will do: the algorithm, and the kernel that carries it out.

Planning depends on shapes and settings alone (the instruction set among them), so a call whose like
has been seen costs a look-up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from cnnfast._ext import conv_few as _few
from cnnfast._ext import conv_narrow as _narrow
from cnnfast._ext import conv_weights_few as _weights_few
from cnnfast.functional._algorithm import Algorithm, Choice, Precision, choose
from cnnfast.functional._window import Window

MemoryFormat = Literal["preserve", "channels_last", "contiguous"]
Shape = tuple[int, ...]


class ForwardPlan(NamedTuple):
    """A forward pass: how, by which kernel, what comes out and in which memory order.

    Where the kernel `fuses`, it adds the residual and rectifies too.
    """

    choice: Choice
    kernel: str
    out: Shape
    channels_last: bool
    fuses: bool


class BackwardPlan(NamedTuple):
    """A gradient: how, and by which kernel."""

    choice: Choice
    kernel: str


@lru_cache(maxsize=1024)
def plan_forward(
    batch: int,
    weight: Shape,
    dtype: np.dtype,
    win: Window,
    groups: int,
    algorithm: Algorithm,
    memory_format: MemoryFormat,
    contiguous: bool,
    images_last: bool,
    precision: Precision,
    isa: str,
) -> ForwardPlan:
    """Plan the forward pass on images that are `contiguous` (C order) or channels-last.

    Raises
    ------
    ValueError
        For an algorithm that does not apply.
    """
    channels_last = memory_format == "channels_last" or (
        memory_format == "preserve" and images_last
    )
    choice = choose("conv2d", "forward", algorithm, batch, weight, dtype, win, groups, precision)
    kernel = "direct"
    if choice.algorithm != "direct":
        kernel = choice.algorithm
    elif _depthwise(weight, groups):
        kernel = "depthwise"
    elif _only_channels(weight, win) and contiguous and not channels_last:
        kernel = "planes"
    elif _few.suits(weight[0] // groups, dtype.itemsize):
        kernel = "few channels"
    fuses = channels_last and kernel in ("direct", "depthwise", "winograd")
    return ForwardPlan(choice, kernel, (batch, weight[0], *win.out), channels_last, fuses)


@lru_cache(maxsize=1024)
def plan_backward_data(
    batch: int,
    weight: Shape,
    dtype: np.dtype,
    win: Window,
    groups: int,
    algorithm: Algorithm,
    in_planes: bool,
    precision: Precision,
    isa: str,
) -> BackwardPlan:
    """Plan the gradient of the input; `in_planes` if both gradients are in C order."""
    choice = choose(
        "conv2d_backward", "input", algorithm, batch, weight, dtype, win, groups, precision
    )
    depth = weight[1]
    if choice.algorithm != "direct":
        return BackwardPlan(choice, choice.algorithm)
    if _depthwise(weight, groups):
        return BackwardPlan(choice, "depthwise")
    if _only_channels(weight, win) and in_planes:
        return BackwardPlan(choice, "planes")
    if win.strides == (1, 1) and _few.suits(depth, dtype.itemsize):
        return BackwardPlan(choice, "few channels")
    if weight[0] > groups and _narrow.suits(depth, weight[2] * weight[3], dtype.itemsize):
        return BackwardPlan(choice, "narrow columns")
    return BackwardPlan(choice, "direct")


@lru_cache(maxsize=1024)
def plan_backward_weights(
    batch: int,
    weight: Shape,
    dtype: np.dtype,
    win: Window,
    groups: int,
    algorithm: Algorithm,
    precision: Precision,
    isa: str,
) -> BackwardPlan:
    """Plan the gradient of the weights."""
    choice = choose(
        "conv2d_backward", "weights", algorithm, batch, weight, dtype, win, groups, precision
    )
    if choice.algorithm != "direct":
        return BackwardPlan(choice, choice.algorithm)
    if _depthwise(weight, groups):
        return BackwardPlan(choice, "depthwise")
    if _weights_few.suits(weight[1], weight[0] // groups, dtype.itemsize):
        return BackwardPlan(choice, "few channels")
    return BackwardPlan(choice, "direct")


def _depthwise(weight: Shape, groups: int) -> bool:
    return groups > 1 and weight[:2] == (groups, 1)


def _only_channels(weight: Shape, win: Window) -> bool:
    """Whether this is a 1x1 convolution that pads and skips nothing."""
    return (
        weight[2:] == (1, 1)
        and win.strides == (1, 1)
        and win.rows.before == win.columns.before == 0
        and win.out == (win.rows.size, win.columns.size)
    )
