"""Layers that change the number of channels without learning anything."""

from __future__ import annotations

import operator

import numpy as np

from cnnfast.functional._arguments import float_array
from cnnfast.functional.combine import concat, concat_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class ZeroPadChannels(Module):
    """Put channels of zeros before and after those of an image.

    A residual network's shortcut does so where the number of channels grows and it has no
    parameters.

    Parameters
    ----------
    before, after : int
        How many channels.

    Examples
    --------
    >>> ZeroPadChannels(1, 2)(np.ones((1, 3, 1, 1))).ravel().tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """

    def __init__(self, before: int, after: int) -> None:
        self.before, self.after = _count("before", before), _count("after", after)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = float_array("ZeroPadChannels", "x", x, ndim=4)
        n, _, h, w = x.shape
        zero = x.dtype.type(0)
        before, after = (np.broadcast_to(zero, (n, c, h, w)) for c in (self.before, self.after))
        return concat([before, x, after])

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, channels = self(x), (self.before, x.shape[1], self.after)
        return y, Backward.without_parameters(lambda grad: concat_backward(grad, channels)[1])

    def extra_repr(self) -> str:
        return f"{self.before}, {self.after}"


def _count(name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"ZeroPadChannels: {name} must be an integer, got {value!r}") from None
    if number < 0:
        raise ValueError(f"ZeroPadChannels: {name} must be at least 0, got {value}")
    return number
