"""Activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.functional import elu, elu_backward, sigmoid, silu_backward, softplus
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import sum_to
from cnnfast.io.onnx.registry import Placed, operator

# torch's constants, in float32 as ONNX has them.
_SELU = float(np.float32(1.67326319217681884765625)), float(np.float32(1.05070102214813232421875))


@operator("Relu", kernels=True)
def relu(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.ReLU(), node.inputs


@operator("LeakyRelu", kernels=True)
def leaky_relu(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.LeakyReLU(node.attribute("alpha")), node.inputs


@operator("Sigmoid", kernels=True)
def sigmoid_(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.Sigmoid(), node.inputs


@operator("Tanh", kernels=True)
def tanh(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.Tanh(), node.inputs


@operator("Gelu", kernels=True)
def gelu(node: OnnxNode) -> Placed:
    return nn.GELU(node.attribute("approximate")), node.inputs


@operator("HardSwish", kernels=True)
def hard_swish(node: OnnxNode) -> Placed:
    return nn.Hardswish(), node.inputs


@operator("Softplus", kernels=True)
def softplus_(node: OnnxNode) -> Placed:
    return nn.Softplus(), node.inputs


@operator("Elu", kernels=True)
def elu_(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    return nn.ELU(node.attribute("alpha")), node.inputs


class ScaledElu(Operation):
    """y = gamma * x where x > 0, gamma * alpha * (exp(x / beta) - 1) elsewhere."""

    def __init__(self, alpha: float, beta: float, gamma: float) -> None:
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def __call__(self, x: np.ndarray) -> np.ndarray:
        low = np.minimum(x, 0) / self.beta
        return self.gamma * (np.maximum(x, 0) + elu(low, self.alpha))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        (x,) = inputs
        grad = grad * self.gamma
        low = elu_backward(grad, np.minimum(x, 0) / self.beta, self.alpha) / self.beta
        return (np.where(x > 0, grad, low),)


@operator("Selu", kernels=True)
def selu(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    alpha, gamma = node.attribute("alpha"), node.attribute("gamma")
    if np.allclose((alpha, gamma), _SELU, rtol=1e-3 if node.version == 1 else 1e-6):
        return nn.SELU(), node.inputs
    return ScaledElu(alpha, 1.0, gamma), node.inputs


@operator("Celu", kernels=True)
def celu(node: OnnxNode) -> Placed:
    alpha = node.attribute("alpha")
    return ScaledElu(alpha, alpha, 1.0), node.inputs


class HardSigmoid(Operation):
    """y = min(max(0, alpha * x + beta), 1)."""

    def __init__(self, alpha: float, beta: float) -> None:
        self.alpha, self.beta = alpha, beta

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.clip(self.alpha * x + self.beta, 0, 1)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (np.where((output > 0) & (output < 1), self.alpha * grad, 0 * grad),)


@operator("HardSigmoid", kernels=True)
def hard_sigmoid(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    alpha, beta = node.attribute("alpha"), node.attribute("beta")
    if np.allclose((alpha, beta), (1 / 6, 0.5), rtol=1e-6):
        return nn.Hardsigmoid(), node.inputs
    return HardSigmoid(alpha, beta), node.inputs


class Softsign(Operation):
    """y = x / (1 + |x|)."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x / (1 + np.abs(x))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (grad / np.square(1 + np.abs(inputs[0])),)


@operator("Softsign", kernels=True)
def softsign(node: OnnxNode) -> Placed:
    return Softsign(), node.inputs


class ThresholdedRelu(Operation):
    """y = x where x > alpha, 0 elsewhere."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > self.alpha, x, 0 * x)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        return (np.where(inputs[0] > self.alpha, grad, 0 * grad),)


@operator("ThresholdedRelu", kernels=True)
def thresholded_relu(node: OnnxNode) -> Placed:
    return ThresholdedRelu(node.attribute("alpha")), node.inputs


class Swish(Operation):
    """y = x / (1 + exp(-alpha * x))."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x * sigmoid(self.alpha * x)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        # silu(alpha * x) = alpha * swish(x)
        return (silu_backward(grad, self.alpha * inputs[0]),)


@operator("Swish", kernels=True)
def swish(node: OnnxNode) -> Placed:
    alpha = node.attribute("alpha")
    return (nn.SiLU() if alpha == 1 else Swish(alpha)), node.inputs


class Mish(Operation):
    """y = x * tanh(log(1 + exp(x)))."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x * np.tanh(softplus(x))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        (x,) = inputs
        t = np.tanh(softplus(x))
        return (grad * (t + x * (1 - t * t) * sigmoid(x)),)


@operator("Mish", kernels=True)
def mish(node: OnnxNode) -> Placed:
    return Mish(), node.inputs


class ChannelPReLU(nn.PReLU):
    """`nn.PReLU` where ONNX's slopes (C, 1, ..., 1) are along the channels: no others of them.

    Parameters
    ----------
    weight : Parameter
        (C,).
    ndim : int
        Of what it takes; 0 for any, with one slope.
    """

    def __init__(self, weight: nn.Parameter, ndim: int) -> None:
        self.num_parameters, self.weight, self.ndim = weight.shape[0], weight, ndim

    def _check(self, x: np.ndarray) -> None:
        if self.ndim and x.ndim != self.ndim:
            raise ValueError(f"PRelu: x must have {self.ndim} dimensions, got shape {x.shape}")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self._check(x)
        return super().__call__(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backward]:
        self._check(x)
        return super().forward(x)


class PRelu(Operation):
    """y = x where x > 0, slope * x elsewhere, with slopes of any shape."""

    def __init__(self, by_channel: bool) -> None:
        self.by_channel = by_channel

    def _slopes(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        if self.by_channel and slope.ndim == 1 and x.ndim > 1:
            return slope.reshape(-1, *[1] * (x.ndim - 2))
        return slope

    def __call__(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.where(x > 0, x, x * self._slopes(x, slope))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, slope = inputs
        slopes = self._slopes(x, slope)
        gx = np.where(x > 0, grad, grad * slopes)
        gs = np.where(x > 0, 0 * grad, grad * x)
        return gx, sum_to(gs, slopes.shape).reshape(slope.shape)


@operator("PRelu", kernels=True)
def prelu(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    slope = node.constant(1)
    by_channel = node.version < 7  # one dimension is that of the channels
    if slope is not None and (slope.size == 1 or slope.size == len(slope)):
        along_channels = slope.ndim > 1 or (slope.ndim == 1 and by_channel)
        if slope.size == 1 or along_channels:
            ndim = 0 if slope.size == 1 or by_channel else slope.ndim + 1
            weight = node.parameter(1, "flat", np.ravel)
            return ChannelPReLU(weight, ndim), node.inputs[:1]
    return PRelu(by_channel), node.inputs
