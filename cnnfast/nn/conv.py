"""The convolutional layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._algorithm import Algorithm, check_algorithm
from cnnfast.functional._window import Padding, Pair, window
from cnnfast.functional.activation.relu import relu_backward
from cnnfast.functional.conv import conv2d_backward, conv2d_packed
from cnnfast.nn.backward import Backward
from cnnfast.nn.init import kaiming_normal
from cnnfast.nn.module import LARGE_IMAGE, Module, positive
from cnnfast.nn.parameter import Parameter


class Conv2d(Module):
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

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        strict: bool = False,
        algorithm: Algorithm = "auto",
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.in_channels = positive("Conv2d", "in_channels", in_channels)
        self.out_channels = positive("Conv2d", "out_channels", out_channels)
        self.groups = positive("Conv2d", "groups", groups)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"Conv2d: in_channels {in_channels} and out_channels {out_channels} must be "
                f"multiples of groups {groups}"
            )
        rows, columns = window("Conv2d", LARGE_IMAGE, kernel_size, stride, padding, dilation)
        self.kernel_size = rows.kernel, columns.kernel
        self.stride = rows.stride, columns.stride
        self.padding = padding
        self.dilation = rows.dilation, columns.dilation
        self.strict = strict
        check_algorithm("Conv2d", algorithm)
        self.algorithm = algorithm
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = Parameter(kaiming_normal(shape, rng, dtype))
        self.bias = Parameter(np.zeros(self.out_channels, dtype)) if bias else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._compute(x, relu=False)

    def _compute(self, x: np.ndarray, relu: bool) -> np.ndarray:
        return conv2d_packed(
            x,
            self.weight.data,
            self.bias.data if self.bias is not None else None,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            strict=self.strict,
            memory_format="channels_last",
            algorithm=self.algorithm,
            packed=self.weight.packed,
            relu=relu,
        )

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        return self.forward_fused(x, relu=False)

    def forward_fused(self, x: np.ndarray, *, relu: bool) -> tuple[np.ndarray, Backward]:
        """``forward``, and max(0, y) if `relu`: see `nn.fusion`."""
        weight = self.weight.data
        arguments = (self.stride, self.padding, self.dilation, self.groups)
        algorithm = self.algorithm
        y = self._compute(x, relu)
        rectified = y if relu else None

        def gradients(grad: np.ndarray, needs: tuple[str, ...]) -> tuple:
            if rectified is not None:
                grad = relu_backward(grad, rectified)
            return conv2d_backward(grad, x, weight, *arguments, needs=needs, algorithm=algorithm)

        return y, Backward.with_parameters(gradients, weight=self.weight, bias=self.bias)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        if self.padding != 0:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != (1, 1):
            parts.append(f"dilation={self.dilation}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.strict:
            parts.append("strict=True")
        if self.algorithm != "auto":
            parts.append(f"algorithm={self.algorithm!r}")
        return ", ".join(parts)
