"""The convolutional layer whose filters are not shared between positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._window import Padding, Pair, pair, window
from cnnfast.functional.locally_connected import locally_connected2d, locally_connected2d_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.init import kaiming_normal
from cnnfast.nn.module import Module, positive
from cnnfast.nn.parameter import Parameter


class LocallyConnected2d(Module):
    """Convolve images with filters of each position's own; see `locally_connected2d`.

    The output is in the memory order of the input.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    input_size : int or pair of int
        H and W of the images, which tell for how many positions there are filters.
    kernel_size, stride, padding, dilation
        As for `Conv2d`.
    bias : bool
        Whether to add a learned bias.
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the inputs.

    Attributes
    ----------
    weight : Parameter
        (OH, OW, K, C, R, S); at first He-normal.
    bias : Parameter or None
        (K, OH, OW); at first zero.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or out of range.

    Examples
    --------
    >>> layer = LocallyConnected2d(3, 8, input_size=32, kernel_size=3, stride=2)
    >>> layer
    LocallyConnected2d(3, 8, input_size=(32, 32), kernel_size=(3, 3), stride=(2, 2))
    >>> layer(np.zeros((2, 3, 32, 32), np.float32)).shape
    (2, 8, 15, 15)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Pair,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.in_channels = positive(name, "in_channels", in_channels)
        self.out_channels = positive(name, "out_channels", out_channels)
        self.input_size = pair(name, "input_size", input_size, 1)
        win = window(name, self.input_size, kernel_size, stride, padding, dilation)
        self.kernel_size = win.rows.kernel, win.columns.kernel
        self.stride, self.padding, self.dilation = win.strides, padding, win.dilations
        filters = (self.out_channels, self.in_channels, *self.kernel_size)
        rows, columns = win.out
        weight = kaiming_normal((rows * columns * filters[0], *filters[1:]), rng, dtype)
        self.weight = Parameter(weight.reshape(rows, columns, *filters))
        shifts = np.zeros((self.out_channels, rows, columns), dtype)
        self.bias = Parameter(shifts) if bias else None

    def _window(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation

    def __call__(self, x: np.ndarray) -> np.ndarray:
        bias = self.bias.data if self.bias is not None else None
        return locally_connected2d(x, self.weight.data, bias, *self._window())

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        weight, window = self.weight.data, self._window()

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            arguments = (*window, needs)
            return locally_connected2d_backward(grad, x, weight, *arguments)

        backward = Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)
        return self(x), backward

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}"]
        parts += [f"{n}={getattr(self, n)}" for n in ("input_size", "kernel_size", "stride")]
        parts += [f"padding={self.padding!r}"] if self.padding != 0 else []
        parts += [f"dilation={self.dilation}"] if self.dilation != (1, 1) else []
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts)
