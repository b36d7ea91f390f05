"""The geometry of ONNX's windows over any number of axes, and windows in plain NumPy.

The kernels have most of what ONNX can ask for, and layers use those. What is left goes through
here: integers, dilated averages, more padding than half a window, indices in other orders.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operators._arrays import as_shape
from cnnfast.nn import Backward, Module

Sides = tuple[tuple[int, int], ...]


class Places(NamedTuple):
    """Where windows lie over an array (N, C, *sizes)."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    sides: Sides
    out: tuple[int, ...]

    def taps(self) -> Iterator[tuple[Any, ...]]:
        """For each tap of the kernel, what it sees of the padded array."""
        for tap in product(*map(range, self.kernel)):
            axes = zip(tap, self.dilations, self.out, self.strides, strict=True)
            yield ..., *(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in axes)

    def padded(self, x: np.ndarray, value: float = 0) -> np.ndarray:
        """`x` with `value` around it, as far as windows go."""
        y = np.full(as_shape("window", (*x.shape[:2], *self._padded_sizes())), value, x.dtype)
        y[self._inside()] = x
        return y

    def cropped(self, y: np.ndarray) -> np.ndarray:
        """What `padded` had put something around."""
        return y[self._inside()]

    def gather(self, x: np.ndarray, value: float = 0) -> np.ndarray:
        """Every window's elements: (taps, N, C, *out)."""
        padded = self.padded(x, value)
        return np.stack([padded[seen] for seen in self.taps()])

    def scatter(self, windows: np.ndarray) -> np.ndarray:
        """Sum windows' elements back to where `gather` took them from."""
        sums = np.zeros((*windows.shape[1:3], *self._padded_sizes()), windows.dtype)
        for part, seen in zip(windows, self.taps(), strict=True):
            sums[seen] += part
        return self.cropped(sums)

    def _padded_sizes(self) -> tuple[int, ...]:
        spans = (
            (o - 1) * s + d * (k - 1) + 1
            for o, s, d, k in zip(self.out, self.strides, self.dilations, self.kernel, strict=True)
        )
        return tuple(
            max(span, before + size)
            for span, size, (before, _) in zip(spans, self.sizes, self.sides, strict=True)
        )

    def _inside(self) -> Any:
        return (
            ...,
            *(
                slice(before, before + size)
                for size, (before, _) in zip(self.sizes, self.sides, strict=True)
            ),
        )


class Geometry(NamedTuple):
    """What a node's attributes say of its windows; None or empty where they leave it open."""

    auto_pad: str
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    ceil_mode: bool

    @property
    def same(self) -> bool:
        """Whether the padding depends on the size of the input."""
        return self.auto_pad.startswith("SAME")

    def over(self, sizes: tuple[int, ...], kernel: tuple[int, ...] = ()) -> Places:
        """Lay the windows over an input; `kernel` is their size if no attribute says it."""
        count = len(sizes)
        kernel = self.kernel or kernel
        strides, dilations = self.strides or (1,) * count, self.dilations or (1,) * count
        given = kernel, strides, dilations, self.sides(count)
        if any(len(numbers) != count for numbers in given):
            raise ValueError(f"the windows {given} do not have the {count} axes of the input")
        axes = [self._axis(*axis) for axis in zip(sizes, *given, strict=True)]
        sides, out = zip(*axes, strict=True) if axes else ((), ())
        return Places(sizes, kernel, strides, dilations, sides, out)

    def fitting(self, sizes: tuple[int, ...]) -> dict[str, Any]:
        """The attributes that a layer needs for an input of these sizes."""
        return {"padding": self.over(sizes).sides}

    def sides(self, count: int) -> Sides:
        """The padding before and after each axis that the attributes say."""
        if self.auto_pad != "NOTSET":
            return ((0, 0),) * count
        pads = self.pads or (0,) * 2 * count
        return tuple(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))

    def _axis(
        self, size: int, kernel: int, stride: int, dilation: int, sides: tuple[int, int]
    ) -> tuple[tuple[int, int], int]:
        """The padding of one axis, and its number of windows."""
        span = dilation * (kernel - 1) + 1
        if self.same:
            out = -(-size // stride)
            total = max((out - 1) * stride + span - size, 0)
            less = total // 2
            return (
                (less, total - less) if self.auto_pad == "SAME_UPPER" else (total - less, less)
            ), out
        room = sum(sides) + size - span
        if room < 0:
            raise ValueError(f"a window of {span} is larger than the padded input, {room + span}")
        out = room // stride + 1
        # A last window must start in the input, or in the padding before it.
        if self.ceil_mode and room % stride and out * stride < size + sides[0]:
            out += 1
        return sides, out


def geometry(node: OnnxNode) -> Geometry:
    """Read the attributes that windows have in common."""
    auto_pad = node.attribute("auto_pad", "NOTSET") or "NOTSET"
    if auto_pad not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise node.unsupported(f"auto_pad {auto_pad}")
    kernel, strides, dilations, pads = (
        tuple(node.attribute(name, ())) for name in ("kernel_shape", "strides", "dilations", "pads")
    )
    for name, numbers, least in (
        ("kernel_shape", kernel, 1),
        ("strides", strides, 1),
        ("dilations", dilations, 1),
        ("pads", pads, 0),
    ):
        if any(not least <= number < 2**31 for number in numbers):
            raise ValueError(f"{name} must be {least} or more, got {list(numbers)}")
    if len(pads) % 2:
        raise ValueError(f"pads must come in pairs, got {list(pads)}")
    return Geometry(
        auto_pad, kernel, strides, dilations, pads, bool(node.attribute("ceil_mode", 0))
    )


class Fitted(Module):
    """A layer whose padding depends on the size of what it is given.

    Parameters
    ----------
    layer : Module
        Its parameters are shared by the copies of it that are fitted to inputs.
    geometry : Geometry
        Its method ``fitting`` gives the attributes of such a copy.
    """

    def __init__(self, layer: Module, geometry: Any) -> None:
        self.layer, self.geometry = layer, geometry

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._fitting(x)(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        return self._fitting(x).forward(x)

    def _fitting(self, x: np.ndarray) -> Module:
        layer = copy.copy(self.layer)
        for name, value in self.geometry.fitting(x.shape[2:]).items():
            setattr(layer, name, value)
        return layer
