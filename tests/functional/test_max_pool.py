"""Max pooling against the oracle, on every path through the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from cnnfast.functional.max_pool import max_pool2d_routed
from tests import oracle
from tests.functional.pools import (
    WINDOWS,
    check_max_pool,
    each_dtype,
    each_isa,
    each_order,
)
from tests.helpers import (
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    channels_last,
    guarded,
    integers,
    is_channels_last,
    random,
    sizes,
    using_threads,
)

COUNTS = 67  # windows in a row, or channels: beyond four times the longest vector

pytestmark = pytest.mark.usefixtures("one_thread")


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


# ---------------------------------------------------------------------------- ties and NaN


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
