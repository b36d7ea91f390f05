"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import functional, nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation, adopt, is_any_float
from cnnfast.io.onnx.operators._windows import Fitted, Geometry, geometry
from cnnfast.io.onnx.registry import Placed, operator

# By the number of axes.
_LAYERS: dict[int, Callable] = {2: nn.Conv2d}
_FUNCTIONS = {2: (functional.conv2d, functional.conv2d_backward)}


class Conv(Operation):
    """Convolution with filters that are computed."""

    def __init__(self, geometry: Geometry, groups: int) -> None:
        self.geometry, self.groups = geometry, groups

    def _arguments(self, x: np.ndarray, weight: np.ndarray) -> tuple:
        if self.geometry.kernel not in ((), weight.shape[2:]):
            raise ValueError(
                f"Conv: kernel_shape {self.geometry.kernel} differs from the {weight.shape[2:]} "
                "of the filters"
            )
        places = self.geometry.over(x.shape[2:], weight.shape[2:])
        return places.strides, places.sides, places.dilations, self.groups

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
    ) -> np.ndarray:
        forward, _ = _of_axes(_FUNCTIONS, x.ndim - 2)
        return forward(x, weight, bias, *self._arguments(x, weight))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, weight, *bias = inputs
        _, backward = _of_axes(_FUNCTIONS, x.ndim - 2)
        gradients = backward(grad, x, weight, *self._arguments(x, weight))
        return gradients[: 2 + len(bias)]


@operator("Conv", kernels=True)
def conv(node: OnnxNode) -> Placed:
    where, groups = geometry(node), node.attribute("group")
    weight = filters(node)
    if weight is None or weight.ndim - 2 not in _LAYERS:
        return Conv(where, groups), node.inputs
    kernel = weight.shape[2:]
    if where.kernel not in ((), kernel):
        raise ValueError(f"kernel_shape {where.kernel} differs from the filters' {kernel}")
    where = where._replace(kernel=kernel)
    count = len(kernel)
    layer = _LAYERS[count](
        groups,
        groups,
        kernel,
        where.strides or (1,) * count,
        where.sides(count),
        where.dilations or (1,) * count,
        groups,
        bias=False,
    )
    adopt(
        layer,
        in_channels=weight.shape[1] * groups,
        out_channels=weight.shape[0],
        weight=node.parameter(1),
        bias=node.parameter(2) if node.has(2) else None,
    )
    if weight.shape[0] % groups:
        raise ValueError(f"{weight.shape[0]} filters cannot be split into {groups} groups")
    if layer.bias is not None and layer.bias.shape != weight.shape[:1]:
        raise ValueError(f"bias {layer.bias.shape} must have one value for each filter")
    return (Fitted(layer, where) if where.same else layer), node.inputs[:1]


def filters(node: OnnxNode) -> np.ndarray | None:
    """The filters, if the file gives them and, if there is one, the bias."""
    weight, bias = node.constant(1), node.constant(2)
    if weight is None or (bias is None and node.has(2)) or 0 in weight.shape:
        return None
    return weight if is_any_float(weight) else None


def _of_axes(by_axes: dict[int, Any], count: int) -> Any:
    if count not in by_axes:
        raise ValueError(f"x must have {' or '.join(map(str, by_axes))} axes, got {count}")
    return by_axes[count]
