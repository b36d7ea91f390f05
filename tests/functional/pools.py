"""Pools checked against the oracle in all their forms."""

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
)

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


def with_infinities(x):
    """`x` with whole windows of -inf, where only the order of the taps decides, and some NaN."""
    x = x.copy()
    rng = np.random.default_rng(1)
    low = rng.random(x.shape) < 0.7
    x[low] = -np.inf
    x[rng.random(x.shape) < 0.02] = np.nan
    return x


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
