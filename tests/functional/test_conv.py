"""Convolution and its gradients against the oracle, on every path through the kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnfast import empty_cache, set_conv_precision
from cnnfast._ext import dispatch
from cnnfast.functional import conv2d, conv2d_backward, linear, linear_backward
from tests import oracle
from tests.helpers import (
    DENSE_CHANNELS_LAST,
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    channels_last,
    guarded,
    integers,
    is_channels_last,
    misaligned,
    numerical_gradient,
    random,
    read_only,
    reversed_axes,
    using_isa,
    using_threads,
    with_gaps,
)

WINOGRAD = 6e-6  # its error bound, in float32
# More than the widest register tile is wide and the longest is long, so every remainder of each.
CHANNELS = range(1, 68)
POSITIONS = range(1, 31)
FEW = range(1, 9)  # so few filters that the lanes are positions, and these as many as CHANNELS

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


# ---------------------------------------------------------------------------- windows

WINDOWS = {
    "a pixel": Conv((1, 1, 1, 1), (1, 1, 1, 1)),
    "one by one": Conv((2, 5, 6, 7), (4, 5, 1, 1)),
    "one by one, one row": Conv((3, 5, 1, 7), (4, 5, 1, 1)),
    "one by one, one column": Conv((3, 5, 7, 1), (4, 5, 1, 1)),
    "one by one, strided": Conv((2, 5, 6, 7), (4, 5, 1, 1), (2, 3)),
    "one by one, padded": Conv((2, 5, 6, 7), (4, 5, 1, 1), 1, 2),
    "one by one, padded on one side": Conv((2, 5, 6, 7), (4, 5, 1, 1), 1, ((0, 1), (0, 0))),
    "three by three": Conv((2, 4, 7, 9), (5, 4, 3, 3), 1, 1),
    "unpadded": Conv((2, 4, 7, 9), (5, 4, 3, 3)),
    "the whole image": Conv((3, 4, 5, 6), (7, 4, 5, 6)),
    "rows only": Conv((2, 4, 7, 5), (5, 4, 4, 1), 1, (2, 0)),
    "columns only": Conv((2, 4, 5, 7), (5, 4, 1, 4), 1, (0, 2)),
    "same": Conv((2, 3, 6, 7), (4, 3, 3, 4), 1, "same"),
    "same, dilated": Conv((2, 3, 6, 7), (4, 3, 4, 3), 1, "same", (1, 3)),
    "valid": Conv((2, 3, 6, 7), (4, 3, 3, 4), 2, "valid"),
    "asymmetric": Conv((2, 3, 6, 7), (4, 3, 3, 3), 1, ((0, 2), (3, 1))),
    "asymmetric, strided": Conv((2, 3, 6, 7), (4, 3, 3, 3), (2, 3), ((1, 0), (0, 2))),
    "stride 2": Conv((2, 3, 9, 8), (4, 3, 3, 3), 2, 1),
    "stride 2 that does not fit": Conv((2, 3, 10, 11), (4, 3, 4, 4), 2),
    "stride over kernel": Conv((2, 3, 11, 13), (4, 3, 2, 3), (3, 5)),
    "stride over kernel, padded": Conv((2, 3, 11, 13), (4, 3, 2, 1), (3, 4), 3),
    "stride over image": Conv((2, 3, 4, 3), (4, 3, 2, 2), 9),
    "dilated": Conv((2, 3, 9, 10), (4, 3, 3, 3), 1, 2, 2),
    "dilated apart": Conv((2, 3, 9, 12), (4, 3, 2, 3), 1, (1, 3), (3, 4)),
    "stride and dilation 2": Conv((2, 3, 11, 12), (4, 3, 3, 3), 2, 2, 2),
    "gcd of 2": Conv((2, 3, 15, 17), (4, 3, 3, 4), (4, 6), 3, (6, 4)),
    "gcd of 3": Conv((2, 3, 15, 17), (4, 3, 3, 2), (3, 6), (5, 0), (6, 9)),
    "padding over kernel": Conv((2, 3, 4, 5), (4, 3, 3, 2), 1, 6),
    "padding over kernel, strided": Conv((2, 3, 4, 5), (4, 3, 3, 2), (3, 2), (7, 5)),
    "windows in the padding only": Conv((1, 2, 2, 2), (3, 2, 2, 2), 3, ((9, 8), (0, 7))),
    "taps that step over the image": Conv((2, 3, 2, 2), (4, 3, 3, 3), 1, 5, 5),
    "groups": Conv((2, 6, 7, 8), (9, 2, 3, 3), 1, 1, 1, 3),
    "groups, strided and dilated": Conv((2, 8, 9, 11), (6, 4, 2, 3), 2, 1, (2, 1), 2),
    "groups of one by one": Conv((2, 8, 5, 4), (6, 4, 1, 1), 1, 0, 1, 2),
    "groups of one filter": Conv((2, 6, 7, 8), (3, 2, 3, 3), 1, 1, 1, 3),
    "depthwise": Conv((2, 5, 7, 8), (5, 1, 3, 3), 1, 1, 1, 5),
    "depthwise, strided": Conv((2, 5, 9, 8), (5, 1, 3, 3), 2, 1, 1, 5),
    "depthwise, dilated": Conv((2, 5, 9, 8), (5, 1, 3, 2), 1, (2, 3), (2, 3), 5),
    "depthwise, strided and dilated": Conv((2, 5, 14, 15), (5, 1, 3, 3), (2, 3), 3, (4, 3), 5),
    "depthwise, padding over kernel": Conv((2, 5, 3, 2), (5, 1, 2, 2), 2, 5, 1, 5),
    "depthwise one by one": Conv((2, 5, 3, 4), (5, 1, 1, 1), 1, 0, 1, 5),
    "depthwise, twice the channels": Conv((2, 5, 7, 8), (10, 1, 3, 3), 1, 1, 1, 5),
    "one channel, one filter": Conv((2, 1, 7, 8), (1, 1, 3, 3), 1, 1),
    "one channel": Conv((2, 1, 7, 8), (6, 1, 5, 5), 1, 2),
    "one filter": Conv((2, 6, 7, 8), (1, 6, 5, 5), 1, 2),
}


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("conv", WINDOWS.values(), ids=WINDOWS)
def test_every_kind_of_window(conv, dtype, order):
    Expected(conv, dtype).check(order)
    if conv.weight[1] > 1:  # more channels, on either side, than the ways for a few of them take
        (n, _, h, w), (_, _, r, s), groups = conv.x, conv.weight, conv.groups
        more = conv._replace(x=(n, 9 * groups, h, w), weight=(10 * groups, 9, r, s))
        Expected(more, dtype).check(order)


def axes():
    """Every small case of one axis: size, kernel, stride, padding, dilation."""
    for kernel in (1, 2, 3, 5):
        for stride in range(1, 7):
            for dilation in (1, 2, 3, 4, 6):
                for padding in ((0, 0), (1, 1), (2, 0), (0, 3), (7, 5)):
                    for size in (1, 4, 13):
                        if size + sum(padding) > dilation * (kernel - 1):
                            yield size, kernel, stride, padding, dilation


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(1, 1, 1), (3, 10, 1), (20, 10, 1), (16, 16, 16)]
)
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_every_stride_padding_and_dilation(axis, channels, filters, groups):
    across = axis == "columns"
    # Two images, and two rows (or columns): a phase of the input gradient may flatten either.
    numbers = integers(2, channels, 2, 13)
    weights = integers(filters, channels // groups, 1, 5, seed=1)
    for size, kernel, stride, padding, dilation in axes():
        window = ((1, stride), ((0, 0), padding), (1, dilation), groups)
        x, weight = numbers[..., :size], weights[..., :kernel]
        if not across:
            window = ((stride, 1), (padding, (0, 0)), (dilation, 1), groups)
            x, weight = x.swapaxes(2, 3), weight.swapaxes(2, 3)
        x = channels_last(x) if size == 4 or groups > 1 else x
        y = conv2d(x, weight, None, *window)
        assert_same(y, oracle.conv2d(x, weight, None, *window))
        grad = integers(*y.shape, seed=2)
        got = conv2d_backward(grad, x, weight, *window)
        for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, *window), strict=True):
            assert_same(array, want)


# ---------------------------------------------------------------------------- remainders
# A convolution with the first k filters is the first k channels of that with all of them, so the
# oracle runs once for many cases.


@each_isa
@each_dtype
@each_order
def test_every_tile_of_the_forward_pass(dtype, order):
    x = random(1, 3, 2, CHANNELS[-1] + 1, dtype=dtype)
    weight, bias = (random(*shape, dtype=dtype, seed=1) for shape in [(67, 3, 2, 2), (67,)])
    want, scale = oracle.conv2d(x, weight, bias), oracle.conv2d_scale(x, weight, bias)
    for positions in CHANNELS:
        narrow = ORDERS[order](x[..., : positions + 1])
        for filters in CHANNELS if positions in POSITIONS else FEW:
            y = guarded(conv2d, narrow, weight[:filters], bias[:filters])
            assert_close(y, want[:, :filters, :, :positions], scale)


@each_isa
@each_dtype
@each_order
def test_every_tile_of_a_depthwise_convolution(dtype, order):
    x = random(1, CHANNELS[-1], 3, 12, dtype=dtype)
    weight, bias = (random(*shape, dtype=dtype, seed=1) for shape in [(67, 1, 2, 3), (67,)])
    grads = random(1, CHANNELS[-1], 2, 10, dtype=dtype, seed=2)
    for positions in range(1, 11):
        part, grad = x[..., : positions + 2], grads[..., :positions]
        want = oracle.conv2d(part, weight, bias, groups=67)
        gradients = oracle.conv2d_backward(grad, part, weight, groups=67)
        for c in CHANNELS:
            narrow, g = ORDERS[order](part[:, :c]), ORDERS[order](grad[:, :c])
            y = guarded(conv2d, narrow, weight[:c], bias[:c], groups=c)
            assert_close(y, want[:, :c], 10)
            gx, gw, gb = guarded(conv2d_backward, g, narrow, weight[:c], groups=c)
            assert_close(gx, gradients[0][:, :c], 10)
            assert_close(gw, gradients[1][:c], 30)
            assert_close(gb, gradients[2][:c], 30)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 1), (2, 2)])
def test_every_tile_of_the_input_gradient(dtype, order, kernel, stride):
    weight = random(3, CHANNELS[-1], 1, kernel, dtype=dtype, seed=1)
    grads = random(1, 3, 2, CHANNELS[-1], dtype=dtype, seed=2)
    x = random(1, CHANNELS[-1], 2, CHANNELS[-1] * stride + 1, dtype=dtype)
    for positions in CHANNELS:
        grad = ORDERS[order](grads[..., :positions])
        part = x[..., : (positions - 1) * stride + kernel]
        window = ((1, stride),)
        want = oracle.conv2d_backward(grad, part, weight, *window)[0]
        for c in CHANNELS if positions in (1, 6, 15) else (*FEW, 17):
            narrow = ORDERS[order](part[:, :c])
            gx = guarded(conv2d_backward, grad, narrow, weight[:, :c], *window, needs=("x",))[0]
            assert_close(gx, want[:, :c], 20)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_every_tile_of_the_weight_gradient(dtype, order, kernel, dilation):
    x = random(2, CHANNELS[-1], 3, 2 + dilation * (kernel - 1), dtype=dtype)
    weight = random(CHANNELS[-1], CHANNELS[-1], 2, kernel, dtype=dtype, seed=1)
    grad = random(2, CHANNELS[-1], 2, 2, dtype=dtype, seed=2)
    _, want, want_bias = oracle.conv2d_backward(grad, x, weight, 1, 0, (1, dilation))
    sizes = {(filters, c) for filters in CHANNELS for c in (1, 5, 17)}
    sizes |= {(filters, c) for filters in (2, 13) for c in CHANNELS}
    for filters, c in sizes:
        _, gw, gb = guarded(
            conv2d_backward,
            ORDERS[order](grad[:, :filters]),
            ORDERS[order](x[:, :c]),
            weight[:filters, :c].copy(),
            dilation=(1, dilation),
            needs=("weight", "bias"),
        )
        assert_close(gw, want[:filters, :c], 20)
        assert_close(gb, want_bias[:filters], 20)


@each_isa
@each_dtype
def test_every_number_of_values_in_a_window(dtype):
    """The gradient of an input of few channels multiplies whole windows."""
    for channels in (1, 2, 3):
        for r, s in [(1, 2), (1, 5), (2, 3), (3, 3), (4, 3), (5, 5), (4, 8), (3, 11), (11, 11)]:
            Expected(Conv((2, channels, 13, 14), (3, channels, r, s), 1, 1), dtype).check("gaps")


@each_isa
@each_dtype
@pytest.mark.parametrize("transposed", [False, True])
def test_every_tile_of_a_linear_layer(dtype, transposed):
    """It is a 1x1 convolution over a row of N pixels."""
    everything = [random(*shape, dtype=dtype) for shape in [(30, 67), (67, 67), (67,), (30, 67)]]
    for n, k, d in [(n, k, 7) for n in POSITIONS for k in (3, *CHANNELS[::5])] + [
        (3, k, d) for k in (2, 40) for d in CHANNELS
    ]:
        x, weight, bias, grad = (
            array[tuple(map(slice, shape))].copy("F" if transposed else "C")
            for array, shape in zip(everything, [(n, d), (k, d), (k,), (n, k)], strict=True)
        )
        assert_close(guarded(linear, x, weight, bias), oracle.linear(x, weight, bias), 20)
        gradients = guarded(linear_backward, grad, x, weight)
        for got, want in zip(gradients, oracle.linear_backward(grad, x, weight), strict=True):
            assert_close(got, want, 20)


# ---------------------------------------------------------------------------- blocks
# Sizes at which one block of packed input (256 KiB) or of positions (512) is not enough.

BLOCKS = {
    "rows": Conv((1, 512, 21, 20), (9, 512, 3, 3), 1, 1),
    "columns": Conv((1, 1200, 5, 70), (9, 1200, 3, 3), 1, 1),
    "columns, strided": Conv((1, 1200, 5, 70), (9, 1200, 3, 3), 2, 1),
    "a window over the limit": Conv((1, 2700, 6, 7), (9, 2700, 5, 5), 1, 1),
    "many filters": Conv((1, 3, 3, 5), (300, 3, 3, 3), 1, 1),
    "a long row": Conv((1, 5, 2, 1500), (18, 5, 2, 3), 1, (0, 1)),
    "a long row, strided": Conv((1, 5, 2, 3000), (18, 5, 2, 3), (1, 2), (0, 1)),
    "a long row, dilated": Conv((1, 5, 2, 1500), (18, 5, 1, 3), 1, 0, (1, 300)),
    "positions in many rows": Conv((2, 6, 37, 61), (17, 6, 3, 3), 1, 1),
    "deep positions": Conv((1, 300, 9, 240), (9, 300, 1, 1), 2),
    "one by one": Conv((3, 70, 41, 43), (35, 70, 1, 1)),
    "groups": Conv((1, 640, 18, 20), (18, 320, 3, 3), 1, 1, 1, 2),
    "depthwise, rows": Conv((1, 37, 40, 100), (37, 1, 3, 3), 1, 1, 1, 37),
    "depthwise, columns": Conv((1, 37, 4, 1500), (37, 1, 3, 3), 1, 1, 1, 37),
    "depthwise, strided": Conv((1, 37, 9, 1500), (37, 1, 3, 3), 2, 1, 1, 37),
    "depthwise, whole vectors": Conv((2, 48, 40, 100), (48, 1, 3, 3), 1, 1, 1, 48),
    "depthwise, whole vectors, columns": Conv((1, 48, 4, 1500), (48, 1, 3, 3), (2, 1), 1, 1, 48),
    "depthwise, whole vectors, many taps": Conv((3, 16, 21, 30), (16, 1, 4, 5), 2, 2, 1, 16),
    "depthwise, whole vectors far apart": Conv((1, 1024, 5, 6), (1024, 1, 3, 3), 1, 1, 1, 1024),
    "depthwise, whole vectors, dilated": Conv((1, 16, 9, 30), (16, 1, 3, 3), 1, 3, (3, 2), 16),
    "narrow, bands": Conv((1, 1, 150, 500), (10, 1, 3, 3), (2, 1), 1),
    "narrow, bands strided": Conv((1, 3, 120, 400), (10, 3, 5, 5), (4, 3), 2),
    "narrow, bands dilated": Conv((1, 2, 120, 400), (3, 2, 3, 3), (2, 1), 2, (3, 2)),
    "narrow, groups": Conv((1, 6, 90, 300), (4, 3, 3, 3), (1, 2), 1, 1, 2),
    "few, rows": Conv((1, 1, 150, 500), (2, 1, 3, 3), 1, 1),
    "few, deep": Conv((1, 400, 12, 90), (2, 400, 3, 3), 1, 1),
    "few, strided": Conv((1, 3, 90, 700), (2, 3, 4, 5), (2, 3), 2, (2, 1)),
    "few, groups": Conv((2, 6, 70, 300), (4, 3, 3, 3), 1, 1, 1, 2),
    "winograd, images": Conv((40, 16, 5, 6), (18, 16, 3, 3), 1, 1),
    "winograd, rows": Conv((1, 17, 50, 62), (33, 17, 3, 3), 1, 1),
    "winograd, columns": Conv((1, 16, 6, 500), (16, 16, 3, 3), 1, ((0, 2), (3, 1))),
    "winograd, padding over kernel": Conv((2, 16, 5, 6), (17, 16, 3, 3), 1, 5),
}


@each_dtype
@pytest.mark.parametrize("conv", BLOCKS.values(), ids=BLOCKS)
def test_several_blocks(conv, dtype):
    expected = Expected(conv, dtype)
    for isa in dispatch.supported_isas():
        with using_isa(isa), using_threads(1):
            expected.check("contiguous", algorithms=("direct",))
            expected.check("channels_last", algorithms=("direct",))
    expected.check("channels_last", "contiguous", algorithms=("auto",))
    expected.check("contiguous", "channels_last", algorithms=("auto",))


@each_order
def test_long_sums_keep_their_digits(order):
    """Adding 0.1 200,000 times, one by one, would be wrong in float32's fourth digit."""
    shape = (4, 2, 224, 224)
    tenths, ones = np.full(shape, 0.1, np.float32), np.ones(shape, np.float32)
    weight, total = np.ones((2, 2, 1, 1), np.float32), 4 * 224 * 224 * float(np.float32(0.1))
    grad, x = ORDERS[order](tenths), ORDERS[order](ones)
    _, gw, gb = conv2d_backward(grad, x, weight, needs=("weight", "bias"))
    np.testing.assert_allclose(gw, total, rtol=1e-5)
    np.testing.assert_allclose(gb, total, rtol=1e-5)
    np.testing.assert_allclose(conv2d_backward(x, grad, weight)[1], total, rtol=1e-5)


# ---------------------------------------------------------------------------- memory


@each_isa
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "conv",
    [
        Conv((2, 5, 6, 7), (4, 5, 3, 2), (1, 2), 1),
        Conv((2, 17, 6, 7), (4, 17, 3, 2)),
        Conv((2, 5, 6, 7), (4, 5, 1, 1)),
        Conv((2, 5, 6, 7), (5, 1, 3, 3), 1, 1, 1, 5),
        Conv((2, 4, 6, 7), (6, 2, 2, 2), 1, 0, 2, 2),
        Conv((3, 4, 1, 1), (6, 4, 1, 1)),
        Conv((3, 1, 5, 1), (2, 1, 2, 1)),
    ],
    ids=str,
)
def test_any_memory(conv, layout):
    Expected(conv, np.float32).check(layout)
    Expected(conv, np.float64).check("contiguous", layout)


@each_isa
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_of_weights(layout):
    x, weight = random(2, 6, 5, 7), random(8, 3, 2, 3, seed=1)
    grad = random(2, 8, 4, 5, seed=2)
    y = guarded(conv2d, x, LAYOUTS[layout](weight), groups=2)
    assert_close(y, oracle.conv2d(x, weight, groups=2), 20)
    got = guarded(conv2d_backward, grad, x, LAYOUTS[layout](weight), groups=2)
    for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, groups=2), strict=True):
        assert_close(array, want, 50)


@pytest.mark.parametrize("relayout", [with_gaps, reversed_axes, misaligned, read_only])
@pytest.mark.parametrize("groups", [1, 6])
def test_any_memory_of_biases(relayout, groups):
    x, weight, bias = random(1, 6, 4, 4), random(6, 6 // groups, 3, 3), random(6, seed=1)
    y = guarded(conv2d, x, weight, relayout(bias), groups=groups)
    assert_close(y, oracle.conv2d(x, weight, bias, groups=groups), 50)


@each_isa
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_broadcast_memory(groups):
    """Strides of zero, as the gradient of a mean has them."""
    x = np.broadcast_to(random(1, 6, 1, 1), (2, 6, 5, 7))
    weight = np.broadcast_to(random(6, 1, 2, 1), (6, 6 // groups, 2, 3))
    bias = np.broadcast_to(np.float64(3), (6,))
    window = (1, 1, 1, groups)
    y = guarded(conv2d, x, weight, bias, *window)
    assert_close(y, oracle.conv2d(x, weight, bias, *window), 50)
    grad = np.broadcast_to(np.float64(0.25), y.shape)
    got = guarded(conv2d_backward, grad, x, weight, *window)
    for array, want in zip(got, oracle.conv2d_backward(grad, x, weight, *window), strict=True):
        assert_close(array, want, 50)


@pytest.mark.parametrize("shape", [(2, 5, 1, 1), (2, 1, 4, 3), (2, 5, 1, 6), (1, 5, 6, 1)])
def test_axes_of_length_one_with_odd_strides(shape):
    """What NumPy says of the stride of an axis of length 1 means nothing."""
    x = random(*shape)
    strides = [s if n > 1 else 8 * 12345 for s, n in zip(x.strides, shape, strict=True)]
    odd = np.lib.stride_tricks.as_strided(x, shape, strides)
    weight = random(3, shape[1], 1, 1, seed=1)
    assert_same(conv2d(odd, weight), conv2d(x, weight))
    grad = random(shape[0], 3, *shape[2:], seed=2)
    for got, want in zip(
        conv2d_backward(grad, odd, weight), conv2d_backward(grad, x, weight), strict=True
    ):
        assert_same(got, want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_keep_the_memory_order(layout):
    x, weight = LAYOUTS[layout](random(2, 3, 5, 6)), random(4, 3, 3, 3)
    expected = layout in DENSE_CHANNELS_LAST
    y = conv2d(x, weight)
    gx, gw, gb = conv2d_backward(y, x, weight)
    assert is_channels_last(y) == is_channels_last(gx) == expected
    assert y.flags.c_contiguous == gx.flags.c_contiguous == (not expected)
    assert gw.flags.c_contiguous
    assert gb.flags.c_contiguous
    for last in (True, False):
        memory_format = "channels_last" if last else "contiguous"
        chosen = guarded(conv2d, x, weight, memory_format=memory_format)
        assert is_channels_last(chosen) == last
        assert_same(chosen, y)


def test_only_the_gradients_that_are_needed():
    grad, x, weight = random(2, 4, 3, 4), random(2, 3, 5, 6), random(4, 3, 3, 3)
    everything = conv2d_backward(grad, x, weight)
    for needs in [(), ("x",), ["weight"], {"bias"}, ("bias", "x"), ("x", "weight", "bias")]:
        for name, got, full in zip(
            ("x", "weight", "bias"),
            conv2d_backward(grad, x, weight, needs=needs),
            everything,
            strict=True,
        ):
            if name in needs:
                assert_same(got, full)
            else:
                assert got is None


@each_dtype
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_empty_batch(dtype, groups):
    x, weight = np.empty((0, 4, 6, 5), dtype), random(8, 4 // groups, 3, 3, dtype=dtype)
    if groups == 4:
        weight = weight[:4]
    window = (2, 1, 1, groups)
    y = guarded(conv2d, x, weight, None, *window)
    assert y.shape == (0, len(weight), 3, 3)
    assert y.dtype == dtype
    gx, gw, gb = guarded(conv2d_backward, y, x, weight, *window)
    assert gx.shape == x.shape
    assert gw.shape == weight.shape
    assert not gw.any()
    assert gb.shape == (len(weight),)
    assert not gb.any()


def test_indices_beyond_31_bits(tmp_path):
    """The corners of an image of more than 2^31 pixels, in a file that is nearly all hole."""
    height, width = 46342, 46344
    try:
        with open(tmp_path / "image", "wb") as file:
            file.truncate(height * width * 4)
            file.seek(-8, 2)
            file.write(np.array([3.0, 5.0], np.float32).tobytes())
        x = np.memmap(tmp_path / "image", np.float32, "r", shape=(1, 1, height, width))
    except OSError as error:
        pytest.skip(f"no room for a mapping of 9 GB: {error}")
    weight = np.array([[[[10.0, 1.0]]]], np.float32)
    stride = (height - 1, width - 2)
    y = conv2d(x, weight, stride=stride)
    assert y[0, 0].tolist() == [[0.0, 0.0], [0.0, 35.0]]
    _, gw, _ = conv2d_backward(np.ones_like(y), x, weight, stride, needs=("weight",))
    assert gw.ravel().tolist() == [3.0, 5.0]
    empty_cache()  # the gradient has packed the whole image


# ---------------------------------------------------------------------------- special values


@each_isa
@each_order
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("stride", [1, 2])
def test_nan_goes_where_it_is_seen(order, groups, stride):
    """A NaN reaches every sum that contains it and no other: not by way of padded lanes."""
    relayout, window = ORDERS[order], (stride, 1, 1, groups)
    x, weight = integers(2, 6, 7, 9), 1 + np.abs(integers(6, 6 // groups, 3, 3))
    y = conv2d(relayout(x), weight, None, *window)
    grad = 1 + np.abs(integers(*y.shape, seed=1))

    one = x.copy()
    one[1, 2, 3, 4] = np.nan
    assert_same(
        conv2d(relayout(one), weight, None, *window), oracle.conv2d(one, weight, None, *window)
    )
    _, gw, _ = conv2d_backward(grad, relayout(one), weight, *window)
    assert_same(gw, oracle.conv2d_backward(grad, one, weight, *window)[1])

    one = grad.copy()
    one[0, 4, 1, 2] = np.nan
    for got, want in zip(
        conv2d_backward(relayout(one), relayout(x), weight, *window),
        oracle.conv2d_backward(one, x, weight, *window),
        strict=True,
    ):
        assert_same(got, want)

    one = weight.copy()
    one[3, 0, 1, 2] = np.nan
    bad = np.isnan(conv2d(relayout(x), one, None, *window)).any(axis=(0, 2, 3))
    assert bad.tolist() == [False, False, False, True, False, False]
    bias = np.array([0, 0, 0, 0, np.inf, 0])
    bad = np.isinf(conv2d(relayout(x), weight, bias, *window)).any(axis=(0, 2, 3))
    assert bad.tolist() == [False, False, False, False, True, False]


# ---------------------------------------------------------------------------- at random


@st.composite
def convolutions(draw) -> Conv:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    c, k = (groups * draw(st.integers(1, 40 // groups)) for _ in range(2))
    if draw(st.integers(0, 3)) == 0:
        groups = c = k = draw(st.integers(2, 70))
    kernel, stride, dilation, size, padding = [], [], [], [], []
    for axis in range(2):
        kernel.append(draw(st.integers(1, 5)))
        stride.append(draw(st.integers(1, 5)))
        dilation.append(draw(st.integers(1, 4)))
        padding.append((draw(st.integers(0, 4)), draw(st.integers(0, 4))))
        least = max(1, dilation[axis] * (kernel[axis] - 1) + 1 - sum(padding[axis]))
        size.append(least + draw(st.integers(0, 25)))
    return Conv(
        (draw(st.integers(1, 3)), c, *size),
        (k, c // groups, *kernel),
        tuple(stride),
        tuple(padding),
        tuple(dilation),
        groups,
    )


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    conv=convolutions(),
    isa=st.sampled_from(dispatch.supported_isas()),
    dtype=st.sampled_from(FLOATS),
    layouts=st.tuples(st.sampled_from([*LAYOUTS]), st.sampled_from([*LAYOUTS])),
)
def test_any_convolution(conv, isa, dtype, layouts):
    with using_isa(isa), using_threads(1):
        Expected(conv, dtype).check(*layouts)


# ---------------------------------------------------------------------------- derivatives


@each_isa
@pytest.mark.parametrize(
    "conv",
    [
        Conv((2, 2, 4, 5), (3, 2, 2, 3)),
        Conv((1, 4, 5, 4), (2, 2, 3, 2), 2, 1, 1, 2),
        Conv((1, 3, 5, 6), (3, 1, 2, 2), (1, 3), (2, 0), (2, 1), 3),
        Conv((1, 5, 4, 4), (2, 5, 1, 1), 1, ((0, 1), (2, 0))),
    ],
    ids=str,
)
def test_gradients_are_derivatives(conv):
    x, weight, bias = random(*conv.x), random(*conv.weight, seed=1), random(conv.weight[0], seed=2)
    grad = random(*conv2d(x, weight, bias, *conv.window).shape, seed=3)
    gx, gw, gb = conv2d_backward(grad, x, weight, *conv.window)
    numerical = [
        numerical_gradient(lambda x: conv2d(x, weight, bias, *conv.window), x, grad),
        numerical_gradient(lambda w: conv2d(x, w, bias, *conv.window), weight, grad),
        numerical_gradient(lambda b: conv2d(x, weight, b, *conv.window), bias, grad),
    ]
    for got, want in zip((gx, gw, gb), numerical, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


# ---------------------------------------------------------------------------- the notes


def test_notes_first_layer_of_alexnet():
    x, weight = np.ones((1, 3, 227, 227), np.float32), np.ones((96, 3, 11, 11), np.float32)
    y = conv2d(x, weight, stride=4, strict=True, algorithm="direct")
    assert y.shape == (1, 96, 55, 55)
    assert (y == 363).all()


def test_notes_example_of_slices():
    """V[i, j, d] = sum(X[2i:2i+5, 2j:2j+5, :] * W_d) + b_d for X of 11 x 11 x 4."""
    volume, filters, bias = integers(11, 11, 4), integers(2, 5, 5, 4, seed=1), integers(2, seed=2)
    x, weight = volume.transpose(2, 0, 1)[None], filters.transpose(0, 3, 1, 2)
    y = conv2d(x, weight, bias, stride=2, strict=True)
    assert y.shape == (1, 2, 4, 4)
    for d, i, j in np.ndindex(2, 4, 4):
        patch = volume[2 * i : 2 * i + 5, 2 * j : 2 * j + 5, :]
        assert y[0, d, i, j] == np.sum(patch * filters[d]) + bias[d]


@pytest.mark.parametrize("extent", [1, 3, 5, 7])
def test_notes_padding_that_keeps_the_size(extent):
    x, weight = random(1, 2, 9, 11), random(3, 2, extent, extent, seed=1)
    y = conv2d(x, weight, padding=(extent - 1) // 2, strict=True)
    assert y.shape == (1, 3, 9, 11)
    assert_same(y, conv2d(x, weight, padding="same"))


def test_notes_stride_that_does_not_fit():
    """W = 10, F = 3, P = 0, S = 2 gives 4.5: invalid in the notes, 4 in every framework."""
    x, weight = random(1, 2, 10, 11), random(3, 2, 3, 3, seed=1)
    y = conv2d(x, weight, stride=2)
    assert y.shape == (1, 3, 4, 5)
    assert_same(y, conv2d(x[:, :, :9], weight, stride=2))
    with pytest.raises(ValueError, match=r"conv2d: strict: height 10 .* 9 and 11$"):
        conv2d(x, weight, stride=2, strict=True)
    for height in (9, 11):
        conv2d(random(1, 2, height, 11), weight, stride=2, strict=True)
    with pytest.raises(ValueError, match=r"conv2d: strict: width 10 .* 9 and 11$"):
        conv2d(x.swapaxes(2, 3), weight, stride=2, strict=True)
