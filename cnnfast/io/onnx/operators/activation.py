"""Activations."""

from __future__ import annotations

from cnnfast import nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.registry import Placed, operator


@operator("Relu", kernels=True)
def relu(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.ReLU(), node.inputs
