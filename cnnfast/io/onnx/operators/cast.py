"""From one type of numbers to another."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, numpy_helper

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation
from cnnfast.io.onnx.operators._arrays import is_float
from cnnfast.io.onnx.registry import Placed, operator
from cnnfast.io.onnx.tensors import dtype_of


class Cast(Operation):
    """The nearest numbers of another type; integers too large for it lose their upper bits.

    Parameters
    ----------
    dtype : numpy.dtype or None
        Without one, that of a second input.
    saturate : bool
        Whether what is too large for an 8-bit float becomes its largest number.
    round_mode : str
        Of float8e8m0, which has powers of two only: "up", "down" or "nearest".
    """

    def __init__(self, dtype: np.dtype | None, saturate: bool, round_mode: str) -> None:
        self.dtype, self.saturate, self.round_mode = dtype, saturate, round_mode

    @np.errstate(all="ignore")
    def __call__(self, x: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
        dtype = self.dtype if like is None else like.dtype
        assert dtype is not None
        if dtype.name == "float8_e8m0fnu":
            return numpy_helper.to_float8e8m0(x, self.saturate, self.round_mode).astype(dtype)
        if self.saturate and dtype.name.startswith("float8"):
            return numpy_helper.saturate_cast(x, dtype)
        return x.astype(dtype)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: np.ndarray) -> tuple:
        x = inputs[0]
        gx = grad.astype(x.dtype) if is_float(x) and is_float(output) else None
        return gx, *(None for _ in inputs[1:])

    def extra_repr(self) -> str:
        return str(self.dtype)


@operator("Cast", "CastLike")
def cast(node: OnnxNode) -> Placed:
    dtype = None
    if node.type == "Cast":
        to = node.attribute("to")
        number = TensorProto.DataType.Value(to) if isinstance(to, str) else to
        if number == TensorProto.STRING:
            raise node.unsupported("strings")
        dtype = dtype_of(number, "to")
    saturate, round_mode = node.attribute("saturate", 1), node.attribute("round_mode", "up")
    return Cast(dtype, bool(saturate), round_mode), node.inputs
