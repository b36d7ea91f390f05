"""Activations. ONNX has attributes in float32 only, also for a model in float64."""

from __future__ import annotations

from typing import Any

from cnnfast import nn
from cnnfast.io.onnx.export.nodes import Layer, Value, Writer, writes


def _one_node(op: str, **attributes: Any) -> Writer:
    """Make the writer of a layer that is one operator with fixed attributes."""

    def write(layer: Layer, x: Value) -> str:
        return layer.node(op, x.name, **attributes)

    return write


writes(nn.ReLU)(_one_node("Relu"))
writes(nn.Sigmoid)(_one_node("Sigmoid"))
writes(nn.Tanh)(_one_node("Tanh"))
writes(nn.SELU)(_one_node("Selu"))
writes(nn.Hardsigmoid)(_one_node("HardSigmoid", alpha=1 / 6, beta=0.5))
writes(nn.Hardswish)(_one_node("HardSwish"))


@writes(nn.LeakyReLU)
def _leaky_relu(layer: Layer, x: Value) -> str:
    return layer.node("LeakyRelu", x.name, alpha=layer.module.negative_slope)


@writes(nn.ELU)
def _elu(layer: Layer, x: Value) -> str:
    return layer.node("Elu", x.name, alpha=layer.module.alpha)


@writes(nn.GELU)
def _gelu(layer: Layer, x: Value) -> str:
    return layer.node("Gelu", x.name, approximate=layer.module.approximate)


@writes(nn.ReLU6)
def _relu6(layer: Layer, x: Value) -> str:
    bounds = [layer.constant(name, bound, x.dtype) for name, bound in (("min", 0), ("max", 6))]
    return layer.node("Clip", x.name, *bounds)


@writes(nn.PReLU)
def _prelu(layer: Layer, x: Value) -> str:
    module = layer.module
    shape = (-1, *[1] * (len(x.shape) - 2)) if module.num_parameters > 1 else None
    return layer.node("PRelu", x.name, layer.state("weight", shape))


@writes(nn.SiLU)
def _silu(layer: Layer, x: Value) -> str:
    return layer.node("Mul", x.name, layer.node("Sigmoid", x.name))


@writes(nn.Softplus)
def _softplus(layer: Layer, x: Value) -> str:
    module = layer.module
    if module.beta == 1 and module.threshold >= 20:  # beyond it only a 1e-10 is left out
        return layer.node("Softplus", x.name)
    beta = layer.constant("beta", module.beta, x.dtype)
    scaled = layer.node("Mul", x.name, beta)
    threshold = layer.constant("threshold", module.threshold, x.dtype)
    linear = layer.node("Greater", scaled, threshold)
    return layer.node(
        "Where", linear, x.name, layer.node("Div", layer.node("Softplus", scaled), beta)
    )


@writes(nn.Softmax)
def _softmax(layer: Layer, x: Value) -> str:
    return layer.node("Softmax", x.name, axis=layer.module.dim)


@writes(nn.LogSoftmax)
def _log_softmax(layer: Layer, x: Value) -> str:
    return layer.node("LogSoftmax", x.name, axis=layer.module.dim)
