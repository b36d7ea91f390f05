"""Sums and concatenations of branches."""

import numpy as np
import pytest

from cnnfast.functional import add, add_backward, concat, concat_backward
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_same,
    guarded,
    is_channels_last,
    random,
    using_threads,
)

each_isa = pytest.mark.usefixtures("isa")
each_dtype = pytest.mark.parametrize("dtype", FLOATS)


@each_dtype
@pytest.mark.parametrize("other", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_add(layout, other, dtype):
    x, y = random(2, 5, 7, 9, dtype=dtype), random(2, 5, 7, 9, dtype=dtype, seed=1)
    stored = LAYOUTS[layout](x)
    z = guarded(add, stored, LAYOUTS[other](y))
    assert_same(z, x + y)
    assert z.dtype == dtype
    assert is_channels_last(z) == is_channels_last(stored)


@each_isa
@each_dtype
def test_add_every_number_of_elements(dtype):
    x, y = random(70, dtype=dtype), random(70, dtype=dtype, seed=1)
    for count in range(71):
        assert_same(guarded(add, x[:count], y[:count]), x[:count] + y[:count])
    assert add(np.array(1.0), np.array(2.0)) == 3


def test_add_backward_is_the_gradient_twice():
    grad = random(2, 3)
    gx, gy = add_backward(grad)
    assert gx is grad
    assert gy is grad


@each_isa
@each_dtype
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("channels", [(5,), (1, 1), (3, 1, 4), (16, 33), (64, 96, 16), (0, 2)])
def test_concat(channels, order, dtype):
    xs = [random(3, c, 5, 7, dtype=dtype, seed=c) for c in channels]
    stored = [ORDERS[order](x) for x in xs]
    y = concat(stored)
    want = np.concatenate(xs, 1)
    assert_same(y, want)
    assert y.dtype == dtype
    assert y.ctypes.data % 64 == 0
    assert is_channels_last(y) == any(map(is_channels_last, stored))
    grad = ORDERS[order](want)
    for gx, x in zip(concat_backward(grad, channels), xs, strict=True):
        assert_same(gx, x)
        assert gx.ctypes.data % 64 == 0
        assert is_channels_last(gx) == (order == "channels_last" and x.shape[1] > 1)
        assert not np.may_share_memory(gx, grad)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_concat_of_any_memory(layout):
    xs = [random(2, c, 3, 4, seed=c) for c in (3, 20)]
    for other in LAYOUTS:
        mixed = [LAYOUTS[layout](xs[0]), LAYOUTS[other](xs[1])]
        assert_same(concat(mixed), np.concatenate(xs, 1))
    grad = LAYOUTS[layout](np.concatenate(xs, 1))
    for gx, x in zip(concat_backward(grad, [3, 20]), xs, strict=True):
        assert_same(gx, x)


def test_concat_with_threads_and_without_a_batch():
    xs = [random(4, c, 40, 41, dtype=np.float32) for c in (17, 30)]
    for order in ORDERS.values():
        for count in (1, 2, 3, 7):
            with using_threads(count):
                assert_same(concat([order(x) for x in xs]), np.concatenate(xs, 1))
    assert concat([np.ones((0, 3, 2, 2)), np.ones((0, 1, 2, 2))]).shape == (0, 4, 2, 2)


def test_bad_arguments():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"add: y has shape \(2, 3, 4, 1\), but the shape of x is"):
        add(x, x[..., :1])
    with pytest.raises(TypeError, match="add: y is float32 but x is float64"):
        add(x, x.astype(np.float32))
    with pytest.raises(ValueError, match="concat: xs must hold at least one array"):
        concat([])
    with pytest.raises(ValueError, match=r"concat: xs\[1\] must have 4 dimensions"):
        concat([x, x[0]])
    with pytest.raises(
        ValueError, match=r"concat: xs\[1\] has shape \(2, 3, 4, 1\), but what fits"
    ):
        concat([x, x[..., :1]])
    with pytest.raises(TypeError, match=r"concat: xs\[1\] is float32 but xs\[0\] is float64"):
        concat([x, x.astype(np.float32)])
    with pytest.raises(
        ValueError, match=r"concat_backward: channels \(1, 1\) must add up to the 3"
    ):
        concat_backward(x, [1, 1])
    with pytest.raises(ValueError, match=r"concat_backward: channels \(-1, 4\) must add up"):
        concat_backward(x, [-1, 4])
    with pytest.raises(TypeError, match="concat_backward: channels must be integers"):
        concat_backward(x, [1.5, 1.5])
