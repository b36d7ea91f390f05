"""Convolutions of all kinds."""

from __future__ import annotations

from typing import Any

from cnnfast import nn
from cnnfast.functional._window import window
from cnnfast.io.onnx.export.nodes import Layer, Value, writes


@writes(nn.Conv2d)
def _conv(layer: Layer, x: Value) -> str:
    attributes = _attributes(layer, x)
    return layer.node("Conv", x.name, *layer.states("weight", "bias"), **attributes)


def _attributes(layer: Layer, x: Value) -> dict[str, Any]:
    m = layer.module
    axes = window("export_onnx", x.size, m.kernel_size, m.stride, m.padding, m.dilation)
    return {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
        "pads": [axis.before for axis in axes] + [axis.after for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "group": m.groups,
    }
