"""Pooling by norms against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.functional import (
    lp_pool2d,
    lp_pool2d_backward,
)
from tests import oracle
from tests.functional.pools import (
    each_dtype,
    each_isa,
    each_order,
)
from tests.helpers import (
    ORDERS,
    assert_close,
    guarded,
    is_channels_last,
    random,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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
