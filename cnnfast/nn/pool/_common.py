"""What several pooling layers need."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast.functional._arguments import empty_image, is_channels_last
from cnnfast.nn.module import Module


def maker_like(x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what makes an array of the shape and memory order of `x`, without keeping `x`.

    A gradient of averages depends on nothing else, and memory that is never touched costs nothing.
    """
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)
    return lambda: empty_image(shape, dtype, channels_last)


def describe(layer: Module, **defaults: object) -> str:
    """Name the window's arguments and those others that differ from their defaults."""
    defaults = {"padding": 0, **defaults, "ceil_mode": False, "strict": False}
    names = [n for n, default in defaults.items() if getattr(layer, n, default) != default]
    return ", ".join(f"{n}={getattr(layer, n)!r}" for n in ["kernel_size", "stride", *names])
