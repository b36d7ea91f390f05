"""Softmax layers; the formulas are in `cnnfast.functional`."""

from __future__ import annotations

import numpy as np

from cnnfast.functional.softmax import (
    log_softmax,
    log_softmax_gradient,
    softmax,
    softmax_gradient,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class Softmax(Module):
    """Probabilities along the axis `dim`.

    Examples
    --------
    >>> Softmax()(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return softmax(x, self.dim)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, dim = self(x), self.dim
        return y, Backward.without_parameters(lambda grad: softmax_gradient(grad, y, dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """Logarithms of the probabilities along the axis `dim`.

    Examples
    --------
    >>> LogSoftmax()(np.array([[1000.0, 0.0]])).tolist()
    [[0.0, -1000.0]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return log_softmax(x, self.dim)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, dim = self(x), self.dim
        return y, Backward.without_parameters(lambda grad: log_softmax_gradient(grad, y, dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
