"""Arithmetic of several arrays, with broadcasting."""

from __future__ import annotations

import functools

import numpy as np

from cnnfast.functional import combine
from cnnfast.functional._arguments import FLOATS
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import is_float, sum_to
from cnnfast.io.onnx.registry import Placed, operator


def aligned(x: np.ndarray, y: np.ndarray, axis: int | None) -> np.ndarray:
    """`y` with dimensions of 1 behind, so that its own begin at `axis` of `x`.

    Before opset 7 nodes could ask for that.
    """
    if axis is None:
        return y
    missing = (axis + x.ndim if axis < 0 else axis) + y.ndim
    return y.reshape(y.shape + (1,) * (x.ndim - missing))


class Binary(Operation):
    """Arithmetic of two arrays: a subclass tells how, and what comes back.

    Parameters
    ----------
    axis : int, optional
        See `aligned`.
    """

    def __init__(self, axis: int | None = None) -> None:
        self.axis = axis

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        """Give both gradients, not yet summed over what was broadcast."""
        raise NotImplementedError

    @np.errstate(all="ignore")
    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.compute(x, aligned(x, y, self.axis)))

    @np.errstate(all="ignore")
    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x, y = inputs
        behind = aligned(x, y, self.axis)
        gx, gy = self.parts(grad, x, behind, output)
        gy = None if gy is None else sum_to(gy, behind.shape).reshape(y.shape)
        return sum_to(gx, x.shape), gy


class Add(Binary):
    """x + y."""

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return plus(x, y)

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        return grad, grad


class Sub(Binary):
    """x - y."""

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x - y

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        return grad, -grad


class Mul(Binary):
    """x * y."""

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x * y

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        return grad * y, grad * x


class Div(Binary):
    """x / y; with integers, rounded towards zero."""

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if x.dtype.kind not in "iu":
            return x / y
        floor = x // y
        return floor + ((x % y != 0) & ((x < 0) != (y < 0))).astype(floor.dtype)

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        gx = grad / y
        return gx, -gx * z


class Mod(Binary):
    """What is left of x: with the sign of y, or with that of x.

    Parameters
    ----------
    fmod : bool
        The sign of x.
    """

    def __init__(self, fmod: bool) -> None:
        super().__init__()
        self.fmod = fmod

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.fmod(x, y) if self.fmod else np.remainder(x, y)

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        return grad, -grad * np.rint((x - z) / y)


class Pow(Binary):
    """x to the power of y, in the type of x."""

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if y.ndim == 0 and y == 2:
            return np.square(x)
        if x.dtype.kind not in "iu":
            y = y.astype(x.dtype)
        return np.power(x, y).astype(x.dtype)

    def parts(self, grad: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        exponent = y.astype(x.dtype)
        gx = np.where(y == 0, 0, grad * exponent * np.power(x, exponent - 1))
        return gx, np.where(x == 0, 0, grad * z * np.log(x)) if is_float(y) else None


class Sum(Operation):
    """The sum of any number of arrays."""

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        return np.asarray(functools.reduce(plus, xs))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return tuple(sum_to(grad, x.shape) for x in inputs)


class Mean(Sum):
    """The mean of any number of arrays."""

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        return np.asarray(super().__call__(*xs) / xs[0].dtype.type(len(xs)))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return super().gradient(grad / grad.dtype.type(len(inputs)), inputs, output)


class Extreme(Operation):
    """The largest or the smallest of any number of arrays, element by element.

    Those that tie share the gradient equally, as in torch.

    Parameters
    ----------
    of_two : numpy.ufunc
        `numpy.maximum` or `numpy.minimum`.
    """

    def __init__(self, of_two: np.ufunc) -> None:
        self.of_two = of_two

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        return np.asarray(functools.reduce(self.of_two, xs))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        hits = [x == output for x in inputs]
        share = grad / np.maximum(np.sum(hits, axis=0), 1).astype(grad.dtype)
        return tuple(
            sum_to(np.where(hit, share, 0), x.shape) for hit, x in zip(hits, inputs, strict=True)
        )

    def extra_repr(self) -> str:
        return self.of_two.__name__


def plus(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x + y, by the kernel if it takes them."""
    if x.shape == y.shape and x.dtype == y.dtype and x.dtype in FLOATS:
        return combine.add(x, y)
    return x + y


_BINARY = {"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Pow": Pow}


@operator(*_BINARY)
def binary(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs", "broadcast")
    return _BINARY[node.type](node.attribute("axis")), node.inputs


@operator("Mod")
def mod(node: OnnxNode) -> Placed:
    return Mod(bool(node.attribute("fmod"))), node.inputs


@operator("Sum", "Mean")
def sum_or_mean(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return Sum() if node.type == "Sum" else Mean(), node.inputs


@operator("Max", "Min")
def extreme(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return Extreme(np.maximum if node.type == "Max" else np.minimum), node.inputs
