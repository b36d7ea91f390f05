"""Average pooling layer."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._window import Padding, Pair, window
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, Module
from cnnfast.nn.pool._common import describe, maker_like


class AvgPool2d(Module):
    """Average each window; see `cnnfast.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, strict
        As `avg_pool2d` takes them.

    Examples
    --------
    >>> AvgPool2d(3, stride=2)(np.zeros((2, 6, 13, 13), np.float32)).shape
    (2, 6, 6, 6)
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override
        self.strict = strict
        window("AvgPool2d", LARGE_IMAGE, kernel_size, self.stride, padding, pooling=True)

    def _arguments(self) -> tuple:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return avg_pool2d(x, *self._arguments(), strict=self.strict)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like, arguments = self(x), maker_like(x), self._arguments()
        return y, Backward.without_parameters(
            lambda grad: avg_pool2d_backward(grad, like(), *arguments)
        )

    def extra_repr(self) -> str:
        return describe(self, count_include_pad=True, divisor_override=None)
