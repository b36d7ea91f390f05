"""The fully connected layer, and what leads from images to it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import float_array, same_dtype, same_shape
from cnnfast.functional._conv.images import Packed
from cnnfast.functional._memory import empty_image, is_channels_last
from cnnfast.functional.linear import linear_backward, linear_packed
from cnnfast.nn.backward import Backward
from cnnfast.nn.init import kaiming_parameter
from cnnfast.nn.module import Module, positive
from cnnfast.nn.parameter import Parameter


class Linear(Module):
    """Fully connected layer on (N, in_features); see `cnnfast.functional.linear`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether to add a learned bias.
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the inputs.

    Attributes
    ----------
    weight : Parameter
        (out_features, in_features); at first He-normal: `init.kaiming_normal` with its gain for
        ReLU.
    bias : Parameter or None
        (out_features,); at first zero.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or out of range.

    Examples
    --------
    >>> Linear(400, 120)(np.zeros((2, 400), np.float32)).shape
    (2, 120)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.in_features = positive("Linear", "in_features", in_features)
        self.out_features = positive("Linear", "out_features", out_features)
        shape = (self.out_features, self.in_features)
        self.weight = kaiming_parameter(shape, rng, dtype)
        self.bias = Parameter(np.zeros(self.out_features, dtype)) if bias else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._compute(x, self.weight.packed)

    def _compute(self, x: np.ndarray, packed: Packed) -> np.ndarray:
        bias = self.bias.data if self.bias is not None else None
        return linear_packed(x, self.weight.data, bias, packed)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        weight = self.weight.data

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            return linear_backward(grad, x, weight, needs)

        backward = Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)
        packed = self.weight.packed_to_learn if self.training else self.weight.packed
        return self._compute(x, packed), backward

    def extra_repr(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{bias}"


class Flatten(Module):
    """Reshape (N, ...) to (N, features), with the features in (C, H, W) order.

    That order does not depend on the memory's, so weights learned from channels-last images fit
    C-contiguous ones. The gradient comes back in the memory order of the input.

    Examples
    --------
    >>> Flatten()(np.zeros((2, 16, 5, 5))).shape
    (2, 400)
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = float_array("Flatten", "x", x)
        if x.ndim < 2:
            raise ValueError(f"Flatten: x must have 2 dimensions or more, got shape {x.shape}")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        shape, flat, like = x.shape, y.shape, np.empty(0, x.dtype)
        channels_last = x.ndim == 4 and is_channels_last(x)

        def gradient(grad: np.ndarray) -> np.ndarray:
            grad = float_array("Flatten", "grad", grad)
            same_dtype("Flatten", "x", like, grad=grad)
            same_shape("Flatten", "grad", grad, flat, "the shape of the output")
            if not channels_last:
                return grad.reshape(shape)
            gx = empty_image(shape, grad.dtype, channels_last=True)
            gx[...] = grad.reshape(shape)
            return gx

        return y, Backward.without_parameters(gradient)
