"""Pools of every kind: what they have in common."""

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
    global_max_pool2d,
    global_max_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from cnnfast.functional.max_pool import max_pool2d_routed
from tests import oracle
from tests.functional.pools import (
    check_avg_pool,
    check_max_pool,
    each_dtype,
    each_isa,
    each_order,
    with_infinities,
)
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_same,
    guarded,
    integers,
    numerical_gradient,
    random,
    sizes,
    using_isa,
    using_threads,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# kernel, stride, padding of the windows that have kernels of their own
USUAL_WINDOWS = [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1)]


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
