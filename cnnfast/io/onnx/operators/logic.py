"""Comparisons and logic, with broadcasting."""

from __future__ import annotations

import numpy as np

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Discrete
from cnnfast.io.onnx.operators.arithmetic import aligned
from cnnfast.io.onnx.registry import Placed, operator

_UFUNCS = {
    "And": np.logical_and,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}


class Truth(Discrete):
    """Whether something holds for two arrays, element by element.

    Parameters
    ----------
    holds : numpy.ufunc
    axis : int, optional
        See `aligned`.
    """

    def __init__(self, holds: np.ufunc, axis: int | None = None) -> None:
        self.holds = holds
        self.axis = axis

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.holds(x, aligned(x, y, self.axis)))

    def extra_repr(self) -> str:
        return self.holds.__name__


@operator(*_UFUNCS)
def truth(node: OnnxNode) -> Placed:
    node.ignore("broadcast")
    return Truth(_UFUNCS[node.type], node.attribute("axis")), node.inputs
