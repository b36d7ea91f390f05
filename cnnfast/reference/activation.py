"""Activations: every element on its own."""

import math

import numpy as np

from cnnfast.reference.elementwise import elementwise


def relu(x: np.ndarray) -> np.ndarray:
    """Threshold at zero: max(0, x); NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return elementwise(lambda v: 0.0 if v <= 0 else v, x)


def relu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Let the gradient through where x > 0; at 0 itself it is taken as 0."""
    return elementwise(lambda g, v: 0.0 if v <= 0 else g, grad, x)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """Return x where x > 0, and negative_slope * x elsewhere."""
    return elementwise(lambda v: v if v > 0 else negative_slope * v, x)


def leaky_relu_backward(
    grad: np.ndarray, x: np.ndarray, negative_slope: float = 0.01
) -> np.ndarray:
    """Let the gradient through where x > 0, and negative_slope of it elsewhere."""
    return elementwise(lambda g, v: g if v > 0 else negative_slope * g, grad, x)


def logistic(v: float) -> float:
    """Return 1 / (1 + exp(-v)), never raising e to a large positive power."""
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Squash to (0, 1): 1 / (1 + exp(-x)).

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return elementwise(logistic, x)


def sigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by s(x) * s(-x), which is s * (1 - s) without cancellation."""
    return elementwise(lambda g, v: g * logistic(v) * logistic(-v), grad, x)


def tanh(x: np.ndarray) -> np.ndarray:
    """Squash to (-1, 1)."""
    return elementwise(math.tanh, x)


def tanh_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by 1 - tanh(x)**2."""
    return elementwise(lambda g, v: g * (1 - math.tanh(v) ** 2), grad, x)


def relu6(x: np.ndarray) -> np.ndarray:
    """Threshold at zero, and cut off at 6."""
    return elementwise(lambda v: v if math.isnan(v) else min(max(0.0, v), 6.0), x)


def relu6_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Let the gradient through where 0 < x < 6."""
    return elementwise(lambda g, v: 0.0 if v <= 0 or v >= 6 else g, grad, x)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x (N, D) where x > 0, and elsewhere weight * x, each column having its own weight."""
    y = np.zeros(x.shape, x.dtype)
    for n, d in np.ndindex(y.shape):
        y[n, d] = x[n, d] if x[n, d] > 0 else weight[d] * x[n, d]
    return y


def prelu_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of x, and of each weight: the sum of grad * x where it was used."""
    gx, gw = np.zeros(x.shape, x.dtype), np.zeros(weight.shape, x.dtype)
    for n, d in np.ndindex(x.shape):
        if x[n, d] > 0:
            gx[n, d] = grad[n, d]
        else:
            gx[n, d] = weight[d] * grad[n, d]
            gw[d] += x[n, d] * grad[n, d]
    return gx, gw


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere."""
    return elementwise(lambda v: v if v > 0 else alpha * math.expm1(v), x)


def elu_backward(grad: np.ndarray, x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Multiply the gradient by 1 where x > 0, and by alpha * exp(x) elsewhere."""
    return elementwise(lambda g, v: g if v > 0 else g * alpha * math.exp(v), grad, x)


def selu(x: np.ndarray) -> np.ndarray:
    """Return a scaled ELU, whose constants keep mean 0 and variance 1."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def selu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Scale ELU's gradient as `selu` does its value."""
    return 1.0507009873554805 * elu_backward(grad, x, 1.6732632423543772)


def silu(x: np.ndarray) -> np.ndarray:
    """Return x / (1 + exp(-x))."""
    return elementwise(lambda v: v * logistic(v), x)


def silu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by s(x) + x * s(x) * s(-x)."""
    return elementwise(lambda g, v: g * (logistic(v) + v * logistic(v) * logistic(-v)), grad, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x is beyond the threshold."""

    def value(v: float) -> float:
        if beta * v > threshold:
            return v
        return (max(beta * v, 0.0) + math.log1p(math.exp(-abs(beta * v)))) / beta

    return elementwise(value, x)


def softplus_backward(
    grad: np.ndarray, x: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> np.ndarray:
    """Multiply the gradient by s(beta * x), or by 1 beyond the threshold."""
    return elementwise(lambda g, v: g if beta * v > threshold else g * logistic(beta * v), grad, x)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Return x times the chance that a normal variable is smaller, or its approximation by tanh."""
    if approximate == "tanh":
        return elementwise(
            lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))), x
        )
    return elementwise(lambda v: 0.5 * v * math.erfc(-v / math.sqrt(2)), x)


def gelu_backward(grad: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Multiply the gradient by the slope, from the rule for products."""

    def exact(g: float, v: float) -> float:
        density = math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
        return g * (0.5 * math.erfc(-v / math.sqrt(2)) + v * density)

    def approximation(g: float, v: float) -> float:
        t = math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))
        inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * v**2)
        return g * (0.5 * (1 + t) + 0.5 * v * (1 - t**2) * inner)

    return elementwise(approximation if approximate == "tanh" else exact, grad, x)


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    """Return relu6(x + 3) / 6."""
    return relu6(x + 3) / 6


def hardsigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Divide the gradient by 6 where -3 < x < 3; it is 0 elsewhere."""
    return elementwise(lambda g, v: 0.0 if v <= -3 or v >= 3 else g / 6, grad, x)


def hardswish(x: np.ndarray) -> np.ndarray:
    """Return x * relu6(x + 3) / 6."""
    return x * hardsigmoid(x)


def hardswish_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply the gradient by 0 where x <= -3, by 1 where x >= 3, and by x/3 + 1/2 between."""

    def value(g: float, v: float) -> float:
        if v <= -3:
            return 0.0
        return g if v >= 3 else g * (v / 3 + 0.5)

    return elementwise(value, grad, x)
