"""Activations."""

from __future__ import annotations

import numpy as np

from tests.oracle.geometry import (
    f64,
)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(f64(x)[0], 0.0)


def relu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.where(x <= 0, 0.0, grad)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    (x,) = f64(x)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(
    grad: np.ndarray, x: np.ndarray, negative_slope: float = 0.01
) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(x > 0, 1.0, negative_slope)


def _softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)) = -log(sigmoid(-x)), which neither overflows nor cancels."""
    with np.errstate(invalid="ignore"):  # NumPy warns of a NaN here, and of no other input
        return np.logaddexp(0.0, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-_softplus(-f64(x)[0]))


def sigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.exp(-_softplus(-x) - _softplus(x))


def tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(f64(x)[0])


def tanh_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    # 1 - tanh(x)**2 loses every digit where tanh is near 1; 4 * sigmoid'(2x) is the same.
    return sigmoid_backward(4 * f64(grad)[0], 2 * f64(x)[0])


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(f64(x)[0], 0.0, 6.0)


def relu6_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.where((x <= 0) | (x >= 6), 0.0, grad)


def _along_channels(weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    return weight.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    x, weight = f64(x, weight)
    return np.maximum(x, 0) + _along_channels(weight, x) * np.minimum(x, 0)


def prelu_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    grad, x, weight = f64(grad, x, weight)
    slope = np.broadcast_to(_along_channels(weight, x), x.shape)
    share = grad * np.minimum(x, 0)
    gw = np.moveaxis(share, 1, 0).reshape(x.shape[1], -1).sum(1) if x.ndim > 1 else share.sum()
    return grad * np.where(x > 0, 1.0, slope), gw if len(weight) > 1 else np.sum(gw, keepdims=True)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    (x,) = f64(x)
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


def elu_backward(grad: np.ndarray, x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


SELU = (1.6732632423543772, 1.0507009873554805)


def selu(x: np.ndarray) -> np.ndarray:
    return SELU[1] * elu(x, SELU[0])


def selu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    return SELU[1] * elu_backward(grad, x, SELU[0])


def silu(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinity times 0
        return f64(x)[0] * sigmoid(x)


def silu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return grad * sigmoid(x) + f64(x)[0] * sigmoid_backward(grad, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    (x,) = f64(x)
    return np.where(beta * x > threshold, x, _softplus(beta * x) / beta)


def softplus_backward(
    grad: np.ndarray, x: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(beta * x > threshold, 1.0, sigmoid(beta * x))


def _normal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The normal density, and its integral by Gauss's quadrature of the tail beyond |x|."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    beyond, far = 7 * (nodes + 1), np.abs(x)[..., None]
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    tail = density * 7 * (np.exp(-far * beyond - beyond**2 / 2) * weights).sum(-1)
    return density, np.where(x < 0, tail, 1 - tail)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    (x,) = f64(x)
    if approximate == "tanh":
        return x * (0.5 + 0.5 * np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * _normal(x)[1]


def gelu_backward(grad: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    grad, x = f64(grad, x)
    if approximate == "tanh":
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
        return grad * (0.5 + 0.5 * np.tanh(inner)) + x / 2 * tanh_backward(grad, inner) * slope
    density, integral = _normal(x)
    return grad * (integral + x * density)


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(f64(x)[0] / 6 + 0.5, 0.0, 1.0)


def hardsigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * ~(np.abs(x) >= 3) / 6


def hardswish(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return f64(x)[0] * hardsigmoid(x)


def hardswish_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.select([x <= -3, x >= 3], [0.0, grad], grad * (2 * x + 3) / 6)
