"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnnfast import functional, nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation, adopt, is_any_float
from cnnfast.io.onnx.operators._windows import Fitted, Geometry, geometry
from cnnfast.io.onnx.registry import Placed, operator

# By the number of axes.
_LAYERS: dict[int, Callable] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_FUNCTIONS: dict[int, tuple[Callable, Callable]] = {
    1: (functional.conv1d, functional.conv1d_backward),
    2: (functional.conv2d, functional.conv2d_backward),
    3: (functional.conv3d, functional.conv3d_backward),
}
_TRANSPOSED_LAYERS: dict[int, Callable] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_TRANSPOSED: dict[int, tuple[Callable, Callable]] = {
    1: (functional.conv_transpose1d, functional.conv_transpose1d_backward),
    2: (functional.conv_transpose2d, functional.conv_transpose2d_backward),
    3: (functional.conv_transpose3d, functional.conv_transpose3d_backward),
}


class _Convolution(Operation):
    """A convolution with filters that are computed."""

    functions: dict[int, tuple[Callable, Callable]]  # forward and backward, by the number of axes

    def _arguments(self, x: np.ndarray, weight: np.ndarray) -> tuple:
        """What the functions take behind the arrays."""
        raise NotImplementedError

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
    ) -> np.ndarray:
        forward, _ = self._of_axes(x)
        return forward(x, weight, bias, *self._arguments(x, weight))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, weight, *bias = inputs
        _, backward = self._of_axes(x)
        return backward(grad, x, weight, *self._arguments(x, weight))[: 2 + len(bias)]

    def _of_axes(self, x: np.ndarray) -> tuple[Callable, Callable]:
        if x.ndim - 2 not in self.functions:
            raise ValueError(
                f"x must have {[2 + n for n in self.functions]} dimensions, got shape {x.shape}"
            )
        return self.functions[x.ndim - 2]


class Conv(_Convolution):
    """Convolution with filters that are computed."""

    functions = _FUNCTIONS

    def __init__(self, geometry: Geometry, groups: int) -> None:
        self.geometry, self.groups = geometry, groups

    def _arguments(self, x: np.ndarray, weight: np.ndarray) -> tuple:
        places = _with_kernel(self.geometry, weight).over(x.shape[2:])
        return places.strides, places.sides, places.dilations, self.groups


@operator("Conv", kernels=True)
def conv(node: OnnxNode) -> Placed:
    where, groups = geometry(node), node.attribute("group")
    weight = _filters(node)
    if weight is None or weight.ndim - 2 not in _LAYERS:
        return Conv(where, groups), node.inputs
    where = _with_kernel(where, weight)
    count = len(where.kernel)
    layer = _LAYERS[count](
        groups,
        groups,
        where.kernel,
        where.strides or (1,) * count,
        where.sides(count),
        where.dilations or (1,) * count,
        groups,
        bias=False,
    )
    _adopt_filters(node, layer, weight.shape[1] * groups, weight.shape[0])
    return (Fitted(layer, where) if where.same else layer), node.inputs[:1]


# ---------------------------------------------------------------------------- transposed


class TransposedGeometry(NamedTuple):
    """What the attributes of a transposed convolution say of its windows."""

    windows: Geometry
    output_padding: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def depends_on_size(self) -> bool:
        return self.windows.same or bool(self.output_shape)

    def fitting(self, sizes: tuple[int, ...]) -> dict[str, Any]:
        """The padding, before and after, that an input of these sizes needs."""
        count = len(sizes)
        added = self.output_padding or (0,) * count
        if not self.depends_on_size:
            return {"padding": self.windows.sides(count), "output_padding": added}
        strides = self.windows.strides or (1,) * count
        dilations = self.windows.dilations or (1,) * count
        wanted = self.output_shape[-count:] or [n * s for n, s in zip(sizes, strides, strict=True)]
        axes = zip(sizes, self.windows.kernel, strides, dilations, added, wanted, strict=True)
        placed = [self._axis(*axis) for axis in axes]
        return {
            "padding": tuple(sides for sides, _ in placed),
            "output_padding": tuple(behind for _, behind in placed),
        }

    def _axis(
        self, size: int, kernel: int, stride: int, dilation: int, added: int, wanted: int
    ) -> tuple[tuple[int, int], int]:
        """The padding of one axis, and what is added to the output behind it."""
        total = stride * (size - 1) + added + dilation * (kernel - 1) + 1 - wanted
        if total < 0:
            return (0, 0), added - total
        half = total // 2
        sides = (half, total - half)
        return (sides if self.windows.auto_pad == "SAME_UPPER" else sides[::-1]), added


class ConvTranspose(_Convolution):
    """Transposed convolution with filters that are computed."""

    functions = _TRANSPOSED

    def __init__(self, geometry: TransposedGeometry, groups: int) -> None:
        self.geometry, self.groups = geometry, groups

    def _arguments(self, x: np.ndarray, weight: np.ndarray) -> tuple:
        count = x.ndim - 2
        windows = _with_kernel(self.geometry.windows, weight)
        fitting = self.geometry._replace(windows=windows).fitting(x.shape[2:])
        return (
            windows.strides or (1,) * count,
            fitting["padding"],
            fitting["output_padding"],
            self.groups,
            windows.dilations or (1,) * count,
        )


@operator("ConvTranspose", kernels=True)
def conv_transpose(node: OnnxNode) -> Placed:
    groups = node.attribute("group")
    where = TransposedGeometry(
        geometry(node),
        tuple(node.attribute("output_padding", ())),
        tuple(node.attribute("output_shape", ())),
    )
    weight = _filters(node)
    if weight is None or weight.ndim - 2 not in _TRANSPOSED_LAYERS:
        return ConvTranspose(where, groups), node.inputs
    windows = _with_kernel(where.windows, weight)
    where, count = where._replace(windows=windows), len(windows.kernel)
    layer = _TRANSPOSED_LAYERS[count](
        groups,
        groups,
        windows.kernel,
        windows.strides or (1,) * count,
        windows.sides(count),
        where.output_padding or (0,) * count,
        groups,
        bias=False,
        dilation=windows.dilations or (1,) * count,
    )
    _adopt_filters(node, layer, weight.shape[0], weight.shape[1] * groups)
    return (Fitted(layer, where) if where.depends_on_size else layer), node.inputs[:1]


# ---------------------------------------------------------------------------- both


def _filters(node: OnnxNode) -> np.ndarray | None:
    """The filters, if the file gives them and, if there is one, the bias."""
    weight, bias = node.constant(1), node.constant(2)
    if weight is None or (bias is None and node.has(2)) or 0 in weight.shape:
        return None
    return weight if is_any_float(weight) else None


def _with_kernel(where: Geometry, weight: np.ndarray) -> Geometry:
    kernel = weight.shape[2:]
    if where.kernel not in ((), kernel):
        raise ValueError(f"kernel_shape {where.kernel} differs from the {kernel} of the filters")
    return where._replace(kernel=kernel)


def _adopt_filters(node: OnnxNode, layer: Any, in_channels: int, out_channels: int) -> None:
    """Put filters and bias into a layer of one channel in each group."""
    weight = node.parameter(1)
    bias = node.parameter(2) if node.has(2) else None
    if in_channels % layer.groups or out_channels % layer.groups:
        raise ValueError(f"filters {weight.shape} cannot be split into {layer.groups} groups")
    if bias is not None and bias.shape != (out_channels,):
        raise ValueError(
            f"bias {bias.shape} must have one value for each of {out_channels} filters"
        )
    adopt(layer, in_channels=in_channels, out_channels=out_channels, weight=weight, bias=bias)
