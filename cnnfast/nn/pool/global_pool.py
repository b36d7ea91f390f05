"""Layers that pool whole images."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._memory import maker_like
from cnnfast.functional.global_pool import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class GlobalAvgPool2d(Module):
    """Average each channel: (N, C, H, W) to (N, C, 1, 1).

    Examples
    --------
    >>> GlobalAvgPool2d()(np.ones((2, 3, 7, 7))).shape
    (2, 3, 1, 1)
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return global_avg_pool2d(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like = self(x), maker_like(x)
        return y, Backward.without_parameters(lambda grad: global_avg_pool2d_backward(grad, like()))


class GlobalMaxPool2d(Module):
    """Take the largest of each channel: (N, C, H, W) to (N, C, 1, 1).

    Examples
    --------
    >>> GlobalMaxPool2d()(np.ones((2, 3, 7, 7))).shape
    (2, 3, 1, 1)
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return global_max_pool2d(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        return self(x), Backward.without_parameters(
            lambda grad: global_max_pool2d_backward(grad, x)
        )
