"""Convolutions of all kinds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.functional._window import Window, sides, window
from cnnfast.io.onnx.export.nodes import Layer, Value, writes


@writes(nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _conv(layer: Layer, x: Value) -> str:
    return layer.node("Conv", x.name, *layer.states("weight", "bias"), **_attributes(layer))


@writes(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
def _conv_transpose(layer: Layer, x: Value) -> str:
    return layer.node(
        "ConvTranspose",
        x.name,
        *layer.states("weight", "bias"),
        output_padding=layer.module.output_padding,
        **_attributes(layer),
    )


def _attributes(layer: Layer) -> dict[str, Any]:
    module = layer.module
    kernel, stride, dilation = module.kernel_size, module.stride, module.dilation
    before, after = zip(
        *sides("export_onnx", module.padding, kernel, stride, dilation), strict=True
    )
    return {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [*before, *after],
        "dilations": dilation,
        "group": module.groups,
    }


@writes(nn.LocallyConnected2d)
def _locally_connected(layer: Layer, x: Value) -> str:
    """Every position's patch, gathered, times its own matrix of filters."""
    m = layer.module
    rows, columns, filters, *patch = m.weight.shape
    positions, taps = rows * columns, math.prod(patch)
    win = window("export_onnx", x.size, m.kernel_size, m.stride, m.padding, m.dilation)
    before, after = [a.before for a in win], [a.after for a in win]
    pads = layer.constant("pads", [0, 0, *before, 0, 0, *after])
    flat = layer.constant("flat", [0, x.shape[1], -1])
    image = layer.node("Reshape", layer.node("Pad", x.name, pads), flat)
    patches = layer.node("Gather", image, layer.constant("taps", _taps(win)), axis=2)
    patches = layer.node("Transpose", patches, perm=[3, 1, 2, 0])  # (N, C, taps, positions)
    patches = layer.node("Reshape", patches, layer.constant("patch", [positions, taps, -1]))
    y = layer.node("MatMul", layer.state("weight", (positions, filters, taps)), patches)
    y = layer.node("Transpose", y, perm=[2, 1, 0])
    y = layer.node("Reshape", y, layer.constant("shape", [0, filters, rows, columns]))
    return layer.node("Add", y, layer.state("bias")) if m.bias is not None else y


def _taps(win: Window) -> np.ndarray:
    """Index each tap (the rows) of each position (the columns) in the flat padded image."""
    rows, columns = (
        (np.arange(a.kernel) * a.dilation)[:, None] + np.arange(a.out) * a.stride for a in win
    )
    taps = rows[:, None, :, None] * win.columns.padded + columns[:, None, :]
    return taps.reshape(win.rows.kernel * win.columns.kernel, -1)
