"""Activation layers; the formulas are in `cnnfast.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import number
from cnnfast.functional.activation.elu import elu, elu_backward, selu, selu_backward
from cnnfast.functional.activation.gelu import gelu, gelu_backward
from cnnfast.functional.activation.hard import (
    hardsigmoid,
    hardsigmoid_backward,
    hardswish,
    hardswish_backward,
)
from cnnfast.functional.activation.prelu import prelu, prelu_backward
from cnnfast.functional.activation.relu import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
)
from cnnfast.functional.activation.sigmoid import (
    sigmoid,
    sigmoid_gradient,
    silu,
    silu_backward,
)
from cnnfast.functional.activation.softplus import softplus, softplus_backward
from cnnfast.functional.activation.tanh import tanh, tanh_gradient
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module, float_dtype, positive
from cnnfast.nn.parameter import Parameter


class ReLU(Module):
    """y = max(0, x).

    Examples
    --------
    >>> ReLU()(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return relu(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        # The output serves as well as the input, and the next layer keeps it anyway.
        return y, Backward.without_parameters(lambda grad: relu_backward(grad, y))


class ReLU6(Module):
    """y = min(max(0, x), 6).

    Examples
    --------
    >>> ReLU6()(np.array([-1.0, 2.0, 9.0])).tolist()
    [0.0, 2.0, 6.0]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return relu6(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        return y, Backward.without_parameters(lambda grad: relu6_backward(grad, y))


class LeakyReLU(Module):
    """y = x where x > 0, negative_slope * x elsewhere.

    Examples
    --------
    >>> LeakyReLU(0.5)(np.array([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return leaky_relu(x, self.negative_slope)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, slope = self(x), self.negative_slope
        kept = y if slope >= 0 else x  # a negative slope hides the sign of x
        return y, Backward.without_parameters(lambda grad: leaky_relu_backward(grad, kept, slope))

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """y = x where x > 0, weight * x elsewhere, with a learned weight.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels: a weight for each.
    init : float
        What the weights begin with.
    dtype : float32 or float64
        Of the weights.

    Attributes
    ----------
    weight : Parameter
        (num_parameters,).

    Examples
    --------
    >>> PReLU(dtype=np.float64)(np.array([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, *, dtype: DTypeLike = np.float32
    ) -> None:
        count = positive("PReLU", "num_parameters", num_parameters)
        init = number("PReLU", "init", init)
        self.num_parameters = count
        self.weight = Parameter(np.full(count, init, float_dtype("PReLU", dtype)))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return prelu(x, self.weight.data)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        weight = self.weight.data
        return self(x), Backward.with_parameters(
            lambda grad, needs: prelu_backward(grad, x, weight, needs), weight=self.weight
        )

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Sigmoid(Module):
    """y = 1 / (1 + exp(-x)).

    Examples
    --------
    >>> Sigmoid()(np.array([0.0])).tolist()
    [0.5]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return sigmoid(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        return y, Backward.without_parameters(lambda grad: sigmoid_gradient(grad, y))


class Tanh(Module):
    """y = tanh(x).

    Examples
    --------
    >>> Tanh()(np.array([0.0])).tolist()
    [0.0]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return tanh(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        return y, Backward.without_parameters(lambda grad: tanh_gradient(grad, y))


class _OfInput(Module):
    """An activation whose gradient is computed from its input; a subclass names both functions."""

    _function: Callable[..., np.ndarray]
    _backward: Callable[..., np.ndarray]
    _names: tuple[str, ...] = ()  # of the attributes that both functions take

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._function(x, **self._options())

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        options, backward = self._options(), self._backward
        y = self._function(x, **options)
        return y, Backward.without_parameters(lambda grad: backward(grad, x, **options))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._options().items())


class ELU(_OfInput):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Parameters
    ----------
    alpha : float
        Minus the value that y tends to on the left.

    Examples
    --------
    >>> ELU(0.5)(np.array([-1000.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    _function = staticmethod(elu)
    _backward = staticmethod(elu_backward)
    _names = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = number("ELU", "alpha", alpha)


class SELU(_OfInput):
    """y = 1.0507 * x where x > 0, 1.0507 * 1.6733 * (exp(x) - 1) elsewhere.

    Examples
    --------
    >>> SELU()(np.array([-1000.0, 1.0])).round(4).tolist()
    [-1.7581, 1.0507]
    """

    _function = staticmethod(selu)
    _backward = staticmethod(selu_backward)


class GELU(_OfInput):
    """y = x * (1 + erf(x / sqrt(2))) / 2.

    Parameters
    ----------
    approximate : "none" or "tanh"
        "tanh" for the approximation of erf by one.

    Examples
    --------
    >>> GELU()(np.array([-1.0, 1.0])).round(6).tolist()
    [-0.158655, 0.841345]
    """

    _function = staticmethod(gelu)
    _backward = staticmethod(gelu_backward)
    _names = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate


class SiLU(_OfInput):
    """y = x / (1 + exp(-x)).

    Examples
    --------
    >>> SiLU()(np.array([-1.0, 1.0])).round(6).tolist()
    [-0.268941, 0.731059]
    """

    _function = staticmethod(silu)
    _backward = staticmethod(silu_backward)


class Softplus(_OfInput):
    """y = log(1 + exp(beta * x)) / beta.

    Parameters
    ----------
    beta : float
        How sharp the bend is.
    threshold : float
        Where beta * x lies beyond it, y = x.

    Examples
    --------
    >>> Softplus()(np.array([0.0, 30.0])).round(6).tolist()
    [0.693147, 30.0]
    """

    _function = staticmethod(softplus)
    _backward = staticmethod(softplus_backward)
    _names = (
        "beta",
        "threshold",
    )

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = number("Softplus", "beta", beta)
        self.threshold = number("Softplus", "threshold", threshold)


class Hardsigmoid(_OfInput):
    """y = min(max(0, x + 3), 6) / 6.

    Examples
    --------
    >>> Hardsigmoid()(np.array([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    _function = staticmethod(hardsigmoid)
    _backward = staticmethod(hardsigmoid_backward)


class Hardswish(_OfInput):
    """y = x * min(max(0, x + 3), 6) / 6.

    Examples
    --------
    >>> Hardswish()(np.array([-1.5, 4.0])).tolist()
    [-0.375, 4.0]
    """

    _function = staticmethod(hardswish)
    _backward = staticmethod(hardswish_backward)
