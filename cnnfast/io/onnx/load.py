"""The public side of reading ONNX files."""

from __future__ import annotations

import importlib
import os

from cnnfast.nn import Graph


def load_onnx(path: str | os.PathLike[str]) -> Graph:
    """Make a network of an ONNX file.

    Weights of convolutions, fully connected layers, normalisations and PReLU become parameters of
    the layers of `cnnfast.nn`, all other constants stay as they are. A node whose weights are
    called "layer1.conv.weight" becomes ``layer1_conv``, with ``layer1_conv.weight`` in the
    network's state; another keeps its own name, as far as that can be an attribute.

    Nothing in the file is executed, and memory is taken only for what it really holds. Tensors
    may lie in other files of the same folder, or of folders in it, but not behind links.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Graph
        Takes what the file's graph takes, in its order, and gives what that gives: a tuple if that
        is several arrays. Types are those of the file; ``model.forward`` raises
        NotImplementedError if an operator on the way has no gradient.

    Raises
    ------
    ValueError
        The file is not an ONNX file, is truncated, contradicts itself, has a cycle, or names files
        outside its folder.
    NotImplementedError
        It needs something that is not supported: all of that is listed.
    ImportError
        The library `onnx` is missing.
    OSError
        The file, or one it names, cannot be opened or read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import onnx
    >>> text = '''<ir_version: 8, opset_import: ["" : 17]>
    ... example (float[N] x) => (float[N] y) { half = Constant<value_float = 0.5>()
    ...                                        y = Mul(x, half) }'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.save(onnx.parser.parse_model(text), f"{folder}/model.onnx")
    ...     model = load_onnx(f"{folder}/model.onnx")
    >>> model(np.array([2.0, 4.0], np.float32)).tolist()
    [1.0, 2.0]
    """
    need_library("load_onnx")
    return importlib.import_module("cnnfast.io.onnx.loader").load(path)


def need_library(function: str) -> None:
    """Raise ImportError, which tells what to install, if the library `onnx` is missing."""
    try:
        importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError(
            f"{function} needs the library onnx: python -m pip install 'cnnfast[onnx]'"
        ) from error
