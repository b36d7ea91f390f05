"""Inputs that were attributes in earlier versions of an operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.io.onnx.node import OnnxNode


def input_or_attribute(node: OnnxNode, index: int, name: str, dtype: Any = np.int64) -> str | None:
    """Name the value of input `index`, or of the attribute that it once was, if there is one."""
    if node.has(index):
        return node.inputs[index]
    value = node.attribute(name)
    return None if value is None else node.define(name, value, dtype)
