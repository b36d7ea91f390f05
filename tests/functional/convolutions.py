"""Convolutions to test, and what the oracle says of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from cnnfast import set_conv_precision
from cnnfast.functional import conv2d, conv2d_backward
from tests import oracle
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    guarded,
    random,
)

WINOGRAD = 6e-6  # its error bound, in float32

# One thread: calls this small gain nothing, and waiting for others on a busy machine takes long.
each_isa = pytest.mark.usefixtures("isa", "one_thread")
each_order = pytest.mark.parametrize("order", ORDERS)
each_dtype = pytest.mark.parametrize("dtype", FLOATS)


class Conv(NamedTuple):
    """A convolution: the shapes of x and weight, and how the window walks."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: oracle.Pair = 1
    padding: oracle.Padding | str = 0
    dilation: oracle.Pair = 1
    groups: int = 1

    @property
    def window(self) -> tuple:
        return self[2:]

    @property
    def is_small_square(self) -> bool:
        """Whether Winograd's way applies."""
        ones = {self.stride, self.dilation, self.groups} <= {1, (1, 1)}
        return ones and self.weight[2:] == (3, 3)

    @property
    def oracle_window(self) -> tuple:
        """The window with padding as the oracle takes it."""
        padding = self.padding
        if padding == "valid":
            padding = 0
        elif padding == "same":
            spans = zip(oracle.two(self.dilation), self.weight[2:], strict=True)
            total = [d * (k - 1) for d, k in spans]
            padding = tuple((t // 2, t - t // 2) for t in total)
        return self.stride, padding, self.dilation, self.groups


class Expected:
    """Arguments of a convolution, and what the oracle says of it, forward and backward."""

    def __init__(self, conv: Conv, dtype: type) -> None:
        self.conv = conv
        self.x, self.weight = (random(*s, dtype=dtype) for s in (conv.x, conv.weight))
        self.bias = random(conv.weight[0], dtype=dtype, seed=1)
        arrays, window = (self.x, self.weight, self.bias), conv.oracle_window
        self.y = oracle.conv2d(*arrays, *window)
        self.scale = oracle.conv2d_scale(*arrays, *window)
        self.grad = random(*self.y.shape, dtype=dtype, seed=2)
        arrays = (self.grad, self.x, self.weight)
        self.gradients = oracle.conv2d_backward(*arrays, *window)
        self.gradient_scales = oracle.conv2d_backward(*map(np.abs, arrays), *window)

    def check(
        self,
        layout: str,
        grad_layout: str | None = None,
        algorithms: tuple[str, ...] = ("auto", "direct", "im2col"),
    ) -> None:
        """Run the convolution and its gradients, by Winograd's way too where that applies."""
        winograd = self.conv.is_small_square and self.x.dtype == np.float32
        x, window = LAYOUTS[layout](self.x), self.conv.window
        for algorithm in algorithms + ("winograd",) * winograd:
            y = guarded(conv2d, x, self.weight, self.bias, *window, algorithm=algorithm)
            assert y.dtype == self.x.dtype
            assert_close(y, self.y, self.scale, WINOGRAD if winograd else None)

        grad = LAYOUTS[grad_layout or layout](self.grad)
        for precision in ["fast"] + ["exact"] * winograd:
            set_conv_precision(precision)
            try:
                gradients = guarded(conv2d_backward, grad, x, self.weight, *window)
            finally:
                set_conv_precision("fast")
            for i, got in enumerate(gradients):
                assert got.dtype == self.x.dtype
                bound = WINOGRAD if winograd and precision == "fast" else None
                assert_close(got, self.gradients[i], self.gradient_scales[i], bound)
