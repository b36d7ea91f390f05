"""What changes the size of images: interpolation and padding."""

from __future__ import annotations

import numpy as np

from cnnfast import nn
from cnnfast.functional import _resampling
from cnnfast.functional._resampling import Plan
from cnnfast.functional.pad import check_request as padding_of
from cnnfast.functional.resize import check_request
from cnnfast.io.onnx.export.nodes import Layer, Value, writes

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@writes(nn.Upsample)
def _upsample(layer: Layer, x: Value) -> str:
    m = layer.module
    out = layer.module(np.zeros((1, 1, *x.size), x.dtype)).shape[2:]
    _, scales = check_request("export_onnx", m.size, m.scale_factor, m.mode, m.align_corners)
    whole = all(
        new % old == 0 and scale in (None, new // old)
        for old, new, scale in zip(x.size, out, scales, strict=True)
    )
    if whole and not m.align_corners:
        factors = [1, 1, *[new // old for old, new in zip(x.size, out, strict=True)]]
        how = ("nearest", "asymmetric") if m.mode == "nearest" else ("linear", "half_pixel")
        return layer.node(
            "Resize",
            x.name,
            "",
            layer.constant("scales", factors, np.float32),
            mode=how[0],
            coordinate_transformation_mode=how[1],
            nearest_mode="floor",
        )
    # Elsewhere runtimes differ by a rounding, and so by a whole element of the image.
    sizes = zip(x.size, out, scales, strict=True)
    if m.mode == "nearest":
        plans = [_resampling.nearest(*size, x.dtype) for size in sizes]
        rows, columns = (layer.constant("taken", plan.sources) for plan in plans)
        return layer.node("Gather", layer.node("Gather", x.name, rows, axis=2), columns, axis=3)
    plans = [_resampling.linear(*size, bool(m.align_corners), x.dtype) for size in sizes]
    return along_axes(layer, x, *map(_matrix, plans, x.size))


def along_axes(layer: Layer, x: Value, rows: np.ndarray, columns: np.ndarray) -> str:
    """Multiply the rows and the columns of images by a matrix (new, old) each."""
    narrow = layer.node("MatMul", x.name, layer.constant("columns", columns.T, x.dtype))
    return layer.node("MatMul", layer.constant("rows", rows, x.dtype), narrow)


def _matrix(plan: Plan, size: int) -> np.ndarray:
    matrix = np.zeros((plan.targets, size))
    targets = np.repeat(np.arange(plan.targets), np.diff(plan.starts))
    np.add.at(matrix, (targets, plan.sources), plan.weights)
    return matrix


@writes(nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d)
def _pad(layer: Layer, x: Value) -> str:
    module = layer.module
    before, after = zip(*padding_of("export_onnx", module.padding, module.mode), strict=True)
    inputs = [layer.constant("pads", [0, 0, *before, 0, 0, *after])]
    if isinstance(module, nn.ConstantPad2d):
        inputs.append(layer.constant("value", module.value, x.dtype))
    return layer.node("Pad", x.name, *inputs, mode=_MODES[module.mode])


@writes(nn.ZeroPadChannels)
def _zero_pad_channels(layer: Layer, x: Value) -> str:
    module, images = layer.module, [0] * len(x.size)
    pads = [0, module.before, *images, 0, module.after, *images]
    return layer.node("Pad", x.name, layer.constant("pads", pads))
