"""Shapes as values, and arrays of computed shapes."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Discrete
from cnnfast.io.onnx.operators._arrays import as_shape
from cnnfast.io.onnx.registry import Placed, operator


class Shape(Discrete):
    """The shape of an array, or part of it.

    Parameters
    ----------
    start, end : int or None
        As a slice has them.
    """

    def __init__(self, start: int | None, end: int | None) -> None:
        self.start, self.end = start, end

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.array(x.shape[self.start : self.end], np.int64)


class Size(Discrete):
    """How many elements an array has."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.array(x.size, np.int64)


class ConstantOfShape(Discrete):
    """One value everywhere, in a shape that is computed.

    Parameters
    ----------
    value : numpy.ndarray
        Of one element.
    """

    def __init__(self, value: np.ndarray) -> None:
        self.value = value.reshape(())

    def __call__(self, shape: np.ndarray) -> np.ndarray:
        return np.full(as_shape("ConstantOfShape", shape), self.value, self.value.dtype)


class Range(Discrete):
    """Numbers from a start to below a limit, so far apart."""

    def __call__(  # type: ignore[override]
        self, start: np.ndarray, limit: np.ndarray, delta: np.ndarray
    ) -> np.ndarray:
        first, step = start.item(), delta.item()
        if step == 0 or not all(map(np.isfinite, (first, limit, step))):
            raise ValueError(f"Range: no numbers go from {first} to {limit} in steps of {step}")
        count = max(math.ceil((limit.item() - first) / step), 0)
        numbers = first + step * np.arange(*as_shape("Range", [count]))
        return numbers.astype(start.dtype)


@operator("Shape")
def shape(node: OnnxNode) -> Placed:
    return Shape(node.attribute("start"), node.attribute("end")), node.inputs


@operator("Size")
def size(node: OnnxNode) -> Placed:
    return Size(), node.inputs


@operator("ConstantOfShape")
def constant_of_shape(node: OnnxNode) -> Placed:
    value = node.attribute("value", np.zeros(1, np.float32))
    if value.size != 1:
        raise ValueError(f"value must be one number, got shape {value.shape}")
    return ConstantOfShape(value), node.inputs


@operator("Range")
def range_(node: OnnxNode) -> Placed:
    node.ignore("stash_type")  # numbers are made in 64 bits
    return Range(), node.inputs
