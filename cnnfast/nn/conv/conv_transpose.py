"""Transposed convolutional layers over one, two and three axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._conv import transposed
from cnnfast.functional._window import Numbers, Sides
from cnnfast.nn.backward import Backward
from cnnfast.nn.conv._filters import SlidingFilters
from cnnfast.nn.init import kaiming_normal
from cnnfast.nn.parameter import Parameter


class _ConvTranspose(SlidingFilters):
    """A transposed convolution over any number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Sides = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Numbers = 1,
        *,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        window = (kernel_size, stride, padding, dilation)
        super().__init__(in_channels, out_channels, *window, groups)
        self.output_padding = transposed.output_padding_of(
            type(self).__name__, output_padding, self.stride, self.dilation
        )
        # Of a filter's taps, an output meets one in every stride: so much smaller is its fan-in.
        inputs = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        weight = kaiming_normal(inputs, rng, dtype, gain=math.sqrt(2 * math.prod(self.stride)))
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self.weight = Parameter(weight.reshape(shape))
        self.bias = Parameter(np.zeros(self.out_channels, dtype)) if bias else None

    def _window(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.output_padding, self.groups, self.dilation

    def __call__(self, x: np.ndarray) -> np.ndarray:
        arrays = (x, self.weight.data, self._bias())
        options = (*self._window(), "channels_last")
        return transposed.forward(f"conv_transpose{self.axes}d", self.axes, *arrays, *options)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        weight, axes, window = self.weight.data, self.axes, self._window()

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            name, options = f"conv_transpose{axes}d_backward", (*window, needs)
            return transposed.backward(name, axes, grad, x, weight, *options)

        backward = Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)
        return self(x), backward

    def extra_repr(self) -> str:
        return self._describe(output_padding=(0,) * self.axes)


class ConvTranspose2d(_ConvTranspose):
    """Upsample (N, C, H, W) by learned filters; see `cnnfast.functional.conv_transpose2d`.

    The output is channels-last in memory whatever the input is.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K, both multiples of `groups`.
    kernel_size : int or pair of int
        Rows and columns (R, S) of a filter.
    stride, padding, output_padding, groups
        As `conv_transpose2d` takes them.
    bias : bool
        Whether to add a learned bias.
    dilation
        As `conv_transpose2d` takes it.
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the inputs.

    Attributes
    ----------
    weight : Parameter
        (C, K / groups, R, S); at first normal, of a deviation that suits ReLU: sqrt(2 / n), where
        an output sums n = C / groups * R * S / stride^2 products.
    bias : Parameter or None
        (K,); at first zero.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or out of range.

    Examples
    --------
    >>> layer = ConvTranspose2d(16, 3, kernel_size=4, stride=2, padding=1)
    >>> layer
    ConvTranspose2d(16, 3, kernel_size=(4, 4), stride=(2, 2), padding=1)
    >>> layer(np.zeros((2, 16, 32, 32), np.float32)).shape
    (2, 3, 64, 64)
    """

    axes = 2


class ConvTranspose1d(_ConvTranspose):
    """Upsample sequences (N, C, L); see `cnnfast.functional.conv_transpose1d`.

    The output is channels-last in memory whatever the input is.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, \
    dilation, rng, dtype
        As for `ConvTranspose2d`, with one number for the window.

    Attributes
    ----------
    weight : Parameter
        (C, K / groups, R).
    bias : Parameter or None
        (K,); at first zero.

    Examples
    --------
    >>> ConvTranspose1d(4, 2, 4, stride=2, padding=1)(np.zeros((1, 4, 8), np.float32)).shape
    (1, 2, 16)
    """

    axes = 1


class ConvTranspose3d(_ConvTranspose):
    """Upsample volumes (N, C, D, H, W); see `cnnfast.functional.conv_transpose3d`.

    The output is channels-last in memory whatever the input is.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, \
    dilation, rng, dtype
        As for `ConvTranspose2d`, with one number for the window or three, depth first.

    Attributes
    ----------
    weight : Parameter
        (C, K / groups, T, R, S).
    bias : Parameter or None
        (K,); at first zero.

    Examples
    --------
    >>> ConvTranspose3d(4, 2, 4, stride=2, padding=1)(np.zeros((1, 4, 2, 3, 4), np.float32)).shape
    (1, 2, 4, 6, 8)
    """

    axes = 3
