"""Layers that pool to a given size."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._memory import maker_like
from cnnfast.functional._pool.indices import index_route
from cnnfast.functional.adaptive_pool import (
    OutputSize,
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_max_pool2d,
    output_pair,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, Module


class AdaptiveAvgPool2d(Module):
    """Average an image to a given size; see `cnnfast.functional.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size : int or pair of ints
        OH and OW; None keeps the size along that axis.

    Examples
    --------
    >>> AdaptiveAvgPool2d((7, None))(np.zeros((2, 6, 10, 13), np.float32)).shape
    (2, 6, 7, 13)
    """

    def __init__(self, output_size: OutputSize) -> None:
        output_pair("AdaptiveAvgPool2d", output_size, LARGE_IMAGE)
        self.output_size = output_size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return adaptive_avg_pool2d(x, self.output_size)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like, output_size = self(x), maker_like(x), self.output_size
        return y, Backward.without_parameters(
            lambda grad: adaptive_avg_pool2d_backward(grad, like(), output_size)
        )

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """Take maxima so that a given size results; see `cnnfast.functional.adaptive_max_pool2d`.

    Parameters
    ----------
    output_size : int or pair of ints
        OH and OW; None keeps the size along that axis.

    Examples
    --------
    >>> AdaptiveMaxPool2d(5)(np.zeros((2, 6, 10, 13), np.float32)).shape
    (2, 6, 5, 5)
    """

    def __init__(self, output_size: OutputSize) -> None:
        output_pair("AdaptiveMaxPool2d", output_size, LARGE_IMAGE)
        self.output_size = output_size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return adaptive_max_pool2d(x, self.output_size)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, indices = adaptive_max_pool2d(x, self.output_size, return_indices=True)
        route = index_route("adaptive_max_pool2d_backward", indices, x)
        return y, Backward.without_parameters(route)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
