"""Dropout, and what does nothing at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.registry import Placed, operator


class Identity(Operation):
    """y = x."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        return (grad,)


@operator("Identity")
def identity(node: OnnxNode) -> Placed:
    return Identity(), node.inputs


class Dropout(nn.Module):
    """Dropout that says what it has dropped, or drops at inference too.

    Parameters
    ----------
    seed : int or None
        Of what is dropped, as the standard's reference draws it; None for another each time.
    mask : None or numpy.dtype
        The type of the second output; None if there is none.
    """

    def __init__(self, seed: int | None, mask: np.dtype | None) -> None:
        self.seed, self.mask = seed, mask

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)[0]

    def forward(
        self, x: np.ndarray, ratio: np.ndarray | None = None, training: np.ndarray | None = None
    ) -> tuple[Any, nn.Backward]:
        share = float(ratio) if ratio is not None else 0.5
        if training is None or not training:
            share = 0.0
        if not 0 <= share < 1:
            raise ValueError(f"Dropout: ratio must lie in 0..1, without 1, got {share}")
        kept = np.random.RandomState(self.seed).uniform(0, 1, x.shape) >= share
        factors = (kept / (1 - share)).astype(x.dtype)
        y = x * factors
        others = (None,) * ((ratio is not None) + (training is not None))

        def run(grad: Any) -> Any:
            grad = grad if self.mask is None else grad[0]
            gx = None if grad is None else grad * factors
            return (gx, *others) if others else gx

        output = y if self.mask is None else (y, kept.astype(self.mask))
        return output, nn.Backward.without_parameters(run)


@operator("Dropout", kernels=True)
def dropout(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs", "is_test")  # it is for inference here anyway
    seed = node.attribute("seed")
    mask = None if node.outputs == 1 else np.dtype(bool if node.version >= 10 else np.float32)
    training = node.constant(2)
    inference = not node.has(2) or (training is not None and not training)
    ratio = node.constant(1) if node.version >= 12 and node.has(1) else node.attribute("ratio", 0.5)
    if inference and mask is None and ratio is not None:
        return nn.Dropout(float(ratio)), node.inputs[:1]
    return Dropout(seed, mask), node.inputs
