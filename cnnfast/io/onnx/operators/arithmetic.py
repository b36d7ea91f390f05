"""Arithmetic, element by element, with broadcasting."""

from __future__ import annotations

import numpy as np

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.registry import Placed, operator


class Mul(Operation):
    """Multiply with broadcasting, in any type of numbers."""

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        return x * y


@operator("Mul")
def mul(node: OnnxNode) -> Placed:
    return Mul(), node.inputs
