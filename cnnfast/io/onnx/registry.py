"""Which handler makes a module of which operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cnnfast.io.onnx.node import OnnxNode
from cnnfast.nn import Module

#: A handler gives a module, and the values (of the file) that it takes, in order.
Placed = tuple[Module, Sequence[str | None]]
Handler = Callable[[OnnxNode], Placed]


class Operator(NamedTuple):
    """How an operator is made, and whether its module takes float32 and float64 only.

    Such a module is put into a `Widened` where a model computes in half precision.
    """

    handler: Handler
    kernels: bool


OPERATORS: dict[str, Operator] = {}


def operator(*names: str, kernels: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler for the operators of these names."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = Operator(handler, kernels)
        return handler

    return register
