"""A network as the command line names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cnnfast
from cnnfast import models
from cnnfast.cli import CommandError
from cnnfast.nn import Module

# Sides of the images that networks were made for, by how their names begin.
_SIDES = {"lenet5": 28, "cifar_resnet": 32, "INPUT": 32}
IMAGENET_SIDE = 224

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
    return maker(name, "neither an .onnx file nor")()


def maker(name: str, is_what: str = "not") -> Callable[..., Module]:
    """Give the function of `cnnfast.models` that has that name.

    Raises
    ------
    CommandError
        There is none: the name is, in the words of the message, `is_what` one of those.
    """
    if name not in NAMES:
        raise CommandError(f"{name} is {is_what} one of {', '.join(NAMES)}")
    return cast("Callable[..., Module]", getattr(models, name))


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern such as ``INPUT -> CONV -> RELU -> FC``."""
    return name.startswith("INPUT")


def usual_side(name: str) -> int:
    """Give the side of the images that a network is for."""
    return next((side for start, side in _SIDES.items() if name.startswith(start)), IMAGENET_SIDE)
