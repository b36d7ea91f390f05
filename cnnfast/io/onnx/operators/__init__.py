"""The operators of ONNX, by family; each file registers its handlers."""

# ruff: noqa: F401
from cnnfast.io.onnx.operators import (
    activation,
    arithmetic,
    cast,
    conv,
    dropout,
    elementwise,
    linear,
    logic,
    norm,
    pad,
    parts,
    pool,
    reduce,
    resize,
    shape,
    softmax,
    values,
)
