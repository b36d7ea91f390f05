"""The constants of an ONNX file as weights, under their own names."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from cnnfast.io.onnx.load import need_library


def read(path: Path) -> dict[str, np.ndarray]:
    """Do what `cnnfast.load_weights` promises."""
    need_library("load_weights")
    return importlib.import_module("cnnfast.io.onnx.loader").initialisers(path)
