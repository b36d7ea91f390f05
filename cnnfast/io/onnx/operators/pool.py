"""Pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import as_shape
from cnnfast.io.onnx.operators._ranks import AnyRank
from cnnfast.io.onnx.operators._windows import Fitted, Geometry, Places, geometry
from cnnfast.io.onnx.registry import Placed, operator

# By the number of axes.
_MAX: dict[int, Callable] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVERAGE: dict[int, Callable] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_LP: dict[int, Callable] = {1: nn.LPPool1d, 2: nn.LPPool2d, 3: nn.LPPool3d}


def _kernels_can(where: Geometry) -> bool:
    """Whether no window begins or ends with more padding than half of it."""
    count = len(where.kernel)
    spans = [d * (k - 1) + 1 for d, k in zip(_dilations(where), where.kernel, strict=True)]
    sides = where.sides(count)
    return len(sides) == count and all(
        max(side) <= span // 2 for side, span in zip(sides, spans, strict=True)
    )


def _strides(where: Geometry) -> tuple[int, ...]:
    return where.strides or (1,) * len(where.kernel)


def _dilations(where: Geometry) -> tuple[int, ...]:
    return where.dilations or (1,) * len(where.kernel)


# ---------------------------------------------------------------------------- maxima


class MaxPool(Operation):
    """Max pooling of any type, with any padding, and with the indices of the maxima if wanted.

    They are positions in the whole flat array or, with `by_columns`, in one in the order of
    Fortran's arrays.
    """

    def __init__(self, geometry: Geometry, indices: bool, by_columns: bool) -> None:
        self.geometry, self.indices, self.by_columns = geometry, indices, by_columns

    def __call__(self, x: np.ndarray) -> Any:
        places = self.geometry.over(x.shape[2:])
        windows = places.gather(x, _lowest(x.dtype))
        best = windows.argmax(axis=0)[None]
        y = np.take_along_axis(windows, best, axis=0)[0]
        return (y, self._indices(x.shape, places, best)) if self.indices else y

    def _indices(self, shape: tuple[int, ...], places: Places, best: np.ndarray) -> np.ndarray:
        n, c, *sizes = shape
        positions = np.arange(math.prod(sizes)).reshape(sizes)
        if self.by_columns:
            positions = np.arange(math.prod(sizes)).reshape(sizes[::-1]).T
        seen = places.gather(positions[None, None])
        seen = np.broadcast_to(seen, (len(seen), *best.shape[1:]))
        planes = np.arange(n * c).reshape(n, c, *[1] * len(sizes)) * math.prod(sizes)
        return np.take_along_axis(seen, best, axis=0)[0] + planes

    def gradient(self, grad: Any, inputs: tuple, output: Any) -> tuple:
        (x,) = inputs
        grad = grad[0] if self.indices else grad
        places = self.geometry.over(x.shape[2:])
        best = places.gather(x, _lowest(x.dtype)).argmax(axis=0)
        taps = np.arange(math.prod(places.kernel)).reshape(-1, *[1] * x.ndim)
        return (places.scatter(np.where(taps == best, grad, 0 * grad)),)


def _lowest(dtype: np.dtype) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


@operator("MaxPool", kernels=True)
def max_pool(node: OnnxNode) -> Placed:
    where, by_columns = geometry(node), bool(node.attribute("storage_order", 0))
    layer = _MAX.get(len(where.kernel))
    general = node.outputs > 1 or node.is_integer(0) or not _kernels_can(where)
    if layer is None or general:
        return MaxPool(where, node.outputs > 1, by_columns), node.inputs
    sides = where.sides(len(where.kernel))
    pool = layer(where.kernel, _strides(where), sides, _dilations(where), ceil_mode=where.ceil_mode)
    return (Fitted(pool, where) if where.same else pool), node.inputs


class MaxUnpool(Operation):
    """Put values where `MaxPool` found them, zeros elsewhere."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, indices: np.ndarray, shape: np.ndarray | None = None
    ) -> np.ndarray:
        inner = self._inner(x)
        flat = np.zeros(math.prod(inner), x.dtype)
        if indices.size and not 0 <= indices.min() <= indices.max() < flat.size:
            raise ValueError(f"MaxUnpool: indices must lie in 0..{flat.size - 1}")
        flat[indices.ravel()] = x.ravel()
        y = flat.reshape(inner)
        if shape is None or tuple(shape) == inner:
            return y
        larger = np.zeros(as_shape("MaxUnpool", shape), x.dtype)
        if larger.ndim != y.ndim or any(a < b for a, b in zip(larger.shape, inner, strict=True)):
            raise ValueError(f"MaxUnpool: output_shape {larger.shape} has no room for {inner}")
        larger[tuple(map(slice, inner))] = y
        return larger

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, indices, *shape = inputs
        inside = grad[tuple(map(slice, self._inner(x)))]
        return inside.ravel()[indices.ravel()].reshape(x.shape), None, *[None] * len(shape)

    def _inner(self, x: np.ndarray) -> tuple[int, ...]:
        count = x.ndim - 2
        strides = self.geometry.strides or (1,) * count
        axes = zip(
            x.shape[2:], self.geometry.kernel, strides, self.geometry.sides(count), strict=True
        )
        sizes = ((size - 1) * s + k - sum(sides) for size, k, s, sides in axes)
        return as_shape("MaxUnpool", (*x.shape[:2], *sizes))


@operator("MaxUnpool")
def max_unpool(node: OnnxNode) -> Placed:
    return MaxUnpool(geometry(node)), node.inputs


# ---------------------------------------------------------------------------- averages, norms


class AveragePool(Operation):
    """Average pooling with dilation and any padding."""

    def __init__(self, geometry: Geometry, count_include_pad: bool) -> None:
        self.geometry, self.count_include_pad = geometry, count_include_pad

    def __call__(self, x: np.ndarray) -> np.ndarray:
        places = self.geometry.over(x.shape[2:])
        return places.gather(x).sum(axis=0) / self._counts(places, x.dtype)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        places = self.geometry.over(inputs[0].shape[2:])
        grad = grad / self._counts(places, grad.dtype)
        return (places.scatter(np.broadcast_to(grad, (math.prod(places.kernel), *grad.shape))),)

    def _counts(self, places: Places, dtype: np.dtype) -> np.ndarray:
        """How many elements each window averages: all but what lies behind the padding."""
        if self.count_include_pad:
            sizes = tuple(map(sum, places.sides))
            sizes = tuple(a + b for a, b in zip(places.sizes, sizes, strict=True))
            places = places._replace(sizes=sizes, sides=((0, 0),) * len(sizes))
        return places.gather(np.ones((1, 1, *places.sizes), dtype)).sum(axis=0)


@operator("AveragePool", kernels=True)
def average_pool(node: OnnxNode) -> Placed:
    where, all_of_it = geometry(node), bool(node.attribute("count_include_pad", 0))
    layer = _AVERAGE.get(len(where.kernel))
    if layer is None or max(_dilations(where)) > 1 or not _kernels_can(where):
        return AveragePool(where, all_of_it), node.inputs
    sides = where.sides(len(where.kernel))
    pool = layer(where.kernel, _strides(where), sides, where.ceil_mode, all_of_it)
    return (Fitted(pool, where) if where.same else pool), node.inputs


class LpPool(Operation):
    """The p-norm of windows with dilation and padding; all of an image without a geometry."""

    def __init__(self, p: float, geometry: Geometry | None) -> None:
        self.p, self.geometry = p, geometry

    def __call__(self, x: np.ndarray) -> np.ndarray:
        powers = np.abs(x) ** self.p
        if self.geometry is None:
            sums = powers.sum(axis=tuple(range(2, x.ndim)), keepdims=True)
        else:
            sums = self.geometry.over(x.shape[2:]).gather(powers).sum(axis=0)
        return sums ** (1 / self.p)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        (x,) = inputs
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.where(output == 0, 0 * grad, grad * output ** (1 - self.p))
            powers = np.where(x == 0, 0 * x, np.abs(x) ** (self.p - 1))
        if self.geometry is not None:
            places = self.geometry.over(x.shape[2:])
            taps = math.prod(places.kernel)
            spread = places.scatter(np.broadcast_to(spread, (taps, *spread.shape)))
        return (spread * powers * np.sign(x),)


@operator("LpPool", kernels=True)
def lp_pool(node: OnnxNode) -> Placed:
    where, p = geometry(node), float(node.attribute("p", 2))
    layer = _LP.get(len(where.kernel))
    if layer is None or max(_dilations(where)) > 1 or any(where.pads) or where.same:
        return LpPool(p, where), node.inputs
    return layer(p, where.kernel, _strides(where), where.ceil_mode), node.inputs


# ---------------------------------------------------------------------------- whole images


class GlobalAveragePool(AnyRank, nn.GlobalAvgPool2d):
    """`nn.GlobalAvgPool2d` for (N, C, ...)."""


class GlobalMaxPool(AnyRank, nn.GlobalMaxPool2d):
    """`nn.GlobalMaxPool2d` for (N, C, ...)."""


@operator("GlobalAveragePool", kernels=True)
def global_average_pool(node: OnnxNode) -> Placed:
    return GlobalAveragePool(), node.inputs


@operator("GlobalMaxPool", kernels=True)
def global_max_pool(node: OnnxNode) -> Placed:
    return GlobalMaxPool(), node.inputs


@operator("GlobalLpPool", kernels=True)
def global_lp_pool(node: OnnxNode) -> Placed:
    return LpPool(float(node.attribute("p")), None), node.inputs


# ---------------------------------------------------------------------------- columns


class Col2Im(Operation):
    """Sum the columns of windows into the image that they were taken from."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def _places(self, image: np.ndarray, block: np.ndarray) -> Places:
        sizes = as_shape("Col2Im", image)
        return self.geometry.over(sizes, as_shape("Col2Im", block))

    def __call__(  # type: ignore[override]
        self, columns: np.ndarray, image: np.ndarray, block: np.ndarray
    ) -> np.ndarray:
        places = self._places(image, block)
        taps, n = math.prod(places.kernel), columns.shape[0]
        if (
            columns.ndim != 3
            or columns.shape[1] % taps
            or columns.shape[2] != math.prod(places.out)
        ):
            raise ValueError(
                f"Col2Im: columns {columns.shape} are not those of {taps} taps at {places.out}"
            )
        windows = columns.reshape(n, -1, taps, *places.out)
        return places.scatter(np.moveaxis(windows, 2, 0))

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        columns, image, block = inputs
        windows = self._places(image, block).gather(grad)
        return np.moveaxis(windows, 0, 2).reshape(columns.shape), None, None


@operator("Col2Im")
def col2im(node: OnnxNode) -> Placed:
    return Col2Im(geometry(node)), node.inputs
