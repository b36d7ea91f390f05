"""Transposed convolution over any number of axes: the gradient of a convolution, as a pass.

What a convolution takes to its output, the transposed one takes back to its input; so its forward
pass is that convolution's gradient of the input, and its gradients are the convolution and the
convolution's gradient of the weights.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from cnnfast.functional._arguments import check_needs, float_array, same_dtype, same_shape
from cnnfast.functional._conv import arguments, images
from cnnfast.functional._conv.passes import WAYS, Gradients, at_once
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import AXES, Axis, Numbers, Sides, Window, numbers, sides


def forward(
    function: str,
    count: int,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Numbers,
    padding: Sides,
    output_padding: Numbers,
    groups: int,
    dilation: Numbers,
    memory_format: MemoryFormat,
) -> np.ndarray:
    """Compute a transposed convolution over `count` axes."""
    arguments.memory_format_of(function, memory_format)
    window = (stride, padding, output_padding, groups, dilation)
    x, weight, shape, win = _placed(function, count, x, weight, *window)
    bias = arguments.shifts(function, weight, bias, shape[1])
    last = memory_format == "channels_last" or (memory_format == "preserve" and is_channels_last(x))
    y = WAYS[count].backward_data(x, weight, shape, last, win, groups)
    if bias is not None:
        y += bias.reshape(-1, *[1] * count)
    return y


def backward(
    function: str,
    count: int,
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers,
    padding: Sides,
    output_padding: Numbers,
    groups: int,
    dilation: Numbers,
    needs: Collection[str],
) -> Gradients:
    """Compute the gradients of a transposed convolution, as far as they are needed."""
    window = (stride, padding, output_padding, groups, dilation)
    x, weight, shape, win = _placed(function, count, x, weight, *window)
    grad = float_array(function, "grad", grad, count + 2)
    same_dtype(function, "x", x, grad=grad)
    same_shape(function, "grad", grad, shape, "the output's shape")
    check_needs(function, needs)
    way = WAYS[count]
    gx = gw = gb = None
    if "x" in needs:
        order = "channels_last" if is_channels_last(x) else "contiguous"
        gx = way.forward(grad, weight, None, win, groups, order, at_once)
    if "weight" in needs:
        gw = way.backward_weights(x, grad, weight.shape, win, groups)
    if "bias" in needs:
        gb = images.backward_bias(grad)
    return gx, gw, gb


def _placed(
    function: str,
    count: int,
    x: np.ndarray,
    weight: np.ndarray,
    *window: Numbers | Sides,
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...], Window]:
    """Check arrays and geometry; give the output's shape, and the window that runs over it."""
    weight = arguments.filters(function, weight, count)
    x = float_array(function, "x", x, count + 2)
    same_dtype(function, "x", x, weight=weight)
    place = _place if arguments.plain(window) else _place.__wrapped__
    channels, win = place(function, x.shape[1:], weight.shape, *window)
    return x, weight, (x.shape[0], channels, *[axis.size for axis in win]), win


@lru_cache(maxsize=1024)
def _place(
    function: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    stride: Numbers,
    padding: Sides,
    output_padding: Numbers,
    groups: int,
    dilation: Numbers,
) -> tuple[int, Window]:
    """Give the output's channels, and the window that takes an output to inputs of shape `x`."""
    if 0 in x:
        raise ValueError(
            f"{function}: x may have no empty dimension except the batch, got shape (N, "
            f"{', '.join(map(str, x))})"
        )
    arguments.check_groups(function, "input channels", weight, groups)
    if x[0] != weight[0]:
        raise ValueError(
            f"{function}: x has {x[0]} channels, but weight {weight} reads {weight[0]}"
        )
    kernel, count = weight[2:], len(weight) - 2
    steps = numbers(function, "stride", stride, 1, count)
    gaps = numbers(function, "dilation", dilation, 1, count)
    pads = sides(function, padding, kernel, steps, gaps)
    extra = output_padding_of(function, output_padding, steps, gaps)
    axes = []
    for i, (what, _) in enumerate(AXES[count]):
        whole = (x[1 + i] - 1) * steps[i] + gaps[i] * (kernel[i] - 1) + 1 + extra[i]
        size = whole - sum(pads[i])
        if size < 1:
            raise ValueError(
                f"{function}: padding {pads[i]} leaves nothing of the {whole} {what} that "
                f"{x[1 + i]} give"
            )
        axes.append(Axis(size, kernel[i], steps[i], *pads[i], gaps[i], x[1 + i]))
    win, channels = Window(axes), weight[1] * groups
    arguments.check_sizes(function, "the output", channels, weight, win)
    return channels, win


def output_padding_of(
    function: str, output_padding: Numbers, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    """Check what is to be added to a result."""
    extra = numbers(function, "output_padding", output_padding, 0, len(stride))
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(
            f"{function}: output_padding {extra} must be less than the stride {stride} or the "
            f"dilation {dilation} along each axis"
        )
    return extra
