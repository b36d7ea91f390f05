"""Reductions along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnnfast.functional._arguments import FLOATS
from cnnfast.functional.global_pool import global_avg_pool2d
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Discrete, Operation
from cnnfast.io.onnx.operators._arrays import as_axes
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.registry import Placed, operator

Axes = tuple[int, ...]


class Reduction(NamedTuple):
    """A function of an array and axes, which it keeps, and what gives its gradient.

    That takes the gradient, the array, the result and the axes; its own result is broadcast.
    """

    reduce: Callable[[np.ndarray, Axes], np.ndarray]
    gradient: Callable[[np.ndarray, np.ndarray, np.ndarray, Axes], np.ndarray]


def _sum(x: np.ndarray, axes: Axes) -> np.ndarray:
    # Sums in half precision would lose small summands; those of integers stay of their type.
    narrow = x.dtype.itemsize == 2 and x.dtype.kind not in "iu"
    total = np.sum(x, axis=axes, dtype=np.float32 if narrow else x.dtype, keepdims=True)
    return total.astype(x.dtype, copy=False)


def _mean(x: np.ndarray, axes: Axes) -> np.ndarray:
    if x.ndim == 4 and axes == (2, 3) and x.dtype in FLOATS and x.size:
        return global_avg_pool2d(x)
    return np.mean(x, axis=axes, keepdims=True).astype(x.dtype, copy=False)


def _max(x: np.ndarray, axes: Axes) -> np.ndarray:
    return np.max(x, axis=axes, keepdims=True, initial=_bounds(x)[0])


def _min(x: np.ndarray, axes: Axes) -> np.ndarray:
    return np.min(x, axis=axes, keepdims=True, initial=_bounds(x)[1])


def _bounds(x: np.ndarray) -> tuple:
    """What no element of `x` lies outside of."""
    if x.dtype == bool:
        return False, True
    if x.dtype.kind in "iu":
        return np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
    return -np.inf, np.inf


def _among_ties(grad: np.ndarray, x: np.ndarray, y: np.ndarray, axes: Axes) -> np.ndarray:
    """Shared equally, as in torch."""
    hit = x == y
    count = np.maximum(hit.sum(axis=axes, keepdims=True), 1)
    return np.where(hit, grad / count.astype(grad.dtype), 0)


def _product_of_others(grad: np.ndarray, x: np.ndarray, y: np.ndarray, axes: Axes) -> np.ndarray:
    zero = x == 0
    zeros = zero.sum(axis=axes, keepdims=True)
    product = np.prod(np.where(zero, 1, x), axis=axes, keepdims=True)
    return grad * np.where(zero, np.where(zeros == 1, product, 0), y / x)


def _log_sum_exp(x: np.ndarray, axes: Axes) -> np.ndarray:
    largest = _max(x, axes)
    largest = np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
    return np.log(_sum(np.exp(x - largest), axes)) + largest


REDUCTIONS = {
    "ReduceL1": Reduction(
        lambda x, axes: _sum(np.abs(x), axes),
        lambda grad, x, y, axes: grad * np.sign(x),
    ),
    "ReduceL2": Reduction(
        lambda x, axes: np.sqrt(_sum(np.square(x), axes)),
        lambda grad, x, y, axes: np.where(y == 0, 0, grad * x / y),
    ),
    "ReduceLogSum": Reduction(
        lambda x, axes: np.log(_sum(x, axes)),
        lambda grad, x, y, axes: grad / np.exp(y),
    ),
    "ReduceLogSumExp": Reduction(
        _log_sum_exp,
        lambda grad, x, y, axes: grad * np.exp(x - y),
    ),
    "ReduceMax": Reduction(_max, _among_ties),
    "ReduceMean": Reduction(
        _mean,
        lambda grad, x, y, axes: grad / grad.dtype.type(math.prod(x.shape[a] for a in axes)),
    ),
    "ReduceMin": Reduction(_min, _among_ties),
    "ReduceProd": Reduction(
        lambda x, axes: np.prod(x, axis=axes, dtype=x.dtype, keepdims=True),
        _product_of_others,
    ),
    "ReduceSum": Reduction(_sum, lambda grad, x, y, axes: grad),
    "ReduceSumSquare": Reduction(
        lambda x, axes: _sum(np.square(x), axes),
        lambda grad, x, y, axes: grad * x * grad.dtype.type(2),
    ),
}


class Reduce(Operation):
    """One of the reductions above, along axes that are an input, or else along all.

    Parameters
    ----------
    name : str
    keep : bool
        Keep reduced dimensions, as 1.
    all_by_default : bool
        With no axes, reduce all; else none.
    """

    def __init__(self, name: str, keep: bool, all_by_default: bool) -> None:
        self.name, self.keep, self.all_by_default = name, keep, all_by_default

    @np.errstate(all="ignore")
    def __call__(self, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
        along = self._axes(x, axes)
        y = np.asarray(REDUCTIONS[self.name].reduce(x, along)).astype(x.dtype, copy=False)
        return y if self.keep else y.squeeze(along)

    @np.errstate(all="ignore")
    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x, along = inputs[0], self._axes(*inputs)
        kept = [1 if axis in along else size for axis, size in enumerate(x.shape)]
        gx = np.empty_like(x)
        gx[...] = REDUCTIONS[self.name].gradient(grad.reshape(kept), x, output.reshape(kept), along)
        return gx, *(None for _ in inputs[1:])

    def _axes(self, x: np.ndarray, axes: np.ndarray | None = None) -> Axes:
        if axes is not None and axes.size:
            return tuple(sorted(as_axes(axes.ravel(), x.ndim)))
        return tuple(range(x.ndim)) if self.all_by_default else ()

    def extra_repr(self) -> str:
        return f"{self.name}, keep={self.keep}"


class ArgExtreme(Discrete):
    """Where along an axis the largest or the smallest element is.

    Parameters
    ----------
    find : callable
        `numpy.argmax` or `numpy.argmin`.
    axis : int
    keep : bool
        Keep the axis, as 1.
    last : bool
        The last of several that are equal, not the first.
    """

    def __init__(self, find: Callable, axis: int, keep: bool, last: bool) -> None:
        self.find, self.axis, self.keep, self.last = find, axis, keep, last

    def __call__(self, x: np.ndarray) -> np.ndarray:
        (axis,) = as_axes([self.axis], x.ndim)
        place = self.find(np.flip(x, axis) if self.last else x, axis=axis)
        place = np.asarray(x.shape[axis] - 1 - place if self.last else place, np.int64)
        return np.expand_dims(place, axis) if self.keep else place

    def extra_repr(self) -> str:
        return f"{self.find.__name__}, axis={self.axis}, keep={self.keep}"


@operator(*REDUCTIONS)
def reduce(node: OnnxNode) -> Placed:
    axes = input_or_attribute(node, 1, "axes")
    keep = bool(node.attribute("keepdims"))
    none = bool(node.attribute("noop_with_empty_axes", 0))
    return Reduce(node.type, keep, not none), (node.inputs[0], axes)


@operator("ArgMax", "ArgMin")
def arg_extreme(node: OnnxNode) -> Placed:
    find = np.argmax if node.type == "ArgMax" else np.argmin
    keep, last = node.attribute("keepdims"), node.attribute("select_last_index", 0)
    return ArgExtreme(find, node.attribute("axis"), bool(keep), bool(last)), node.inputs
