"""The operators of ONNX, by family; each file registers its handlers."""

# ruff: noqa: F401
from cnnfast.io.onnx.operators import (
    activation,
    arithmetic,
    conv,
    dropout,
    linear,
    norm,
    pool,
    softmax,
)
