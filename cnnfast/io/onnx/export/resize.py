"""What changes the size of images, or the number of their channels."""

from __future__ import annotations

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.export.nodes import Layer, Value, writes


def along_axes(layer: Layer, x: Value, rows: np.ndarray, columns: np.ndarray) -> str:
    """Multiply the rows and the columns of images by a matrix (new, old) each."""
    narrow = layer.node("MatMul", x.name, layer.constant("columns", columns.T, x.dtype))
    return layer.node("MatMul", layer.constant("rows", rows, x.dtype), narrow)


@writes(nn.ZeroPadChannels)
def _zero_pad_channels(layer: Layer, x: Value) -> str:
    module, images = layer.module, [0] * len(x.size)
    pads = [0, module.before, *images, 0, module.after, *images]
    return layer.node("Pad", x.name, layer.constant("pads", pads))
