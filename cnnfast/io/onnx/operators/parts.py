"""Putting arrays together, and taking parts of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from cnnfast.functional import combine
from cnnfast.functional._arguments import FLOATS
from cnnfast.functional._resampling import adjoint
from cnnfast.functional._resampling import gather as gather_plan
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import as_axes
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.operators._sampling import apply
from cnnfast.io.onnx.registry import Placed, operator


class Concat(Operation):
    """Arrays behind each other along an axis.

    Parameters
    ----------
    axis : int
    """

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        if self.axis in (1, -3) and all(x.ndim == 4 and x.dtype in FLOATS for x in xs):
            return combine.concat(xs)
        return np.concatenate(xs, self.axis)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        ends = [*itertools.accumulate(x.shape[self.axis] for x in inputs)]
        return tuple(np.split(grad, ends[:-1], self.axis))

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class Split(Operation):
    """Parts of an array along an axis.

    Parameters
    ----------
    axis : int
    parts : int
        Of equal size, but for the last, which may be smaller; if no sizes are given.
    outputs : int
        How many of them the node gives.
    """

    def __init__(self, axis: int, parts: int, outputs: int) -> None:
        self.axis, self.parts, self.outputs = axis, parts, outputs

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, sizes: np.ndarray | None = None
    ) -> np.ndarray | tuple[np.ndarray, ...]:
        places = self._places(x, sizes)
        return x[places[0]] if self.outputs == 1 else tuple(x[place] for place in places)

    def gradient(self, grad: tuple, inputs: tuple, output: tuple) -> tuple:
        gx = np.zeros_like(inputs[0])
        for place, part in zip(
            self._places(*inputs), grad if self.outputs > 1 else (grad,), strict=True
        ):
            if part is not None:
                gx[place] = part
        return gx, *(None for _ in inputs[1:])

    def _places(self, x: np.ndarray, sizes: np.ndarray | None = None) -> list[tuple]:
        (axis,) = as_axes([self.axis], x.ndim)
        length = x.shape[axis]
        if sizes is None:
            each = -(-length // self.parts)
            ends = [min(each * i, length) for i in range(self.parts + 1)]
        else:
            ends = [0, *itertools.accumulate(map(int, sizes))]
        if ends != sorted(ends) or ends[-1] != length or len(ends) <= self.outputs:
            raise ValueError(
                f"Split: parts {np.diff(ends).tolist()} must be {self.outputs} and together "
                f"the {length} of axis {axis} of shape {x.shape}"
            )
        before = (slice(None),) * axis
        return [(*before, slice(*pair)) for pair in itertools.pairwise(ends)][: self.outputs]

    def extra_repr(self) -> str:
        return f"axis={self.axis}, outputs={self.outputs}"


class Slice(Operation):
    """Every so many elements from a start to an end, nearly as Python's slices count."""

    def __call__(self, *inputs: Any) -> np.ndarray:
        return inputs[0][self._place(*inputs)]

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        gx = np.zeros_like(inputs[0])
        gx[self._place(*inputs)] = grad
        return gx, *(None for _ in inputs[1:])

    def _place(
        self,
        x: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        axes: np.ndarray | None = None,
        steps: np.ndarray | None = None,
    ) -> tuple[slice, ...]:
        along = as_axes(range(len(starts)) if axes is None else axes, x.ndim)
        every = np.ones(len(starts), np.int64) if steps is None else steps
        bounds = np.stack([starts, ends, every], 1).tolist()
        place = [slice(None)] * x.ndim
        for axis, (start, end, step) in zip(along, bounds, strict=True):
            # Backwards, a start before the first element means the first; Python's means none.
            first = max(start, -x.shape[axis]) if step < 0 else start
            place[axis] = slice(first, end, step)
        return tuple(place)


class Gather(Operation):
    """The elements at given places along an axis.

    Parameters
    ----------
    axis : int
    """

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def __call__(self, x: np.ndarray, index: np.ndarray) -> np.ndarray:  # type: ignore[override]
        (axis,) = as_axes([self.axis], x.ndim)
        size = x.shape[axis]
        if index.size and not -size <= index.min() <= index.max() < size:
            raise ValueError(
                f"Gather: indices must lie in {-size}..{size - 1} for axis {axis} of shape "
                f"{x.shape}, got {index.min()}..{index.max()}"
            )
        return np.asarray(np.take(x, index, axis))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x, index = inputs
        (axis,) = as_axes([self.axis], x.ndim)
        size = x.shape[axis]
        places = np.where(index < 0, index + size, index).ravel()
        grad = grad.reshape(*x.shape[:axis], places.size, *x.shape[axis + 1 :])
        back = adjoint(gather_plan(places, grad.dtype), size)
        return apply({axis: back}, grad), None

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


@operator("Concat")
def concat(node: OnnxNode) -> Placed:
    return Concat(node.attribute("axis", 1)), node.inputs


@operator("Split")
def split(node: OnnxNode) -> Placed:
    sizes = input_or_attribute(node, 1, "split")
    parts = node.attribute("num_outputs", node.outputs)
    return Split(node.attribute("axis", 0), parts, node.outputs), (node.inputs[0], sizes)


@operator("Slice")
def slice_(node: OnnxNode) -> Placed:
    if node.version >= 10:
        return Slice(), node.inputs
    names = ("starts", "ends", "axes")
    bounds = [input_or_attribute(node, i, name) for i, name in enumerate(names, 1)]
    return Slice(), (node.inputs[0], *bounds)


@operator("Gather", kernels=True)
def gather(node: OnnxNode) -> Placed:
    return Gather(node.attribute("axis")), node.inputs
