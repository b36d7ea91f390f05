"""The text of pooling layers."""

from __future__ import annotations

from cnnfast.nn.module import Module


def describe(layer: Module, **defaults: object) -> str:
    """Name the window's arguments and those others that differ from their defaults."""
    defaults = {"padding": 0, **defaults, "ceil_mode": False, "strict": False}
    names = [n for n, default in defaults.items() if getattr(layer, n, default) != default]
    return ", ".join(f"{n}={getattr(layer, n)!r}" for n in ["kernel_size", "stride", *names])
