"""Modules that only prepare what a layer takes."""

from __future__ import annotations

from cnnfast.nn import Module


def innermost(module: Module) -> Module:
    """The layer in a module that has nothing else in it, else the module itself.

    `load_onnx` wraps layers whose padding depends on the input, for instance.

    Examples
    --------
    >>> from cnnfast.nn import ReLU, Sequential
    >>> innermost(Sequential(ReLU()))
    ReLU()
    """
    while len(children := [child for _, child in module.named_children()]) == 1:
        (module,) = children
    return module
