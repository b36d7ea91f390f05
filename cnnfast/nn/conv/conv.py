"""Convolutional layers over one, two and three axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._algorithm import Algorithm, check_algorithm
from cnnfast.functional._conv import passes
from cnnfast.functional._conv.images import Packed
from cnnfast.functional._window import Numbers, Sides
from cnnfast.functional.activation.relu import relu_backward
from cnnfast.nn.backward import Backward
from cnnfast.nn.conv._filters import SlidingFilters
from cnnfast.nn.init import kaiming_parameter
from cnnfast.nn.parameter import Parameter


class _Conv(SlidingFilters):
    """A convolution over any number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Sides = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        strict: bool = False,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        window = (kernel_size, stride, padding, dilation)
        super().__init__(in_channels, out_channels, *window, groups)
        self.strict = strict
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = kaiming_parameter(shape, rng, dtype)
        self.bias = Parameter(np.zeros(self.out_channels, dtype)) if bias else None

    def _options(self) -> dict[str, Any]:
        """Give the options that only some numbers of axes have."""
        return {}

    def _compute(self, x: np.ndarray, packed: Packed, **fused: Any) -> np.ndarray:
        return passes.forward(
            f"conv{self.axes}d",
            x,
            self.weight.data,
            self._bias(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            "channels_last",
            packed,
            strict=self.strict,
            **self._options(),
            **fused,
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._compute(x, self.weight.packed)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        return self._learn(x)

    def _learn(self, x: np.ndarray, **fused: Any) -> tuple[np.ndarray, Backward]:
        weight, axes, options = self.weight.data, self.axes, self._options()
        window = (self.stride, self.padding, self.dilation, self.groups)
        packed = self.weight.packed_to_learn if self.training else self.weight.packed
        y = self._compute(x, packed, **fused)
        rectified = y if fused else None

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            if rectified is not None:
                grad = relu_backward(grad, rectified)
            name = f"conv{axes}d_backward"
            return passes.backward(name, axes, grad, x, weight, *window, needs, **options)

        return y, Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def extra_repr(self) -> str:
        return self._describe(strict=False)


class Conv2d(_Conv):
    """Convolve (N, C, H, W) with learned filters; see `cnnfast.functional.conv2d`.

    The output is channels-last in memory whatever the input is: the fastest order for the next
    convolution, and what follows keeps it.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K, both multiples of `groups`.
    kernel_size : int or pair of int
        Rows and columns (R, S) of a filter.
    stride, padding, dilation
        As `conv2d` takes them; `padding` may be "same", "valid" or
        ((top, bottom), (left, right)) too.
    groups : int
        Into how many separate convolutions the channels are split; C makes it depthwise.
    bias : bool
        Whether to add a learned bias.
    strict : bool
        Raise where the windows do not fit the input exactly, instead of leaving a rest out.
    algorithm : {"auto", "direct", "winograd", "im2col"}
        How to compute the output and the gradients; see `conv2d`.
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the inputs.

    Attributes
    ----------
    weight : Parameter
        (K, C / groups, R, S); at first He-normal: `init.kaiming_normal` with its gain for ReLU.
    bias : Parameter or None
        (K,); at first zero.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or out of range.

    Examples
    --------
    >>> layer = Conv2d(3, 8, kernel_size=3, padding=1)
    >>> layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=1)
    >>> layer(np.zeros((2, 3, 32, 32), np.float32)).shape
    (2, 8, 32, 32)
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Sides = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        strict: bool = False,
        algorithm: Algorithm = "auto",
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        check_algorithm("Conv2d", algorithm)
        self.algorithm = algorithm
        window = (kernel_size, stride, padding, dilation, groups)
        super().__init__(
            in_channels, out_channels, *window, bias, strict=strict, rng=rng, dtype=dtype
        )

    def _options(self) -> dict[str, Any]:
        return {"algorithm": self.algorithm}

    def forward_fused(self, x: np.ndarray, *, ceiling: float = 0) -> tuple[np.ndarray, Backward]:
        """``forward``, from 0 to `ceiling` unless that is 0: see `nn.fusion`."""
        return self._learn(x, ceiling=ceiling) if ceiling else self._learn(x)

    def extra_repr(self) -> str:
        return self._describe(strict=False, algorithm="auto")


class Conv1d(_Conv):
    """Convolve sequences (N, C, L) with learned filters; see `cnnfast.functional.conv1d`.

    The output is channels-last in memory, (N, L, C), whatever the input is.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, strict, rng, \
    dtype
        As for `Conv2d`, with one number for the window.

    Attributes
    ----------
    weight : Parameter
        (K, C / groups, R); at first He-normal.
    bias : Parameter or None
        (K,); at first zero.

    Examples
    --------
    >>> Conv1d(1, 32, 80, stride=4)(np.zeros((2, 1, 16000), np.float32)).shape
    (2, 32, 3981)
    """

    axes = 1


class Conv3d(_Conv):
    """Convolve volumes (N, C, D, H, W) with learned filters; see `cnnfast.functional.conv3d`.

    The output is channels-last in memory, (N, D, H, W, C), whatever the input is.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, strict, rng, \
    dtype
        As for `Conv2d`, with one number for the window or three, depth first.

    Attributes
    ----------
    weight : Parameter
        (K, C / groups, T, R, S); at first He-normal.
    bias : Parameter or None
        (K,); at first zero.

    Examples
    --------
    >>> Conv3d(3, 8, 3, padding=1)(np.zeros((1, 3, 8, 16, 16), np.float32)).shape
    (1, 8, 8, 16, 16)
    """

    axes = 3
