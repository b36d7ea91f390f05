"""What convolutions check, for any number of axes."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._window import LARGEST_IMAGE, Numbers, Sides, Window, window

Shape = tuple[int, ...]


def parameters(
    function: str, weight: np.ndarray, bias: np.ndarray | None, count: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Check filters of `count` axes, and the bias: one value for each."""
    weight = filters(function, weight, count)
    return weight, shifts(function, weight, bias, weight.shape[0])


def filters(function: str, weight: np.ndarray, count: int) -> np.ndarray:
    """Check filters of `count` axes."""
    weight = float_array(function, "weight", weight, count + 2)
    nonempty(function, "weight", weight, 0)
    return weight


def shifts(
    function: str, weight: np.ndarray, bias: np.ndarray | None, channels: int
) -> np.ndarray | None:
    """Check the bias of an output of so many channels."""
    if bias is not None:
        bias = float_array(function, "bias", bias, 1)
        same_dtype(function, "weight", weight, bias=bias)
        same_shape(function, "bias", bias, (channels,), "one value for each filter")
    return bias


def memory_format_of(function: str, memory_format: str) -> None:
    """Raise ValueError for an unknown memory format."""
    if memory_format not in ("preserve", "channels_last", "contiguous"):
        raise ValueError(
            f'{function}: memory_format must be "preserve", "channels_last" or "contiguous", '
            f"got {memory_format!r}"
        )


def placed(
    function: str,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Numbers,
    padding: Sides,
    dilation: Numbers,
    groups: int,
    strict: bool = False,
) -> tuple[np.ndarray, Window]:
    """Check the input against checked filters, and place the window over it."""
    x = float_array(function, "x", x, weight.ndim)
    if x.dtype is not weight.dtype:
        same_dtype(function, "x", x, weight=weight)
    arguments = (function, x.shape, weight.shape, stride, padding, dilation, groups, bool(strict))
    cached = plain(stride) and plain(padding) and plain(dilation) and plain(groups)
    return x, (place if cached else place.__wrapped__)(*arguments)


@lru_cache(maxsize=1024)
def place(
    function: str,
    x: Shape,
    weight: Shape,
    stride: Numbers,
    padding: Sides,
    dilation: Numbers,
    groups: int,
    strict: bool,
) -> Window:
    """Check the shapes and geometry of a convolution, and place its window over the input."""
    if 0 in x[1:]:
        raise ValueError(
            f"{function}: x may have no empty dimension except the batch, got shape {x}"
        )
    check_groups(function, "filters", weight, groups)
    depth = weight[1]
    if x[1] != depth * groups:
        raise ValueError(
            f"{function}: x has {x[1]} channels, but weight {weight} with groups {groups} reads "
            f"{depth * groups}"
        )
    win = window(function, x[2:], weight[2:], stride, padding, dilation, strict=strict)
    check_sizes(function, "x", x[1], weight, win)
    return win


def check_groups(function: str, what: str, weight: Shape, groups: int) -> None:
    """Check that `groups` divides what is along the first axis of weight."""
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise TypeError(f"{function}: groups must be an int, got {groups!r}")
    if groups < 1 or weight[0] % groups:
        raise ValueError(
            f"{function}: groups must be at least 1 and divide the {weight[0]} {what} of weight "
            f"{weight}, got {groups}"
        )


def check_sizes(function: str, name: str, channels: int, weight: Shape, win: Window) -> None:
    """Check that no kernel's index can leave 64 bits."""
    padded = channels * math.prod([axis.padded for axis in win])
    size = math.prod(weight)
    if max(padded, size) > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: an image of {name} has {padded} elements with its padding and weight "
            f"has {size}; neither may have more than {LARGEST_IMAGE}"
        )


def plain(value: object) -> bool:
    """Whether a look-up tells `value` from others: 1.0 and True equal 1, and lists have no hash."""
    if type(value) is int or type(value) is str:
        return True
    return type(value) is tuple and all(map(plain, value))
