"""Convolutional networks on plain NumPy arrays, on a CPU, fast.

cnnfast.functional   stateless operations, forward and backward
cnnfast.nn           layers         cnnfast.models   networks
cnnfast.optim        optimizers     cnnfast.data     data sets and batches
cnnfast.training     the loop       cnnfast.io       weights and networks in files
cnnfast.distributed  training on several processes and machines
cnnfast.inference    networks compiled into plans
cnnfast.analysis     what networks cost
cnnfast.sklearn      networks as scikit-learn's estimators (imported on its own)
cnnfast.reference    every operation as plain loops, to read (imported on its own)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

try:
    import cnnfast._ext.dispatch  # noqa: F401  (the first compiled module, to see that it is there)
except ModuleNotFoundError as error:
    raise ImportError(
        f"the compiled kernels of cnnfast are missing in {__path__[0]}. If that is a checkout of "
        "the sources, either leave its folder and use an installed cnnfast (the command is "
        "`cnnfast`, not `python -m cnnfast`), or build it in place: python -m pip install -e ."
    ) from error

from cnnfast._config import show_config
from cnnfast._ext.threads import get_num_threads, set_num_threads
from cnnfast._ext.workspace import empty_cache, memory_stats
from cnnfast._version import version as __version__

if TYPE_CHECKING:
    from cnnfast import (
        analysis,
        data,
        distributed,
        functional,
        inference,
        io,
        models,
        nn,
        optim,
        training,
    )
    from cnnfast.functional import explain_conv2d, set_conv_precision
    from cnnfast.inference import compile
    from cnnfast.io import export_onnx, load_onnx, load_weights, save_weights

__all__ = [
    "__version__",
    "analysis",
    "compile",
    "data",
    "distributed",
    "empty_cache",
    "explain_conv2d",
    "export_onnx",
    "functional",
    "get_num_threads",
    "inference",
    "io",
    "load_onnx",
    "load_weights",
    "memory_stats",
    "models",
    "nn",
    "optim",
    "save_weights",
    "set_conv_precision",
    "set_num_threads",
    "show_config",
    "training",
]

# Loaded when first asked for, so that `import cnnfast` costs next to nothing.
_SUBPACKAGES = (
    "analysis",
    "data",
    "distributed",
    "functional",
    "inference",
    "io",
    "models",
    "nn",
    "optim",
    "training",
)
_HOMES = {
    "compile": "inference",
    "explain_conv2d": "functional",
    "export_onnx": "io",
    "load_onnx": "io",
    "load_weights": "io",
    "save_weights": "io",
    "set_conv_precision": "functional",
}


def __getattr__(name: str) -> object:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"cnnfast.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"cnnfast.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'cnnfast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
