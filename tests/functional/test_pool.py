"""Pooling and its gradients against the oracle, with its rules for ties, NaN and padding."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnfast._ext import dispatch
from cnnfast.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from cnnfast.functional.max_pool import max_pool2d_routed
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
    numerical_gradient,
    random,
    sizes,
    using_isa,
    using_threads,
)

# Windows in a row, or channels: beyond four times the longest vector, eight times in averages.
COUNTS, AVERAGED = 67, 147

pytestmark = pytest.mark.usefixtures("one_thread")
each_isa = pytest.mark.usefixtures("isa")
each_order = pytest.mark.parametrize("order", ORDERS)
each_dtype = pytest.mark.parametrize("dtype", FLOATS)

# size, kernel, stride, padding, ceil_mode
WINDOWS = [
    ((1, 1), 1, None, 0, False),
    ((6, 8), 2, None, 0, False),
    ((7, 9), 2, None, 0, False),
    ((7, 9), 2, None, 0, True),
    ((7, 9), 3, 2, 0, False),
    ((8, 10), 3, 2, 0, True),
    ((8, 10), 3, 2, 1, False),
    ((8, 9), 3, 2, 1, True),
    ((7, 9), 3, 1, 1, False),
    ((7, 9), (3, 2), (1, 3), (1, 0), True),
    ((7, 9), (1, 4), (2, 1), (0, 2), False),
    ((7, 9), (5, 1), (1, 2), (2, 0), True),
    ((7, 9), 2, 5, 1, False),  # pixels that no window sees
    ((7, 9), 2, 5, 1, True),
    ((3, 3), 2, 2, 1, True),  # a third window would start in the padding at the end: torch#71549
    ((6, 7), 4, 2, ((2, 0), (1, 2)), False),
    ((6, 7), 4, 3, ((0, 2), (2, 0)), True),
    ((5, 6), (5, 6), None, 0, False),
    ((5, 6), 3, 1, "same", False),
    ((5, 6), (4, 2), 1, "same", False),
    ((5, 6), 3, 2, "valid", False),
    ((5, 7), 4, 9, 2, True),
]


def oracle_padding(kernel, padding):
    """The oracle does not know "same" and "valid"."""
    if padding == "valid":
        return 0
    if padding == "same":
        return tuple(((k - 1) // 2, k // 2) for k in oracle.two(kernel))
    return padding


# ---------------------------------------------------------------------------- max


def check_max_pool(
    x, layout, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, grad_layout=None
):
    """Max pooling in all its forms: plain, with indices, and with one byte for each output."""
    window = (kernel, stride, padding, dilation, ceil_mode)
    pads = oracle_padding(kernel, padding)
    y, indices = oracle.max_pool2d(x, kernel, stride, pads, dilation, ceil_mode)
    stored = LAYOUTS[layout](x)
    plain = guarded(max_pool2d, stored, *window)
    assert plain.dtype == x.dtype
    assert_same(plain, y)
    indexed, found = guarded(max_pool2d, stored, *window, return_indices=True)
    assert_same(indexed, y)
    assert found.dtype == np.int64
    assert_same(found, indices)
    routed, route = guarded(max_pool2d_routed, stored, *window, strict=False)
    assert_same(routed, y)

    # Whole numbers, whose sums are exact: a gradient that goes astray is never a rounding error.
    whole = integers(*y.shape, dtype=x.dtype, seed=7)
    grad = LAYOUTS[grad_layout or layout](whole)
    want = oracle.max_pool2d_backward(whole, indices, x.shape)
    for gx in (guarded(max_pool2d_backward, grad, found, x.shape), guarded(route, grad)):
        assert gx.dtype == x.dtype
        assert_same(gx, want)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "ceil_mode"), WINDOWS)
def test_every_kind_of_max_pool(size, kernel, stride, padding, ceil_mode, dtype, order):
    window = (kernel, stride, padding, 1, ceil_mode)
    check_max_pool(random(2, 5, *size, dtype=dtype), order, *window)
    check_max_pool(integers(2, 5, *size, dtype=dtype), order, *window)  # ties


@each_dtype
@each_order
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "ceil_mode"),
    [
        (2, 1, 0, 2, False),
        (3, 2, 1, 2, True),
        ((2, 3), 1, (1, 2), (3, 2), False),
        ((3, 2), (4, 2), (2, 1), (2, 4), True),
    ],
)
def test_dilated_max_pool(kernel, stride, padding, dilation, ceil_mode, dtype, order):
    x = integers(2, 5, 9, 10, dtype=dtype)
    check_max_pool(x, order, kernel, stride, padding, dilation, ceil_mode)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("kernel", [1, (1, 2), (2, 3)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_number_of_windows_at_a_time(kernel, stride, dtype, order):
    """In a row of windows in C order, in the channels of one window in channels-last."""
    everything = integers(1, 67, 3, 5, dtype=dtype)
    if order == "contiguous":
        everything = integers(1, 2, 3, 67 * stride + 3, dtype=dtype)
    for count in sizes(COUNTS, dtype):
        if order == "contiguous":
            x = everything[..., : (count - 1) * stride + oracle.two(kernel)[1]]
        else:
            x = everything[:, :count]
        check_max_pool(x, order, kernel, stride)


# kernel, stride, padding of the windows that have kernels of their own
USUAL_WINDOWS = [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1)]


def with_infinities(x):
    """`x` with whole windows of -inf, where only the order of the taps decides, and some NaN."""
    x = x.copy()
    rng = np.random.default_rng(1)
    low = rng.random(x.shape) < 0.7
    x[low] = -np.inf
    x[rng.random(x.shape) < 0.02] = np.nan
    return x


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("window", USUAL_WINDOWS)
def test_every_length_of_run_of_the_usual_windows(window, order, dtype):
    """Of windows in a row, with an odd column or two left over, or of channels."""
    _, stride, padding = window
    for count in sizes(35, dtype):
        if order == "contiguous":
            size = (1, 2, 7, max(count * stride + 1 - padding, 3) + count % 2)
        else:
            size = (1, count, 5, 6)
        x = integers(*size, dtype=dtype, seed=count)
        check_max_pool(x, order, *window)
        check_max_pool(with_infinities(x), order, *window)
        check_avg_pool(x, order, *window)


@each_dtype
@each_order
@pytest.mark.parametrize("window", [*USUAL_WINDOWS, (5, 3, 2), (4, 1, (2, 1))])
def test_planes_of_many_bands(window, order, dtype):
    """Large planes are padded, and their gradients scattered, piece by piece."""
    x = integers(1, 2, 75, 181, dtype=dtype)
    check_max_pool(x, order, *window)
    check_max_pool(with_infinities(x), order, *window)
    check_avg_pool(x, order, *window)


@each_order
@pytest.mark.parametrize("channels", [1, 6, 40])
@pytest.mark.parametrize("batch", [1, 3])
def test_pools_are_the_same_for_any_number_of_threads(batch, channels, order):
    x = ORDERS[order](random(batch, channels, 60, 61, dtype=np.float32))
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            y, indices = max_pool2d(x, 3, 2, 1, return_indices=True)
            routed, route = max_pool2d_routed(x, 3, 2, 1, 1, False, False)
            halves, pairs = max_pool2d_routed(x, 2, None, 0, 1, False, False)
            mean, top = global_avg_pool2d(x), global_max_pool2d(x)
            results.append([
                y, indices, routed, route(y), max_pool2d_backward(y, indices, x.shape),
                halves, pairs(halves), avg_pool2d(x, 3, 2, 1), avg_pool2d_backward(y, x, 3, 2, 1),
                mean, top, global_max_pool2d_backward(top, x),
            ])  # fmt: skip
    for other in results[1:]:
        for got, want in zip(other, results[0], strict=True):
            assert got.tobytes() == want.tobytes()


@each_order
@pytest.mark.parametrize("threads", [1, 3])
def test_indices_outside_are_counted(threads, order):
    x = ORDERS[order](random(2, 40, 40, 41, dtype=np.float32))
    y, indices = max_pool2d(x, 2, return_indices=True)
    indices[1, 3, 5, 7], indices[0, 39, 0, 0], indices[1, 0, 19, 19] = 1640, -1, -(2**63)
    with using_threads(threads), pytest.raises(ValueError, match="3 of the indices"):
        max_pool2d_backward(y, indices, x.shape)


@each_order
@pytest.mark.parametrize("size", range(1, 21))
def test_every_number_of_rows_in_a_band(size, order):
    x = integers(1, 3, size, 6, dtype=np.float32)
    check_max_pool(x, order, 1, 2)
    if size > 1:
        check_max_pool(x, order, (2, 3), 1, 1)
    if size > 2:
        check_max_pool(x, order, (3, 2), 2, (1, 0), 1, True)


@each_isa
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (2, 20, 4, 5), (2, 1, 6, 7), (3, 6, 1, 1)])
def test_any_memory(shape, layout):
    kernel = 1 if shape[2] == 1 else 2
    x = integers(*shape, dtype=np.float32)
    check_max_pool(x, layout, kernel, 1)
    check_max_pool(x, "contiguous", kernel, 1, grad_layout=layout)
    check_max_pool(x, "channels_last", kernel, 1, grad_layout=layout)

    x = random(*shape)
    y = guarded(avg_pool2d, LAYOUTS[layout](x), kernel)
    assert_close(y, oracle.avg_pool2d(x, kernel), 3)
    grad = random(*y.shape)
    gx = guarded(avg_pool2d_backward, LAYOUTS[layout](grad), LAYOUTS[layout](x), kernel)
    assert_close(gx, oracle.avg_pool2d_backward(grad, x.shape, kernel), 3)


@each_order
def test_windows_of_more_taps_than_a_byte_can_number(order):
    for kernel in (16, (15, 17), (16, 17), (257, 1), 40):
        rows, columns = oracle.two(kernel)
        x = integers(2, 3, rows + 4, columns + 5, dtype=np.float32)
        check_max_pool(x, order, kernel, 2, (rows // 2, columns // 2))
    check_max_pool(integers(1, 2, 50, 51), order, 17, 3, 5, (3, 2), True)


@each_order
def test_max_pool_keeps_the_memory_order(order):
    x = ORDERS[order](random(2, 3, 20, 20))
    for kernel in (2, 17):
        window = (kernel, 1, 0, 1, False)
        y, indices = max_pool2d(x, *window, return_indices=True)
        _, route = max_pool2d_routed(x, *window, strict=False)
        results = [max_pool2d(x, *window), y, indices, max_pool2d_backward(y, indices, x.shape)]
        results += [route(grad) for grad in (y, np.ascontiguousarray(y), channels_last(y))]
        for result in results:
            assert is_channels_last(result) == (order == "channels_last")
            assert is_channels_last(result) or result.flags.c_contiguous


def test_indices_of_any_integer_type_and_memory():
    x = integers(2, 3, 8, 9, dtype=np.float32)
    y, indices = max_pool2d(x, 3, 2, return_indices=True)
    want = max_pool2d_backward(y, indices, x.shape)
    for layout in LAYOUTS.values():
        if layout is not LAYOUTS["real_part"]:
            assert_same(guarded(max_pool2d_backward, y, layout(indices), x.shape), want)
    for dtype in (np.int32, np.uint8, np.uint64, np.dtype(np.int64).newbyteorder()):
        assert_same(guarded(max_pool2d_backward, y, indices.astype(dtype), x.shape), want)
    one = np.broadcast_to(np.int64(70), y.shape)
    gx = guarded(max_pool2d_backward, y, one, x.shape)
    assert_same(gx.reshape(2, 3, -1)[:, :, 70], y.sum((2, 3)))
    assert np.count_nonzero(gx) <= 6


# ---------------------------------------------------------------------------- max: ties and NaN


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("channels", [1, 3, 5, 21])
def test_nan_and_ties(channels, dtype, order):
    rng = np.random.default_rng(0)
    values = np.array([np.nan, -np.nan, -np.inf, -np.inf, np.inf, -0.0, 0.0, 1, 1, -1], dtype)
    for trial in range(6):
        x = values[rng.integers(0, len(values) - trial, (2, channels, 7, 23))]
        check_max_pool(x, order, 2, 1)
        check_max_pool(x, order, 3, 2, 1)
    check_max_pool(np.full((1, channels, 4, 30), -np.inf, dtype), order, 3, 1, 1)
    check_max_pool(np.full((1, channels, 4, 30), np.nan, dtype), order, 3, 1, 1)


@each_isa
@each_order
def test_the_first_maximum_and_the_first_nan_win(order):
    def winner(*window: float) -> int:
        x = np.zeros((1, 19, 2, 2 * 19))
        x[:] = np.tile(np.array(window).reshape(2, 2), 19)
        y, indices = max_pool2d(ORDERS[order](x), 2, return_indices=True)
        assert len(set(np.unique(indices % 38 - 2 * np.arange(19) + indices // 38 * 2))) == 1
        assert_same(y, np.full(y.shape, y.flat[0]))
        return int(indices[0, 0, 0, 0] // 38 * 2 + indices[0, 0, 0, 0] % 38)

    nan, inf = np.nan, np.inf
    assert winner(1, 1, 1, 1) == 0
    assert winner(0, 2, 2, 1) == 1
    assert winner(-0.0, 0.0, 0.0, -0.0) == 0
    assert winner(-inf, -inf, -inf, -inf) == 0
    assert winner(-inf, -inf, 0, -inf) == 2
    assert winner(inf, nan, inf, nan) == 1
    assert winner(nan, nan, inf, nan) == 0
    assert winner(1, 2, 3, nan) == 3


def test_padding_never_wins():
    x = np.full((1, 1, 3, 3), -np.inf)
    x[0, 0, 1, 1] = -5
    y, indices = max_pool2d(x, 2, 2, 1, return_indices=True)
    assert y[0, 0].tolist() == [[-np.inf, -np.inf], [-np.inf, -5]]
    assert indices[0, 0].tolist() == [[0, 1], [3, 4]]


def test_gradient_of_windows_that_overlap_adds_up():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    _, indices = max_pool2d(x, 2, 1, return_indices=True)
    grad = np.array([[[[1.0, 2.0], [4.0, 8.0]]]])
    assert max_pool2d_backward(grad, indices, x.shape)[0, 0, 1, 1] == 15


# ---------------------------------------------------------------------------- average


def check_avg_pool(x, layout, *window, grad_layout=None):
    kernel, stride, padding, *rest = window
    window_of_oracle = (kernel, stride, oracle_padding(kernel, padding), *rest)
    stored = LAYOUTS[layout](x)
    y = guarded(avg_pool2d, stored, *window)
    assert y.dtype == x.dtype
    assert_close(y, oracle.avg_pool2d(x, *window_of_oracle), np.abs(x))
    grad = random(*y.shape, dtype=x.dtype, seed=7)
    gx = guarded(avg_pool2d_backward, LAYOUTS[grad_layout or layout](grad), stored, *window)
    assert gx.dtype == x.dtype
    assert is_channels_last(gx) == is_channels_last(stored)
    want = oracle.avg_pool2d_backward(grad, x.shape, *window_of_oracle)
    assert_close(gx, want, np.abs(grad))


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "ceil_mode"), WINDOWS)
def test_every_kind_of_average_pool(size, kernel, stride, padding, ceil_mode, dtype, order):
    x = random(2, 5, *size, dtype=dtype)
    for rest in [(True,), (False,), (True, 3), (False, 3), (True, -2)]:
        check_avg_pool(x, order, kernel, stride, padding, ceil_mode, *rest)
    other = "contiguous" if order == "channels_last" else "channels_last"
    check_avg_pool(x, order, kernel, stride, padding, ceil_mode, grad_layout=other)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_number_of_windows_averaged_at_a_time(stride, dtype, order):
    everything = random(1, AVERAGED, 3, 5, dtype=dtype)
    if order == "contiguous":
        everything = random(1, 2, 3, AVERAGED * stride + 3, dtype=dtype)
    for count in sizes(AVERAGED, dtype):
        if order == "contiguous":
            x = everything[..., : (count - 1) * stride + 3]
        else:
            x = everything[:, :count]
        check_avg_pool(x, order, (2, 3), stride, 0)


@each_order
@pytest.mark.parametrize("size", range(1, 21))
def test_every_number_of_rows_averaged_in_a_band(size, order):
    x = random(1, 3, size, 6, dtype=np.float32)
    check_avg_pool(x, order, 1, 2, 0)
    if size > 1:
        check_avg_pool(x, order, (2, 3), 1, 1)


def test_average_at_the_border():
    x = np.array([[[[3.0, 6.0, 9.0]]]])
    window = ((1, 3), 1, (0, 1))
    assert avg_pool2d(x, *window).tolist() == [[[[3.0, 6.0, 5.0]]]]
    assert avg_pool2d(x, *window, count_include_pad=False).tolist() == [[[[4.5, 6.0, 7.5]]]]
    assert avg_pool2d(x, *window, divisor_override=1).tolist() == [[[[9.0, 18.0, 15.0]]]]
    # What ceil_mode adds beyond the padding is never counted: onnx#4958.
    assert avg_pool2d(x, (1, 2), 2, 0, ceil_mode=True).tolist() == [[[[4.5, 9.0]]]]


# ---------------------------------------------------------------------------- Lp


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("norm_type", [1, 1.5, 2, 2.0, 3, 4])
@pytest.mark.parametrize(("kernel", "stride"), [(2, None), (3, 2), ((1, 3), (2, 1))])
def test_lp_pool(kernel, stride, norm_type, dtype, order):
    x = random(2, 5, 7, 9, dtype=dtype)
    stored = ORDERS[order](x)
    y = guarded(lp_pool2d, stored, norm_type, kernel, stride)
    assert y.dtype == dtype
    assert is_channels_last(y) == is_channels_last(stored)
    want = oracle.lp_pool2d(x, norm_type, kernel, stride)
    assert_close(y, want, 2 * want)
    grad = random(*y.shape, dtype=dtype, seed=1)
    gx = guarded(lp_pool2d_backward, ORDERS[order](grad), stored, norm_type, kernel, stride)
    assert gx.dtype == dtype
    assert is_channels_last(gx) == is_channels_last(stored)
    want = oracle.lp_pool2d_backward(grad, x, norm_type, kernel, stride)
    assert_close(gx, want, 10 * np.abs(grad))


@each_dtype
@pytest.mark.parametrize("norm_type", [1, 1.5, 2, 3])
def test_lp_pool_is_a_norm(norm_type, dtype):
    x = random(2, 3, 7, 8, dtype=dtype)
    for ceil_mode in (False, True):
        y = lp_pool2d(x, norm_type, 3, 2, ceil_mode)
        powers = np.abs(x.astype(np.float64)) ** norm_type
        sums = oracle.avg_pool2d(powers, 3, 2, 0, ceil_mode, divisor_override=1)
        assert_close(y, sums ** (1 / norm_type), 10)
        assert lp_pool2d_backward(y, x, norm_type, 3, 2, ceil_mode).shape == x.shape


def test_lp_pool_of_zeros_has_no_gradient():
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 2, 2] = -3
    for norm_type in (1, 1.5, 2, 3):
        y = lp_pool2d(x, norm_type, 2)
        assert y[0, 0].tolist() == [[0, 0], [0, pytest.approx(3)]]
        gx = lp_pool2d_backward(np.ones_like(y), x, norm_type, 2)
        assert gx[0, 0, 2, 2] == pytest.approx(-1)
        assert np.count_nonzero(gx) == 1


# ---------------------------------------------------------------------------- the whole image


@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (1, 1, 1, 1), (3, 4, 1, 1), (0, 3, 4, 5)])
def test_global_pools(shape, layout, dtype):
    if 0 in shape and layout.startswith("misaligned"):
        return
    x = integers(*shape, dtype=dtype)
    size, stored = shape[2:], LAYOUTS[layout](x)
    y = guarded(global_avg_pool2d, stored)
    assert y.dtype == dtype
    assert_close(y, oracle.avg_pool2d(x, size), 5)
    top = guarded(global_max_pool2d, stored)
    assert top.dtype == dtype
    want, indices = oracle.max_pool2d(x, size)
    assert_same(top, want)

    grad = random(*y.shape, dtype=dtype)
    last = layout in DENSE_CHANNELS_LAST and shape == (2, 5, 7, 9)
    gx = guarded(global_avg_pool2d_backward, grad, stored)
    assert is_channels_last(gx) == last
    assert_close(gx, oracle.avg_pool2d_backward(grad, x.shape, size), 2)
    gx = guarded(global_max_pool2d_backward, grad, stored)
    assert is_channels_last(gx) == last
    assert_same(gx, oracle.max_pool2d_backward(grad, indices, x.shape))


@each_isa
@each_dtype
@each_order
def test_global_pools_of_every_size(order, dtype):
    """Of planes in C order, of channels in channels-last memory."""
    for count in sizes(75, dtype):
        shape = (1, count % 6 + 1, 1, count) if order == "contiguous" else (2, count, 2, 3)
        size = shape[2:]
        for x in (integers(*shape, dtype=dtype), with_infinities(integers(*shape, dtype=dtype))):
            stored = ORDERS[order](x)
            want, indices = oracle.max_pool2d(x, size)
            assert_same(guarded(global_max_pool2d, stored), want)
            assert_same(guarded(max_pool2d, stored, size), want)
            grad = integers(*want.shape, dtype=dtype, seed=2)
            gx = guarded(global_max_pool2d_backward, grad, stored)
            assert_same(gx, oracle.max_pool2d_backward(grad, indices, x.shape))
        x = integers(*shape, dtype=dtype)
        want = oracle.avg_pool2d(x, size)
        assert_close(guarded(global_avg_pool2d, ORDERS[order](x)), want, np.abs(x))
        check_avg_pool(x, order, size, None, 0)


def test_global_max_and_nan():
    x = np.array([[[[1.0, np.nan, np.nan, 3.0]]]])
    assert np.isnan(global_max_pool2d(x)).all()
    assert global_max_pool2d_backward(np.ones((1, 1, 1, 1)), x).ravel().tolist() == [0, 1, 0, 0]


# ---------------------------------------------------------------------------- empty, broadcast


@each_dtype
def test_empty_batch(dtype):
    x = np.empty((0, 3, 6, 7), dtype)
    y, indices = guarded(max_pool2d, x, 2, return_indices=True)
    assert y.shape == indices.shape == (0, 3, 3, 3)
    assert y.dtype == dtype
    results = [
        guarded(max_pool2d_backward, y, indices, x.shape),
        guarded(max_pool2d_routed, x, 2, None, 0, 1, False, False)[1](y),
        guarded(avg_pool2d_backward, guarded(avg_pool2d, x, 2), x, 2),
        guarded(lp_pool2d_backward, guarded(lp_pool2d, x, 2, 2), x, 2, 2),
        guarded(max_pool2d, x, 1),
    ]
    for result in results:
        assert result.shape == x.shape
        assert result.dtype == dtype


def test_broadcast_memory():
    x = np.broadcast_to(integers(1, 6, 1, 1), (2, 6, 4, 5))
    y, indices = guarded(max_pool2d, x, 2, 1, return_indices=True)
    assert_same(y, np.broadcast_to(x[:, :, :1, :1], y.shape))
    assert_same(indices, oracle.max_pool2d(x, 2, 1)[1])
    assert_same(guarded(avg_pool2d, x, 2, 1), y)
    grad = np.broadcast_to(np.float64(1), y.shape)
    want = oracle.avg_pool2d_backward(grad, x.shape, 2, 1)
    assert_same(guarded(avg_pool2d_backward, grad, x, 2, 1), want)
    want = oracle.max_pool2d_backward(grad, indices, x.shape)
    assert_same(guarded(max_pool2d_backward, grad, indices, x.shape), want)


# ---------------------------------------------------------------------------- at random


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_pool(data):
    draw = data.draw
    kernel, stride, dilation, padding, size = [], [], [], [], []
    for axis in range(2):
        kernel.append(draw(st.integers(1, 5)))
        stride.append(draw(st.integers(1, 6)))
        dilation.append(draw(st.sampled_from([1, 1, 2, 3])))
        half = (dilation[axis] * (kernel[axis] - 1) + 1) // 2
        padding.append((draw(st.integers(0, half)), draw(st.integers(0, half))))
        least = dilation[axis] * (kernel[axis] - 1) + 1 - sum(padding[axis])
        size.append(max(1, least) + draw(st.integers(0, 20)))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 20)), *size)
    ceil_mode, dtype = draw(st.booleans()), draw(st.sampled_from(FLOATS))
    make = draw(st.sampled_from([random, integers]))
    layouts = [draw(st.sampled_from([*LAYOUTS])) for _ in range(2)]
    x = make(*shape, dtype=dtype, seed=draw(st.integers(0, 9)))
    window = (tuple(kernel), tuple(stride), tuple(padding))
    with using_isa(draw(st.sampled_from(dispatch.supported_isas()))):
        try:
            oracle.max_pool2d(x, *window, tuple(dilation), ceil_mode)
        except ValueError:  # dilated taps stepped over a small image
            with pytest.raises(ValueError, match="nothing but padding"):
                max_pool2d(x, *window, tuple(dilation), ceil_mode)
            return
        check_max_pool(x, layouts[0], *window, tuple(dilation), ceil_mode, grad_layout=layouts[1])
        assume(all(max(pads) <= k // 2 for pads, k in zip(padding, kernel, strict=True)))
        include = draw(st.booleans())
        check_avg_pool(x, layouts[0], *window, ceil_mode, include, grad_layout=layouts[1])


# ---------------------------------------------------------------------------- derivatives


@each_isa
@each_order
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("window", [(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), ((1, 0), (0, 1)))])
def test_gradients_are_derivatives(window, ceil_mode, order):
    relayout = ORDERS[order]
    values = np.random.default_rng(0).permutation(84) + 1.0
    x = relayout(values.reshape(1, 2, 6, 7))  # no ties to cross
    y, indices = max_pool2d(x, *window, 1, ceil_mode, return_indices=True)
    grad = random(*y.shape)

    def compare(got, function, rtol=1e-7):
        want = numerical_gradient(function, x, grad)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-7)

    routed = max_pool2d_backward(grad, indices, x.shape)
    compare(routed, lambda x: max_pool2d(x, *window, 1, ceil_mode))
    _, route = max_pool2d_routed(x, *window, 1, ceil_mode, False)
    assert_same(route(grad), routed)
    for rest in [(True,), (False,), (True, 3)]:
        gx = avg_pool2d_backward(grad, x, *window, ceil_mode, *rest)
        compare(gx, lambda x, rest=rest: avg_pool2d(x, *window, ceil_mode, *rest))
    x /= 40
    if window[2] == 0:
        for p in (1, 2, 2.5):
            gx = lp_pool2d_backward(grad, x, p, *window[:2], ceil_mode)
            compare(gx, lambda x, p=p: lp_pool2d(x, p, *window[:2], ceil_mode), rtol=1e-5)


# ---------------------------------------------------------------------------- the notes


def test_notes_common_pool_discards_three_quarters():
    x = random(1, 64, 224, 224, dtype=np.float32)
    y = max_pool2d(x, 2, 2, strict=True)
    assert y.shape == (1, 64, 112, 112)
    assert y.size / x.size == 0.25
    assert_same(y, x.reshape(1, 64, 112, 2, 112, 2).max(axis=(3, 5)))


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_windows_that_do_not_fit(pool):
    x = random(1, 2, 10, 13)
    assert pool(x, 3, 2).shape == (1, 2, 4, 6)
    assert pool(x, 3, 2, ceil_mode=True).shape == (1, 2, 5, 6)
    message = rf"{pool.__name__}: strict: height 10 .* 9 and 11$"
    with pytest.raises(ValueError, match=message):
        pool(x, 3, 2, strict=True)
    with pytest.raises(ValueError, match=r"lp_pool2d: strict: height 10 .* 9 and 11$"):
        lp_pool2d(x, 2, 3, 2, strict=True)
    pool(x[:, :, :9], 3, 2, strict=True)


@each_order
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "out"),
    [(1, 2, 2, 0, 1), (1, 3, 3, 0, 1), (2, 3, 2, 0, 1), (3, 5, 3, 0, 1), (1, 4, 2, 1, 1)],
)
def test_ceil_mode_of_an_image_smaller_than_the_window(size, kernel, stride, padding, out, order):
    """The last stages of a network on a small image: torch keeps one window that overhangs."""
    x = ORDERS[order](integers(2, 3, size, size))
    check_max_pool(x, order, kernel, stride, padding, 1, ceil_mode=True)
    check_avg_pool(x, order, kernel, stride, padding, True, False)
    check_avg_pool(x, order, kernel, stride, padding, True, True)
    assert max_pool2d(x, kernel, stride, padding, ceil_mode=True).shape == (2, 3, out, out)
    with pytest.raises(ValueError, match=r"more than the \d of the padded input"):
        max_pool2d(x, kernel, stride, padding)
    with pytest.raises(ValueError, match=r"more than the \d of the padded input"):
        max_pool2d(x, kernel, stride, padding, ceil_mode=True, strict=True)


def test_ceil_mode_overhangs_by_less_than_a_stride():
    with pytest.raises(ValueError, match="spans 4 rows, more than the 2 of the padded input"):
        max_pool2d(random(1, 1, 2, 2), 4, 2, ceil_mode=True)


def test_no_warnings_of_numpy():
    """NaN and infinity are values like others, zeros have a norm."""
    x = np.array([[[[np.nan, np.inf], [-np.inf, 0.0]]]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        max_pool2d(x, 2, return_indices=True)
        avg_pool2d(x, 2)
        global_max_pool2d(x)
        lp_pool2d(np.zeros_like(x), 2, 2)
        lp_pool2d_backward(np.ones((1, 1, 1, 1), np.float32), np.zeros_like(x), 1.5, 2)
