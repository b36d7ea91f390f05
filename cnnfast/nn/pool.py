"""Pooling layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast.functional._arguments import empty_image, is_channels_last
from cnnfast.functional._window import Padding, Pair, window
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.functional.global_pool import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
)
from cnnfast.functional.lp_pool import lp_pool2d, lp_pool2d_backward
from cnnfast.functional.max_pool import max_pool2d, max_pool2d_routed
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import LARGE_IMAGE, Module


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
        return _describe(self, dilation=1)


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
        y, like, arguments = self(x), _maker_like(x), self._arguments()
        return y, Backward.without_parameters(
            lambda grad: avg_pool2d_backward(grad, like(), *arguments)
        )

    def extra_repr(self) -> str:
        return _describe(self, count_include_pad=True, divisor_override=None)


class LPPool2d(Module):
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

    def __init__(
        self,
        norm_type: float,
        kernel_size: Pair,
        stride: Pair | None = None,
        ceil_mode: bool = False,
        *,
        strict: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self.strict = strict
        window("LPPool2d", LARGE_IMAGE, kernel_size, self.stride, pooling=True)

    def _arguments(self) -> tuple:
        return self.norm_type, self.kernel_size, self.stride, self.ceil_mode

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return lp_pool2d(x, *self._arguments(), strict=self.strict)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        arguments = self._arguments()
        return self(x), Backward.without_parameters(
            lambda grad: lp_pool2d_backward(grad, x, *arguments)
        )

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, {_describe(self)}"


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
        y, like = self(x), _maker_like(x)
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


def _maker_like(x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what makes an array of the shape and memory order of `x`, without keeping `x`.

    A gradient of averages depends on nothing else, and memory that is never touched costs nothing.
    """
    shape, dtype, channels_last = x.shape, x.dtype, is_channels_last(x)
    return lambda: empty_image(shape, dtype, channels_last)


def _describe(layer: Module, **defaults: object) -> str:
    """Name the window's arguments and those others that differ from their defaults."""
    defaults = {"padding": 0, **defaults, "ceil_mode": False, "strict": False}
    names = [n for n, default in defaults.items() if getattr(layer, n, default) != default]
    return ", ".join(f"{n}={getattr(layer, n)!r}" for n in ["kernel_size", "stride", *names])
