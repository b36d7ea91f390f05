"""Pools.

ONNX's own ceil_mode is left alone: its versions differ in when they drop the last window and in
what they divide by. At a known size it is no more than padding behind the image.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cnnfast import nn
from cnnfast.functional._window import window
from cnnfast.functional.adaptive_pool import output_pair
from cnnfast.functional.max_unpool import unpooled_size
from cnnfast.io.onnx.export.nodes import Layer, Value, writes
from cnnfast.io.onnx.export.resize import along_axes


class _Frame(NamedTuple):
    """The windows of a pool over its input, in ONNX's attributes."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    padding: list[int]
    overhang: list[int]  # that the last windows have beyond the padding, with ceil_mode

    @property
    def pads(self) -> list[int]:
        return [inside + beyond for inside, beyond in zip(self.padding, self.overhang, strict=True)]


def _frame(layer: Layer, x: Value) -> _Frame:
    module = layer.module
    axes = window(
        "export_onnx",
        x.size,
        module.kernel_size,
        module.stride,
        getattr(module, "padding", 0),
        getattr(module, "dilation", 1),
        ceil_mode=module.ceil_mode,
        pooling=True,
    )
    beyond = [max(0, (a.out - 1) * a.stride + a.span - a.padded) for a in axes]
    return _Frame(
        [a.kernel for a in axes],
        [a.stride for a in axes],
        [a.dilation for a in axes],
        [a.before for a in axes] + [a.after for a in axes],
        [0] * len(beyond) + beyond,
    )


@writes(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _max_pool(layer: Layer, x: Value) -> str | list[str]:
    frame = _frame(layer, x)
    y, *indices = layer.outputs(
        2 if layer.module.return_indices else 1,
        "MaxPool",
        x.name,
        kernel_shape=frame.kernel,
        strides=frame.strides,
        dilations=frame.dilations,
        pads=frame.pads,
    )
    if not indices:
        return y
    # ONNX counts from the first element of the batch, torch from the first of each channel.
    return [y, layer.node("Mod", *indices, layer.constant("plane", math.prod(x.size)))]


@writes(nn.MaxUnpool2d)
def _max_unpool(layer: Layer, x: Value, indices: Value) -> str:
    # MaxUnpool wants ONNX's kind of indices, which depend on the batch.
    module, channels = layer.module, x.shape[1]
    geometry = module.kernel_size, module.stride, module.padding
    size = unpooled_size("export_onnx", x.size, *geometry, None)
    flat = layer.constant("flat", [0, channels, -1])
    planes = [layer.node("Reshape", value.name, flat) for value in (indices, x)]
    batch = layer.node("Shape", x.name, end=1)
    rest = layer.constant("plane", [channels, math.prod(size)])
    shape = layer.node("Concat", batch, rest, axis=0)
    nothing = layer.node("Expand", layer.constant("zero", 0, x.dtype), shape)
    y = layer.node("ScatterElements", nothing, *planes, axis=2)
    return layer.node("Reshape", y, layer.constant("shape", [0, channels, *size]))


@writes(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _avg_pool(layer: Layer, x: Value) -> str:
    module, frame = layer.module, _frame(layer, x)
    if module.divisor_override is not None:
        mean = _average(layer, _padded(layer, x, frame.pads), frame)
        factor = math.prod(frame.kernel) / module.divisor_override
        return layer.node("Mul", mean, layer.constant("factor", factor, x.dtype))
    if not any(frame.overhang):
        include = int(module.count_include_pad)
        return _average(layer, x.name, frame, pads=frame.padding, count_include_pad=include)
    if not module.count_include_pad:
        return _average(layer, x.name, frame, pads=frame.pads)
    # Windows are divided by their part in the padding, too, but not by what lies beyond it.
    return _average(layer, _padded(layer, x, frame.padding), frame, pads=frame.overhang)


def _average(layer: Layer, x: str, frame: _Frame, **attributes: int | list[int]) -> str:
    return layer.node(
        "AveragePool", x, kernel_shape=frame.kernel, strides=frame.strides, **attributes
    )


def _padded(layer: Layer, x: Value, pads: list[int]) -> str:
    if not any(pads):
        return x.name
    half = len(pads) // 2
    every = [0, 0, *pads[:half], 0, 0, *pads[half:]]
    return layer.node("Pad", x.name, layer.constant("pads", every))


@writes(nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
def _lp_pool(layer: Layer, x: Value) -> str:
    p, frame = layer.module.norm_type, _frame(layer, x)
    if p == int(p):
        return layer.node(
            "LpPool",
            x.name,
            p=int(p),
            kernel_shape=frame.kernel,
            strides=frame.strides,
            pads=frame.pads,
        )
    exponents = [layer.constant(n, v, x.dtype) for n, v in (("p", p), ("root", 1 / p))]
    power = layer.node("Pow", layer.node("Abs", x.name), exponents[0])
    mean = _average(layer, power, frame, pads=frame.pads, count_include_pad=1)
    count = layer.constant("count", math.prod(frame.kernel), x.dtype)
    return layer.node("Pow", layer.node("Mul", mean, count), exponents[1])


@writes(nn.GlobalAvgPool2d)
def _global_avg_pool(layer: Layer, x: Value) -> str:
    return layer.node("GlobalAveragePool", x.name)


@writes(nn.GlobalMaxPool2d)
def _global_max_pool(layer: Layer, x: Value) -> str:
    return layer.node("GlobalMaxPool", x.name)


@writes(nn.AdaptiveAvgPool2d)
def _adaptive_avg_pool(layer: Layer, x: Value) -> str:
    wanted = _adaptive_size(layer, x)
    if wanted == (1, 1):
        return layer.node("GlobalAveragePool", x.name)
    equal = _equal_bins(x, wanted)
    if equal is not None:
        return layer.node("AveragePool", x.name, **equal)
    # Averages of windows of any size: a matrix for the rows, and another for the columns.
    return along_axes(layer, x, *map(_averages, x.size, wanted))


@writes(nn.AdaptiveMaxPool2d)
def _adaptive_max_pool(layer: Layer, x: Value) -> str:
    wanted = _adaptive_size(layer, x)
    equal = _equal_bins(x, wanted)
    if equal is None:
        raise NotImplementedError(
            f"export_onnx: {layer.path}: ONNX can take the maxima of equal windows only, and "
            f"AdaptiveMaxPool2d has others to make {wanted} of {x.size}"
        )
    return layer.node("MaxPool", x.name, **equal)


def _adaptive_size(layer: Layer, x: Value) -> tuple[int, ...]:
    return output_pair("export_onnx", layer.module.output_size, x.size)


def _bins(size: int, out: int) -> list[tuple[int, int]]:
    """Where each of the windows starts and stops."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _equal_bins(x: Value, wanted: tuple[int, ...]) -> dict[str, list[int]] | None:
    """Give the attributes of ordinary windows that do the same, if there are any."""
    kernel: list[int] = []
    strides: list[int] = []
    for size, out in zip(x.size, wanted, strict=True):
        bins = _bins(size, out)
        steps = {after - before for (before, _), (after, _) in pairwise(bins)} or {1}
        extents = {stop - start for start, stop in bins}
        if len(steps) > 1 or len(extents) > 1 or 0 in steps:
            return None
        kernel += extents
        strides += steps
    return {"kernel_shape": kernel, "strides": strides}


def _averages(size: int, out: int) -> np.ndarray:
    """Give the matrix that averages an axis over its windows."""
    matrix = np.zeros((out, size))
    for row, (start, stop) in zip(matrix, _bins(size, out), strict=True):
        row[start:stop] = 1 / (stop - start)
    return matrix
