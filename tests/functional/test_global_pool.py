"""Pooling of the whole image against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.functional import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    max_pool2d,
)
from tests import oracle
from tests.functional.pools import (
    check_avg_pool,
    each_dtype,
    each_isa,
    each_order,
    with_infinities,
)
from tests.helpers import (
    DENSE_CHANNELS_LAST,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    random,
    sizes,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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
