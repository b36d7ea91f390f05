"""Networks into ONNX files.

model.py    the file, from a trace of the network
nodes.py    what the writers of layers write with, and the table of them
the others  the writers of layers, by family
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from cnnfast.io.onnx.load import need_library
from cnnfast.nn import Module

__all__ = ["export_onnx"]

Shape = Sequence[int | None]


def export_onnx(
    model: Module, path: str | os.PathLike[str], input_shape: Shape | Sequence[Shape]
) -> None:
    """Write a network, as it is for inference, to an ONNX file.

    Needs the package `onnx`: ``pip install "cnnfast[onnx]"``.

    Parameters
    ----------
    model : Module
        Layers of `cnnfast.nn`, in any of its containers.
    path : str or os.PathLike
        The file, which replaces an older one only when it is complete.
    input_shape : sequence of int
        Shape of the input, batch included: (N, C, H, W) for images. None as the batch lets the
        file take batches of any size. For a model of several inputs a sequence of such shapes.

    Raises
    ------
    ImportError
        `onnx` is not installed.
    NotImplementedError
        ONNX has no operators for a layer, or none for what it is asked to do; all layers that
        nobody has written down for ONNX are named at once.
    ValueError
        The model does not take inputs of this shape, or has 2 GB of parameters or more: the
        format ends there.
    OSError
        The file cannot be written.

    Notes
    -----
    The file has opset 20. Its inputs have the names that a `Graph` gives them, or "input"; the
    output is "output", or "output0", "output1", ... if there are several. Nodes have the paths of
    their layers, as in ``model.named_modules()``, and initialisers the names of ``state_dict()``.
    Dropout is left out. To find the size of each layer's input, the model is run once, on zeros.

    Examples
    --------
    >>> import tempfile
    >>> from cnnfast.models import lenet5
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(lenet5(), f"{folder}/lenet5.onnx", (None, 1, 28, 28))
    """
    need_library("export_onnx")
    importlib.import_module("cnnfast.io.onnx.export.model").export(model, path, input_shape)
