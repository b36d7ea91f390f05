"""What layers of filters that slide over images have in common."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._window import Numbers, Sides, window
from cnnfast.nn.module import LARGE_INPUT, Module, positive
from cnnfast.nn.parameter import Parameter


class SlidingFilters(Module):
    """A convolution or transposed convolution over any number of axes."""

    #: Of the images: 1, 2 or 3.
    axes: int

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers,
        padding: Sides,
        dilation: Numbers,
        groups: int,
    ) -> None:
        name = type(self).__name__
        self.in_channels = positive(name, "in_channels", in_channels)
        self.out_channels = positive(name, "out_channels", out_channels)
        self.groups = positive(name, "groups", groups)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"{name}: in_channels {in_channels} and out_channels {out_channels} must be "
                f"multiples of groups {groups}"
            )
        win = window(name, LARGE_INPUT[self.axes], kernel_size, stride, padding, dilation)
        self.kernel_size = tuple([axis.kernel for axis in win])
        self.stride = win.strides
        self.padding = padding
        self.dilation = win.dilations

    def _bias(self) -> np.ndarray | None:
        return self.bias.data if self.bias is not None else None

    def _describe(self, **defaults: object) -> str:
        """Name the arguments, those of `defaults` only where they differ."""
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        usual = {"padding": 0, "dilation": (1,) * self.axes, "groups": 1}
        parts += self._unusual(usual)
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts + self._unusual(defaults))

    def _unusual(self, defaults: dict[str, object]) -> list[str]:
        values = {name: getattr(self, name) for name in defaults}
        return [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]
