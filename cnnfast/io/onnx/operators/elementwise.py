"""Functions of each element by itself, and the choice between two."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnnfast.functional._arguments import FLOATS
from cnnfast.functional.activation.gelu import gelu
from cnnfast.functional.activation.relu import relu6, relu6_backward
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Discrete, Operation
from cnnfast.io.onnx.operators._arrays import sum_to
from cnnfast.io.onnx.operators._inputs import input_or_attribute
from cnnfast.io.onnx.registry import Placed, operator

# Of the Taylor series of erf(x) / x in x**2, as far as float64 can tell for abs(x) < 0.5.
_SERIES = [
    2 / math.sqrt(math.pi) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(13)
]


def erf(x: np.ndarray) -> np.ndarray:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    GELU weighs by the same integral, and has a kernel; near 0 its digits would cancel.
    """
    z = np.clip(x if x.dtype in FLOATS else x.astype(np.float32), -10, 10)
    square, near = z * z, np.zeros_like(z)
    for coefficient in reversed(_SERIES):
        near *= square
        near += z.dtype.type(coefficient)
    scaled = z * z.dtype.type(math.sqrt(2))
    return np.where(square < 0.25, near * z, 2 * (gelu(scaled) / scaled) - 1).astype(x.dtype)


class Function(NamedTuple):
    """A function, and its derivative at x, where it is y."""

    apply: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray, np.ndarray], np.ndarray]


SMOOTH = {
    "Abs": Function(np.abs, lambda x, y: np.sign(x)),
    "Erf": Function(erf, lambda x, y: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "Exp": Function(np.exp, lambda x, y: y),
    "Log": Function(np.log, lambda x, y: 1 / x),
    "Neg": Function(np.negative, lambda x, y: np.full_like(x, -1)),
    "Reciprocal": Function(np.reciprocal, lambda x, y: -y * y),
    "Sqrt": Function(np.sqrt, lambda x, y: 0.5 / y),
}

STEPS = {
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Not": np.logical_not,
    "Round": np.rint,
    "Sign": np.sign,
}


class Elementwise(Operation):
    """One of the functions above that have a derivative.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @np.errstate(all="ignore")
    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(SMOOTH[self.name].apply(x))

    @np.errstate(all="ignore")
    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (grad * SMOOTH[self.name].derivative(inputs[0], output),)

    def extra_repr(self) -> str:
        return self.name


class Step(Discrete):
    """One of the functions above whose derivative is zero.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @np.errstate(all="ignore")
    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(STEPS[self.name](x))

    def extra_repr(self) -> str:
        return self.name


class Clip(Operation):
    """Keep within bounds, each of which may be left out; `high` wins if it is the lower one."""

    def __call__(
        self, x: np.ndarray, low: np.ndarray | None = None, high: np.ndarray | None = None
    ) -> np.ndarray:
        if _is_relu6(x, low, high):
            return relu6(x)
        y = x
        if low is not None:
            y = np.maximum(y, low.astype(x.dtype))
        if high is not None:
            y = np.minimum(y, high.astype(x.dtype))
        return np.asarray(y)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x, *bounds = inputs
        if _is_relu6(*inputs):
            return relu6_backward(grad, x), *(None for _ in bounds)
        return np.where(x == output, grad, 0), *(None for _ in bounds)


def _is_relu6(x: np.ndarray, low: np.ndarray | None = None, high: np.ndarray | None = None) -> bool:
    if low is None or high is None or x.dtype not in FLOATS:
        return False
    return bool(low == 0 and high == 6)


class Where(Operation):
    """Choose x where the condition holds, y elsewhere."""

    def __call__(  # type: ignore[override]
        self, condition: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        return np.where(condition, x, y)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        condition, x, y = inputs
        gx, gy = np.where(condition, grad, 0), np.where(condition, 0, grad)
        return None, sum_to(gx, x.shape), sum_to(gy, y.shape)


@operator(*SMOOTH)
def smooth(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return Elementwise(node.type), node.inputs


@operator(*STEPS)
def step(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return Step(node.type), node.inputs


@operator("Clip")
def clip(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    low = input_or_attribute(node, 1, "min", np.float32)
    high = input_or_attribute(node, 2, "max", np.float32)
    return Clip(), (node.inputs[0], low, high)


@operator("Where")
def where(node: OnnxNode) -> Placed:
    return Where(), node.inputs
