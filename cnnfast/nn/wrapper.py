"""A network in another coat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnnfast.nn.module import Module


class Wrapper(Module):
    """A module that computes what another one does, and has its names of parameters and layers.

    A subclass changes how it learns. What looks into networks (`cnnfast.compile`, `summary`,
    `export_onnx`) sees the module itself.

    Parameters
    ----------
    module : Module

    Examples
    --------
    >>> from cnnfast.nn import Linear
    >>> sorted(Wrapper(Linear(2, 1)).state_dict())
    ['bias', 'weight']
    """

    def __init__(self, module: Module) -> None:
        self.module = module

    def __call__(self, *inputs: Any) -> Any:
        return self.module(*inputs)

    def _walk(self, path: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        return self.module._walk(path, seen)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.module!r})"


def unwrapped(module: Module) -> Module:
    """Give the module in all its coats."""
    while isinstance(module, Wrapper):
        module = module.module
    return module
