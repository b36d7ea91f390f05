"""im2col and col2im against the oracle, and what the notes say of them."""

import numpy as np
import pytest

from cnnfast.functional import col2im, conv2d, im2col, max_pool2d
from tests import oracle
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    channels_last,
    guarded,
    integers,
    random,
)

pytestmark = pytest.mark.usefixtures("isa", "one_thread")


# size, kernel, stride, padding, dilation
WINDOWS = [
    ((1, 1), 1, 1, 0, 1),
    ((5, 7), 3, 1, 0, 1),
    ((5, 7), 3, 1, 1, 1),
    ((6, 4), (2, 3), 2, 1, 1),
    ((6, 4), (3, 2), (3, 1), (0, 2), 1),
    ((9, 8), 3, 2, 2, 2),
    ((9, 8), (2, 3), (2, 4), 3, (4, 2)),  # strides and dilations with a common divisor
    ((7, 9), 2, 5, 0, 1),  # pixels that no window sees, between windows
    ((8, 100), 2, (5, 99), 0, 1),  # and after the last
    ((4, 5), 3, 1, ((2, 0), (0, 3)), 1),
    ((3, 3), 2, 1, 4, 1),  # windows wholly in the padding
    ((3, 3), 2, 1, ((0, 7), (6, 0)), 1),
    ((2, 2), 3, 1, 9, 4),  # taps that step over the image
    ((5, 5), 5, 1, 0, 1),
    ((6, 5), (3, 4), 1, "same", (1, 2)),
    ((6, 5), (3, 4), 1, "valid", 1),
]


def oracle_padding(kernel, padding, dilation):
    """The oracle does not know "same" and "valid"."""
    if padding == "valid":
        return 0
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(oracle.two(dilation), oracle.two(kernel), strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return padding


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), WINDOWS)
def test_every_kind_of_window(size, kernel, stride, padding, dilation, dtype, order):
    x = ORDERS[order](random(2, 3, *size, dtype=dtype))
    pads = oracle_padding(kernel, padding, dilation)
    columns = guarded(im2col, x, kernel, stride, padding, dilation)
    assert columns.dtype == dtype
    assert columns.flags.c_contiguous
    assert_same(columns, oracle.im2col(x, kernel, stride, pads, dilation))

    columns = random(*columns.shape, dtype=dtype, seed=1)
    image = guarded(col2im, columns, size, kernel, stride, padding, dilation)
    assert image.dtype == dtype
    assert image.flags.c_contiguous
    want = oracle.col2im(columns, size, kernel, stride, pads, dilation)
    scale = oracle.col2im(np.abs(columns), size, kernel, stride, pads, dilation)
    assert_close(image, want, scale)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_width_of_a_row(dtype, stride):
    everything = integers(1, 2, 3, 70, dtype=dtype)
    for width in range(1, 71):
        x = everything[..., :width]
        window = ((2, 1), (1, stride), (0, 1))
        columns = guarded(im2col, x, *window)
        assert_same(columns, oracle.im2col(x, *window))
        assert_same(
            guarded(col2im, columns, x.shape[2:], *window),
            oracle.col2im(columns, x.shape[2:], *window),
        )


@pytest.mark.parametrize("size", [(3, 5), (40, 90), (300, 500)])
def test_every_number_of_channels_transposed_at_a_time(size):
    everything = random(2, 37, *size, dtype=np.float32) if size == (3, 5) else random(1, 6, *size)
    for channels in range(1, everything.shape[1] + 1):
        x = channels_last(everything[:, :channels])
        window = (2, (size[0] - 2, size[1] - 2))
        assert_same(guarded(im2col, x, *window), oracle.im2col(x, *window))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout):
    x = random(2, 3, 6, 7, dtype=np.float32)
    window = ((2, 3), (2, 1), 1, (1, 2))
    columns = guarded(im2col, LAYOUTS[layout](x), *window)
    assert_same(columns, oracle.im2col(x, *window))

    flat = LAYOUTS[layout](columns[None])[0]
    want = oracle.col2im(columns, (6, 7), *window)
    assert_close(guarded(col2im, flat, (6, 7), *window), want, np.abs(want))


def test_broadcast_memory():
    x = np.broadcast_to(random(1, 3, 1, 7), (2, 3, 5, 7))
    assert_same(guarded(im2col, x, 3, 2, 1), oracle.im2col(x, 3, 2, 1))
    columns = np.broadcast_to(np.float32(2), (2, 8, 12))
    image = guarded(col2im, columns, (4, 5), 2)
    assert_same(image, oracle.col2im(columns, (4, 5), 2))


@pytest.mark.parametrize("dtype", FLOATS)
def test_empty_batch(dtype):
    columns = guarded(im2col, np.empty((0, 3, 5, 4), dtype), 2)
    assert columns.shape == (0, 12, 12)
    assert columns.dtype == dtype
    image = guarded(col2im, columns, (5, 4), 2)
    assert image.shape == (0, 3, 5, 4)
    assert image.dtype == dtype


def test_bits_are_only_moved():
    x = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.0, 2.0]).reshape(1, 1, 2, 4)
    assert im2col(x, (1, 1)).tobytes() == x.tobytes()
    assert col2im(x.reshape(1, 1, 8), (2, 4), 1)[0, 0].tolist()[1] == [0.0, 5e-324, 1.0, 2.0]


# ---------------------------------------------------------------------------- the notes


def test_notes_matrix_of_columns():
    x, weight = integers(1, 3, 227, 227, dtype=np.float32), integers(96, 3, 11, 11, seed=1)
    weight = weight.astype(np.float32)
    x_col, w_row = im2col(x, 11, stride=4)[0], weight.reshape(96, 363)
    assert x_col.shape == (363, 3025)
    y = (w_row @ x_col).reshape(1, 96, 55, 55)
    assert_same(
        conv2d(x, weight, stride=4, algorithm="direct"), y
    )  # whole numbers: exact in any order


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), ((2, 3), (1, 2))])
def test_notes_max_pooling_through_columns(kernel, stride):
    x = random(2, 4, 9, 8, dtype=np.float32)
    y = max_pool2d(x, kernel, stride)
    columns = im2col(x, kernel, stride)
    windows = columns.reshape(2, 4, -1, columns.shape[2])
    assert_same(windows.max(axis=2).reshape(y.shape), y)


def test_col2im_counts_the_windows_over_each_pixel():
    ones = np.ones((1, 1, 4, 4))
    counts = col2im(im2col(ones, 3), (4, 4), 3)[0, 0]
    assert_same(counts, np.outer([1, 2, 2, 1], [1, 2, 2, 1]))
    assert_same(col2im(im2col(ones, 2, 2), (4, 4), 2, 2), ones)
