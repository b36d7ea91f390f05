"""Products of matrices."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation, adopt, is_any_float
from cnnfast.io.onnx.operators._arrays import sum_to
from cnnfast.io.onnx.registry import Placed, operator


class Rows(nn.Linear):
    """`nn.Linear` along the last axis, whatever is in front of it.

    Parameters
    ----------
    weight : Parameter
        (out_features, in_features).
    """

    def __init__(self, weight: nn.Parameter) -> None:
        self.out_features, self.in_features = weight.shape
        self.weight, self.bias = weight, None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if x.ndim == 2:
            return super().__call__(x)
        return self._shaped(super().__call__(self._matrix(x)), x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backward]:
        # It calls this instance, but with a matrix.
        y, backward = super().forward(self._matrix(x))

        def run(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            gx = backward(grad.reshape(y.shape), input_grad)
            return gx if gx is None else gx.reshape(x.shape)

        return self._shaped(y, x), nn.Backward(run)

    def _matrix(self, x: np.ndarray) -> np.ndarray:
        if x.ndim < 1 or x.shape[-1] != self.in_features:
            raise ValueError(f"x must have {self.in_features} columns, got shape {x.shape}")
        return x.reshape(x.size // self.in_features, self.in_features)

    def _shaped(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return y.reshape(*x.shape[:-1], self.out_features)


class MatMul(Operation):
    """The product of matrices, and of stacks of them, as NumPy's ``@``."""

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        if x.dtype != y.dtype:
            raise TypeError(f"MatMul: both must have one type, got {x.dtype} and {y.dtype}")
        return np.asarray(x @ y)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, y = inputs
        rows, columns = np.atleast_2d(x), y if y.ndim > 1 else y[:, None]
        if y.ndim == 1:
            grad = grad[..., None]
        if x.ndim == 1:
            grad = grad[..., None, :]
        gx = sum_to(grad @ np.swapaxes(columns, -1, -2), rows.shape)
        gy = sum_to(np.swapaxes(rows, -1, -2) @ grad, columns.shape)
        return gx.reshape(x.shape), gy.reshape(y.shape)


class Gemm(Operation):
    """y = alpha * a @ b + beta * c, with a and b transposed or not."""

    def __init__(self, alpha: float, beta: float, transposed: tuple[bool, bool]) -> None:
        self.alpha, self.beta, self.transposed = alpha, beta, transposed

    def _factors(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return a.T if self.transposed[0] else a, b.T if self.transposed[1] else b

    def __call__(  # type: ignore[override]
        self, a: np.ndarray, b: np.ndarray, c: np.ndarray | None = None
    ) -> np.ndarray:
        a, b = self._factors(a, b)
        y = _times(a @ b, self.alpha)
        if c is None:
            return y
        if np.broadcast_shapes(c.shape, y.shape) != y.shape:
            raise ValueError(f"Gemm: c {c.shape} does not fit the product's shape {y.shape}")
        return y + _times(c, self.beta)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        a, b = self._factors(*inputs[:2])
        scaled = grad * self.alpha
        ga, gb = scaled @ b.T, a.T @ scaled
        gradients = [ga.T if self.transposed[0] else ga, gb.T if self.transposed[1] else gb]
        if len(inputs) > 2:
            gradients.append(sum_to(grad * self.beta, inputs[2].shape))
        return tuple(gradients)


def _times(x: np.ndarray, factor: float) -> np.ndarray:
    """Multiply in the type of `x`, integers too."""
    return x if factor == 1 else (x * factor).astype(x.dtype, copy=False)


@operator("MatMul", kernels=True)
def matmul(node: OnnxNode) -> Placed:
    weight = node.constant(1)
    if _is_weight(weight):
        return Rows(node.parameter(1, "transposed", np.transpose)), node.inputs[:1]
    return MatMul(), node.inputs


@operator("Gemm", kernels=True)
def gemm(node: OnnxNode) -> Placed:
    alpha, beta = node.attribute("alpha"), node.attribute("beta")
    transposed = bool(node.attribute("transA")), bool(node.attribute("transB"))
    node.ignore("broadcast")  # in opset 6 and before, where c's shape says it too
    if not transposed[0] and _is_layer(node, transposed[1]):
        return _linear(node, alpha, beta, transposed[1]), node.inputs[:1]
    return Gemm(alpha, beta, transposed), node.inputs


def _is_weight(array: np.ndarray | None) -> TypeGuard[np.ndarray]:
    return array is not None and array.ndim == 2 and array.size > 0 and is_any_float(array)


def _is_layer(node: OnnxNode, transposed: bool) -> bool:
    """Whether b is constant, and c as well or not there: one for each output, or for all."""
    weight, bias = node.constant(1), node.constant(2)
    if not _is_weight(weight):
        return False
    if bias is None:
        return not node.has(2)
    features = weight.shape[0 if transposed else 1]
    return bias.size in (1, features) and bias.shape[-1:] in ((), (1,), (features,))


def _linear(node: OnnxNode, alpha: float, beta: float, transposed: bool) -> nn.Linear:
    weight = node.parameter(
        1,
        f"transposed {not transposed} times {alpha}",
        lambda w: _times(w if transposed else w.T, alpha),
    )
    rows, columns = weight.shape
    bias = None
    if node.has(2):
        bias = node.parameter(
            2,
            f"{rows} times {beta}",
            lambda b: _times(np.broadcast_to(b.reshape(-1), rows), beta),
        )
    layer = nn.Linear(1, 1, bias=False)
    return adopt(layer, in_features=columns, out_features=rows, weight=weight, bias=bias)
