"""Softmax, and its logarithm."""

from __future__ import annotations

import math

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.registry import Placed, operator


class AsMatrix(nn.Module):
    """A layer on the matrix whose rows are all axes from one on: ONNX's softmax before opset 13.

    Parameters
    ----------
    layer : Module
    axis : int
    """

    def __init__(self, layer: nn.Module, axis: int) -> None:
        self.layer, self.axis = layer, axis

    def _matrix(self, x: np.ndarray) -> np.ndarray:
        if not -x.ndim <= self.axis <= x.ndim:
            raise ValueError(f"axis {self.axis} must be one of the {x.ndim} of x")
        rows = math.prod(x.shape[: self.axis])
        return x.reshape(rows, math.prod(x.shape[self.axis :]) if self.axis < x.ndim else 1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.layer(self._matrix(x)).reshape(x.shape)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backward]:
        shape = x.shape
        y, backward = self.layer.forward(self._matrix(x))

        def run(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            gx = backward(grad.reshape(y.shape), input_grad)
            return gx if gx is None else gx.reshape(shape)

        return y.reshape(shape), nn.Backward(run)


@operator("Softmax", "LogSoftmax", kernels=True)
def softmax(node: OnnxNode) -> Placed:
    layer = nn.Softmax if node.type == "Softmax" else nn.LogSoftmax
    axis = node.attribute("axis")
    if node.version < 13:
        return AsMatrix(layer(1), axis), node.inputs
    return layer(axis), node.inputs
