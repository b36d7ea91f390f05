"""A stand-in for an array that a backward pass needs only the shape of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast.functional._arguments import empty_image, is_channels_last


def maker_like(x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what makes an array of the shape and memory order of `x`, without keeping `x`.

    A gradient of averages depends on nothing else, and memory that is never touched costs nothing.
    """
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)
    return lambda: empty_image(shape, dtype, channels_last)
