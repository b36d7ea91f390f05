"""Average pooling layers over one, two and three axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.functional._memory import maker_like
from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, Sides, window
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_INPUT, Module
from cnnfast.nn.pool._describe import describe


class _AvgPool(Module):
    """Average pooling over any number of axes."""

    axes: int

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Sides = 0,
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
        geometry = (kernel_size, self.stride, padding)
        window(type(self).__name__, LARGE_INPUT[self.axes], *geometry, pooling=True)

    def _arguments(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        arguments = (*self._arguments(), self.strict)
        return passes.avg_pool(f"avg_pool{self.axes}d", self.axes, x, *arguments)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, like, arguments, axes = self(x), maker_like(x), self._arguments(), self.axes
        name = f"avg_pool{axes}d_backward"
        return y, Backward.without_parameters(
            lambda grad: passes.avg_pool_backward(name, axes, grad, like(), *arguments)
        )

    def extra_repr(self) -> str:
        return describe(self, count_include_pad=True, divisor_override=None)


class AvgPool2d(_AvgPool):
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

    axes = 2


class AvgPool1d(_AvgPool):
    """Average each window of a sequence; see `cnnfast.functional.avg_pool1d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, strict
        As for `AvgPool2d`, with one number for the window.

    Examples
    --------
    >>> AvgPool1d(2)(np.zeros((2, 6, 28), np.float32)).shape
    (2, 6, 14)
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Sides = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        strict: bool = False,
    ) -> None:
        geometry = (kernel_size, stride, padding, ceil_mode)
        super().__init__(*geometry, count_include_pad, strict=strict)


class AvgPool3d(_AvgPool):
    """Average each window of a volume; see `cnnfast.functional.avg_pool3d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, strict
        As for `AvgPool2d`, with one number for the window or three, depth first.

    Examples
    --------
    >>> AvgPool3d((1, 2, 2))(np.zeros((2, 6, 8, 28, 28), np.float32)).shape
    (2, 6, 8, 14, 14)
    """

    axes = 3
