"""Max pooling layer, and its partial inverse."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._window import Padding, Pair, window
from cnnfast.functional.max_pool import max_pool2d, max_pool2d_routed
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, Module
from cnnfast.nn.pool._common import describe


class MaxPool2d(Module):
    """Take the largest of each window; see `cnnfast.functional.max_pool2d`.

    ``forward`` keeps one byte per output: which tap of its window won.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, ceil_mode, strict
        As `max_pool2d` takes them. `ceil_mode` is keyword-only, because torch has
        `return_indices` before it.

    Examples
    --------
    >>> MaxPool2d(2)(np.zeros((2, 6, 28, 28), np.float32)).shape
    (2, 6, 14, 14)
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
        strict: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode
        self.strict = strict
        window("MaxPool2d", LARGE_IMAGE, kernel_size, self.stride, padding, dilation, pooling=True)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return max_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            strict=self.strict,
        )

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, route = max_pool2d_routed(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.strict,
        )
        return y, Backward.without_parameters(route)

    def extra_repr(self) -> str:
        return describe(self, dilation=1)
