"""Convolution and its gradients against the oracle: every tile of every size, several blocks."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast._ext import dispatch
from cnnfast.functional import conv2d, conv2d_backward, linear, linear_backward
from tests import oracle
from tests.functional.convolutions import Conv, Expected, each_dtype, each_isa, each_order
from tests.helpers import (
    ORDERS,
    assert_close,
    guarded,
    random,
    sizes,
    using_isa,
    using_threads,
)

# Twice what the widest register tile is wide and the longest is long, so every remainder of each.
CHANNELS = 67
POSITIONS = 30
FEW = range(1, 9)  # so few filters that the lanes are positions, and these as many as CHANNELS

# A convolution with the first k filters is the first k channels of that with all of them, so the
# oracle runs once for many cases.


@each_isa
@each_dtype
@each_order
def test_every_tile_of_the_forward_pass(dtype, order):
    x = random(1, 3, 2, CHANNELS + 1, dtype=dtype)
    weight, bias = (random(*shape, dtype=dtype, seed=1) for shape in [(67, 3, 2, 2), (67,)])
    want, scale = oracle.conv2d(x, weight, bias), oracle.conv2d_scale(x, weight, bias)
    many, rows = sizes(CHANNELS, dtype), sizes(POSITIONS, dtype)
    for positions in many:
        narrow = ORDERS[order](x[..., : positions + 1])
        for filters in many if positions in rows else FEW:
            y = guarded(conv2d, narrow, weight[:filters], bias[:filters])
            assert_close(y, want[:, :filters, :, :positions], scale)


@each_isa
@each_dtype
@each_order
def test_every_tile_of_a_depthwise_convolution(dtype, order):
    x = random(1, CHANNELS, 3, 12, dtype=dtype)
    weight, bias = (random(*shape, dtype=dtype, seed=1) for shape in [(67, 1, 2, 3), (67,)])
    grads = random(1, CHANNELS, 2, 10, dtype=dtype, seed=2)
    for positions in range(1, 11):
        part, grad = x[..., : positions + 2], grads[..., :positions]
        want = oracle.conv2d(part, weight, bias, groups=67)
        gradients = oracle.conv2d_backward(grad, part, weight, groups=67)
        for c in sizes(CHANNELS, dtype):
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
    weight = random(3, CHANNELS, 1, kernel, dtype=dtype, seed=1)
    grads = random(1, 3, 2, CHANNELS, dtype=dtype, seed=2)
    x = random(1, CHANNELS, 2, CHANNELS * stride + 1, dtype=dtype)
    many = sizes(CHANNELS, dtype)
    for positions in many:
        grad = ORDERS[order](grads[..., :positions])
        part = x[..., : (positions - 1) * stride + kernel]
        window = ((1, stride),)
        want = oracle.conv2d_backward(grad, part, weight, *window)[0]
        for c in many if positions in (1, 6, 15) else (*FEW, 17):
            narrow = ORDERS[order](part[:, :c])
            gx = guarded(conv2d_backward, grad, narrow, weight[:, :c], *window, needs=("x",))[0]
            assert_close(gx, want[:, :c], 20)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_every_tile_of_the_weight_gradient(dtype, order, kernel, dilation):
    x = random(2, CHANNELS, 3, 2 + dilation * (kernel - 1), dtype=dtype)
    weight = random(CHANNELS, CHANNELS, 2, kernel, dtype=dtype, seed=1)
    grad = random(2, CHANNELS, 2, 2, dtype=dtype, seed=2)
    _, want, want_bias = oracle.conv2d_backward(grad, x, weight, 1, 0, (1, dilation))
    many = sizes(CHANNELS, dtype)
    pairs = {(filters, c) for filters in many for c in (1, 5, 17)}
    pairs |= {(filters, c) for filters in (2, 13) for c in many}
    for filters, c in pairs:
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
    many = sizes(CHANNELS, dtype)
    for n, k, d in [(n, k, 7) for n in sizes(POSITIONS, dtype) for k in (3, *many[::5])] + [
        (3, k, d) for k in (2, 40) for d in many
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
