"""Norm pooling layers over one, two and three axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.functional._pool import passes
from cnnfast.functional._window import Numbers, window
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_INPUT, Module
from cnnfast.nn.pool._describe import describe


class _LPPool(Module):
    """Norm pooling over any number of axes."""

    axes: int

    def __init__(
        self,
        norm_type: float,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        ceil_mode: bool = False,
        *,
        strict: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self.strict = strict
        name = type(self).__name__
        window(name, LARGE_INPUT[self.axes], kernel_size, self.stride, pooling=True)

    def _arguments(self) -> tuple[Any, ...]:
        return self.norm_type, self.kernel_size, self.stride, self.ceil_mode

    def __call__(self, x: np.ndarray) -> np.ndarray:
        arguments = (*self._arguments(), self.strict)
        return passes.lp_pool(f"lp_pool{self.axes}d", self.axes, x, *arguments)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        arguments, axes = self._arguments(), self.axes
        name = f"lp_pool{axes}d_backward"
        return self(x), Backward.without_parameters(
            lambda grad: passes.lp_pool_backward(name, axes, grad, x, *arguments)
        )

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, {describe(self)}"


class LPPool2d(_LPPool):
    """Take the p-norm of each window; see `cnnfast.functional.lp_pool2d`.

    Parameters
    ----------
    norm_type, kernel_size, stride, ceil_mode, strict
        As `lp_pool2d` takes them; `norm_type` 2 is the notes' L2-norm pooling.

    Examples
    --------
    >>> LPPool2d(2, 2)(np.full((1, 1, 2, 2), 3.0)).tolist()
    [[[[6.0]]]]
    """

    axes = 2


class LPPool1d(_LPPool):
    """Take the p-norm of each window of a sequence; see `cnnfast.functional.lp_pool1d`.

    Parameters
    ----------
    norm_type, kernel_size, stride, ceil_mode, strict
        As for `LPPool2d`, with one number for the window.

    Examples
    --------
    >>> LPPool1d(2, 2)(np.array([[[3.0, 4.0]]])).tolist()
    [[[5.0]]]
    """

    axes = 1


class LPPool3d(_LPPool):
    """Take the p-norm of each window of a volume; see `cnnfast.functional.lp_pool3d`.

    Parameters
    ----------
    norm_type, kernel_size, stride, ceil_mode, strict
        As for `LPPool2d`, with one number for the window or three, depth first.

    Examples
    --------
    >>> LPPool3d(2, 2)(np.zeros((2, 6, 8, 28, 28), np.float32)).shape
    (2, 6, 4, 14, 14)
    """

    axes = 3
