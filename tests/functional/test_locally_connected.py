"""Convolution without parameter sharing, against loops and against convolution."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.functional import conv2d, locally_connected2d, locally_connected2d_backward
from tests.functional import naive_nd
from tests.functional.naive_nd import Geometry
from tests.functional.test_conv_nd import check_slopes, raises
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    random,
    using_threads,
)

pytestmark = pytest.mark.usefixtures("one_thread")

# H and W, kernel, stride, sides, dilation
WINDOWS = {
    "plain": ((4, 5), (2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "padded": ((4, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "strided": ((7, 6), (3, 2), (2, 3), ((1, 0), (0, 2)), (1, 1)),
    "stride over kernel": ((7, 8), (1, 2), (3, 3), ((0, 0), (0, 0)), (1, 1)),
    "dilated": ((6, 7), (2, 3), (1, 2), ((2, 1), (0, 1)), (3, 2)),
    "one position": ((3, 4), (3, 4), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "pixels": ((3, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
}
each_window = pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)


def arrays(window, dtype=np.float64, batch=3, channels=4, filters=5):
    size, kernel, *_ = window
    geometry = Geometry(*window[1:])
    out = geometry.out(size)
    x = integers(batch, channels, *size, dtype=dtype)
    w = integers(*out, filters, channels, *kernel, dtype=dtype, seed=1)
    return geometry, x, w, integers(filters, *out, dtype=dtype, seed=2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("channels", "filters"), [(4, 5), (1, 1), (1, 20), (17, 1), (18, 17)])
@each_window
def test_every_kind_of_window(window, channels, filters, order, dtype):
    geometry, x, w, b = arrays(window, dtype, 3, channels, filters)
    image, placed = ORDERS[order](x), window[2:]
    y = guarded(locally_connected2d, image, w, b, *placed)
    assert y.dtype == dtype
    assert_same(y, naive_nd.locally_connected(x, w, geometry) + b)
    grad = integers(*y.shape, dtype=dtype, seed=3)
    want = naive_nd.locally_connected_backward(grad, x, w, geometry)
    for other in ORDERS.values():
        got = guarded(locally_connected2d_backward, other(grad), image, w, *placed)
        for array, right in zip(got, want, strict=True):
            assert_same(array, right)
        assert is_channels_last(got[0]) == is_channels_last(image)
    assert y.flags.c_contiguous or is_channels_last(y) == (order == "channels_last")


@pytest.mark.parametrize("padding", ["same", "valid", 1, (2, 0)])
def test_the_same_filters_everywhere_are_a_convolution(padding):
    x, w, b = random(2, 3, 6, 7), random(4, 3, 3, 2, seed=1), random(4, seed=2)
    want = conv2d(x, w, b, padding=padding)
    filters = np.broadcast_to(w, (*want.shape[2:], *w.shape))
    bias = np.broadcast_to(b[:, None, None], want.shape[1:])
    assert_close(locally_connected2d(x, filters, bias, padding=padding), want, 20)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout):
    geometry, x, w, _ = arrays(WINDOWS["strided"])
    change, placed = LAYOUTS[layout], WINDOWS["strided"][2:]
    want = naive_nd.locally_connected(x, w, geometry)
    assert_same(guarded(locally_connected2d, change(x), w, None, *placed), want)
    got = guarded(locally_connected2d_backward, change(want), change(x), w[::-1][::-1], *placed)
    right = naive_nd.locally_connected_backward(want, x, w, geometry)
    for array, one in zip(got, right, strict=True):
        assert_same(array, one)


def test_gradients_are_slopes():
    _, x, w, b = arrays(WINDOWS["dilated"], batch=1, channels=2, filters=2)
    keywords = dict(zip(("stride", "padding", "dilation"), WINDOWS["dilated"][2:], strict=True))
    check_slopes(
        lambda x, w, b: locally_connected2d(x, w, b, **keywords),
        locally_connected2d_backward,
        (x, w, b),
        keywords,
    )


def test_the_same_for_any_number_of_threads():
    x, w = random(5, 20, 12, 12, dtype=np.float32), random(10, 10, 24, 20, 3, 3, dtype=np.float32)
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            y = locally_connected2d(x, w)
            found = [y, *locally_connected2d_backward(y, x, w)]
            results.append([array.tobytes() for array in found])
    assert results[1:] == results[:1] * 3


def test_empty_batches_and_needs():
    _, x, w, b = arrays(WINDOWS["padded"])
    y = locally_connected2d(x, w, b, padding=1)
    nothing = locally_connected2d(x[:0], w, b, padding=1)
    assert nothing.shape == (0, *y.shape[1:])
    gx, gw, gb = locally_connected2d_backward(nothing, x[:0], w, padding=1)
    assert gx.shape == (0, *x.shape[1:])
    assert gw.shape == w.shape
    assert gb.shape == b.shape
    assert not gw.any()
    assert not gb.any()
    whole = locally_connected2d_backward(y, x, w, padding=1)
    for batch in (3, 0):
        for i, need in enumerate(("x", "weight", "bias")):
            part = locally_connected2d_backward(y[:batch], x[:batch], w, 1, 1, needs=(need,))
            assert [g is not None for g in part] == [i == j for j in range(3)]
            if batch:
                assert_same(part[i], whole[i])


def test_bad_input():
    _, x, w, b = arrays(WINDOWS["padded"])
    grad = locally_connected2d(x, w, b, 1, 1)

    def backward(x, w, b, *window):
        return locally_connected2d_backward(grad, x, w, *window)

    for name, call in (
        ("locally_connected2d", locally_connected2d),
        ("locally_connected2d_backward", backward),
    ):
        message = rf"^{name}: weight \(4, 5, .*\) has filters for \(4, 5\) positions, but the"
        raises(ValueError, message, call, x, w, b, 1, 0)
        raises(ValueError, message, call, x, w, b, 2, 1)
        message = f"^{name}: x has 3 channels, but weight .* reads 4"
        raises(ValueError, message, call, x[:, :3], w, b, 1, 1)
        raises(ValueError, f"^{name}: weight must have 6 dim", call, x, w[0, 0], b, 1, 1)
        raises(ValueError, f"^{name}: x must have 4 dimensions", call, x[0], w, b, 1, 1)
        raises(ValueError, f"^{name}: stride must be at least 1", call, x, w, b, 0, 1)
        raises(ValueError, f"^{name}: padding must be", call, x, w, b, 1, [])
        raises(ValueError, f"^{name}: dilation must be at least 1", call, x, w, b, 1, 1, 0)
        raises(ValueError, f"^{name}: .* spans 3 rows", call, x[:, :, :2], w, b)
        raises(ValueError, f"^{name}: x may have no empty", call, x[:, :0], w, b, 1, 1)
        raises(ValueError, f"^{name}: weight may have no empty", call, x, w[:, :, :0], b, 1, 1)
        raises(TypeError, f"^{name}: weight is float32", call, x, w.astype(np.float32), b, 1, 1)
        raises(TypeError, f"^{name}: x must be float32 or", call, x.astype(int), w, b, 1, 1)
    message = r"^locally_connected2d: bias has shape \(5,\), but one value for each filter is"
    raises(ValueError, message, locally_connected2d, x, w, b[:, 0, 0], 1, 1)
    raises(ValueError, "bias has shape", locally_connected2d, x, w, b[:, :1], 1, 1)
    for g in (grad[:1], grad[:, 1:], grad[:, :, 1:]):
        message = "^locally_connected2d_backward: grad has shape .*, but the output's shape is"
        raises(ValueError, message, locally_connected2d_backward, g, x, w, 1, 1)
    message = "^locally_connected2d_backward: needs must"
    raises(ValueError, message, locally_connected2d_backward, grad, x, w, 1, 1, needs=("w",))
