"""A network as the command line names it."""

from __future__ import annotations

import cnnfast
from cnnfast import models
from cnnfast.cli import CommandError
from cnnfast.nn import Module

NAMES = tuple(name for name in models.__all__ if name != "from_pattern")


def network(name: str) -> Module:
    """Make the network of that name, with random weights, or read it from an ONNX file.

    Raises
    ------
    CommandError
        There is none, or the file is none that can be read.
    """
    if name.endswith(".onnx"):
        try:
            return cnnfast.load_onnx(name)
        except (ImportError, NotImplementedError, ValueError) as error:
            raise CommandError(str(error)) from error
    if name not in NAMES:
        raise CommandError(f"{name} is neither an .onnx file nor one of {', '.join(NAMES)}")
    return getattr(models, name)()
