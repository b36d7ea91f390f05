"""A convolution and its gradients over any number of axes, arguments checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from types import ModuleType
from typing import Any

import numpy as np

from cnnfast.functional._arguments import check_needs, float_array, same_dtype, same_shape
from cnnfast.functional._conv import arguments, images, sequences, volumes
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._plan import MemoryFormat
from cnnfast.functional._window import Numbers, Sides

#: By the number of axes.
WAYS: dict[int, ModuleType] = {1: sequences, 2: images, 3: volumes}

Gradients = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]


def at_once(key: Hashable, pack: Callable[[], Any]) -> Any:
    """Pack filters for this call only."""
    return pack()


def forward(
    function: str,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Numbers,
    padding: Sides,
    dilation: Numbers,
    groups: int,
    memory_format: MemoryFormat,
    packed: images.Packed = at_once,
    *,
    strict: bool = False,
    **options: Any,
) -> np.ndarray:
    """Convolve with checked parameters; `packed` may keep what it makes of them."""
    window = (stride, padding, dilation, groups, strict)
    x, win = arguments.placed(function, x, weight, *window)
    way = WAYS[len(win)]
    return way.forward(x, weight, bias, win, groups, memory_format, packed, **options)


def backward(
    function: str,
    count: int,
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers,
    padding: Sides,
    dilation: Numbers,
    groups: int,
    needs: Collection[str],
    **options: Any,
) -> Gradients:
    """Compute the gradients of a convolution over `count` axes, as far as they are needed."""
    weight = arguments.filters(function, weight, count)
    x, win = arguments.placed(function, x, weight, stride, padding, dilation, groups)
    grad = float_array(function, "grad", grad, count + 2)
    same_dtype(function, "x", x, grad=grad)
    same_shape(function, "grad", grad, (len(x), len(weight), *win.out), "the output's shape")
    check_needs(function, needs)
    way = WAYS[count]
    gx = gw = gb = None
    if "x" in needs:
        last = is_channels_last(x)
        gx = way.backward_data(grad, weight, x.shape, last, win, groups, **options)
    if "weight" in needs:
        gw = way.backward_weights(grad, x, weight.shape, win, groups, **options)
    if "bias" in needs:
        gb = images.backward_bias(grad)
    return gx, gw, gb
