"""What modules of ONNX operators have in common that are no layers of `cnnfast.nn`."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from cnnfast.functional._arguments import FLOATS
from cnnfast.nn import Backward, Module

LayerT = TypeVar("LayerT", bound=Module)


class Operation(Module):
    """An operator as a function of arrays: ``__call__``, and ``gradient`` takes back through it.

    One without a gradient is no subclass of this but of `Module`.
    """

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError

    def gradient(self, grad: Any, inputs: tuple, output: Any) -> tuple:
        """Give the gradient of each input, None for one that has none.

        `grad` and `output` are tuples if there are several outputs; then a part of `grad` may be
        None.
        """
        raise NotImplementedError

    def forward(self, *inputs: Any) -> tuple[Any, Backward]:
        output = self(*inputs)

        def run(grad: Any) -> Any:
            gradients = self.gradient(grad, inputs, output)
            return gradients if len(inputs) != 1 else gradients[0]

        return output, Backward.without_parameters(run)


class Discrete(Module):
    """An operator whose output does not change with its inputs but by jumps: there is no gradient.

    Shapes, indices and comparisons are such; learning goes on around them.
    """

    def forward(self, *inputs: Any) -> tuple[Any, Backward]:
        nothing = None if len(inputs) == 1 else (None,) * len(inputs)
        return self(*inputs), Backward.without_parameters(lambda grad: nothing)


class Constant(Discrete):
    """A value that the file gives. Floats are part of the network's state.

    Parameters
    ----------
    value : numpy.ndarray
    """

    def __init__(self, value: np.ndarray) -> None:
        if value.dtype in FLOATS:
            self.register_buffer("value", value)
        else:
            self.value = value

    def __call__(self) -> np.ndarray:  # type: ignore[override]
        return self.value

    def extra_repr(self) -> str:
        return f"{self.value.dtype}, shape={self.value.shape}"


class Widened(Module):
    """A module of float32 that half precision goes into and comes out of.

    Parameters
    ----------
    body : Module
    """

    def __init__(self, body: Module) -> None:
        self.body = body

    def __call__(self, *inputs: Any) -> Any:
        half = _half_of(inputs)
        return _narrowed(self.body(*map(_widened, inputs)), half)

    def forward(self, *inputs: Any) -> tuple[Any, Backward]:
        half = _half_of(inputs)
        output, backward = self.body.forward(*map(_widened, inputs))

        def run(grad: Any, input_grad: bool) -> Any:
            grad = tuple(map(_widened, grad)) if isinstance(grad, tuple) else _widened(grad)
            return _narrowed(backward(grad, input_grad), half)

        return _narrowed(output, half), Backward(run)


def is_half(x: Any) -> bool:
    """Whether `x` is an array of float16 or bfloat16."""
    return isinstance(x, np.ndarray) and x.dtype.name in ("float16", "bfloat16")


def is_any_float(x: np.ndarray) -> bool:
    """Whether `x` can become a parameter."""
    return x.dtype in FLOATS or is_half(x)


def _half_of(inputs: tuple) -> np.dtype | None:
    return next((x.dtype for x in inputs if is_half(x)), None)


def _widened(x: Any) -> Any:
    return x.astype(np.float32) if is_half(x) else x


def _narrowed(result: Any, half: np.dtype | None) -> Any:
    if isinstance(result, tuple):
        return tuple(_narrowed(part, half) for part in result)
    if half is None or result is None or result.dtype != np.float32:
        return result
    return result.astype(half)


def adopt(layer: LayerT, **attributes: Any) -> LayerT:
    """Give a layer, made as small as can be, the parameters and sizes that a file has for it.

    A layer made in its full size would draw all its initial weights only to drop them.
    """
    for name, value in attributes.items():
        setattr(layer, name, value)
    return layer
