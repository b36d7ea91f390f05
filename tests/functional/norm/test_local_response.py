"""Local response normalisation against the oracle."""

import numpy as np
import pytest

from cnnfast.functional import (
    local_response_norm,
    local_response_norm_backward,
)
from tests import oracle
from tests.functional.norm.common import each_dtype, each_isa, each_order
from tests.helpers import (
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    is_channels_last,
    numerical_gradient,
    random,
    using_threads,
)

ALEXNET = (5, 5e-4, 0.75, 2.0)
STRONG = (5, 30.0, 0.75, 1.0)


def check_local_response_norm(x, settings, layout="contiguous", grad_layout=None):
    stored = LAYOUTS[layout](x)
    y = guarded(local_response_norm, stored, *settings)
    want = oracle.local_response_norm(x, *settings)
    assert_close(y, want, np.abs(want))
    grad = random(*x.shape, dtype=x.dtype, seed=1)
    gx = guarded(
        local_response_norm_backward, LAYOUTS[grad_layout or layout](grad), stored, *settings
    )
    want = oracle.local_response_norm_backward(grad, x, *settings)
    assert_close(gx, want, np.abs(want))
    assert y.dtype == gx.dtype == x.dtype
    if x.ndim == 4:
        assert is_channels_last(y) == is_channels_last(gx) == is_channels_last(stored)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 40])
def test_every_number_of_channels_in_a_window(size, order, dtype):
    for channels in (1, 2, 3, 7, 8, 9, 15, 16, 17, 33):
        x = random(2, channels, 3, 5, dtype=dtype)
        check_local_response_norm(x, (size, 3.0, 0.75, 1.0), order)


@each_isa
@each_dtype
def test_every_number_of_pixels_in_a_block(dtype):
    for pixels in (*range(1, 36), 63, 64, 65, 70, 79, 80, 81, 128, 200):
        check_local_response_norm(random(2, 6, pixels, dtype=dtype), STRONG)


@each_isa
@each_dtype
@pytest.mark.parametrize(
    "settings", [ALEXNET, STRONG, (3, 0, 0.75, 0.1), (3, 1, 0, 7), (4, 9, 2, 3)]
)
def test_factors_and_exponents(settings, dtype):
    for scale in (1e-6, 1, 30, 1e4):
        check_local_response_norm(random(2, 20, 5, 7, dtype=dtype) * dtype(scale), settings)


@each_isa
@each_dtype
def test_powers_are_accurate(dtype):
    """Over many orders of magnitude, and around the seams of the logarithm."""
    base = np.concatenate([np.logspace(-36, 36, 145), 2.0 ** np.arange(-20, 20), [0.70710678]])
    one, eps = np.ones((1, 1, 1), dtype), np.finfo(dtype).eps
    for beta in (0.5, 0.75, 1, 1.3, 2.5):
        for k in np.concatenate([base * (1 - 1e-6), base, base * (1 + 1e-6)]):
            y = float(local_response_norm(one, 1, 0, beta, k)[0, 0, 0])
            want = float(dtype(k)) ** -beta
            if want > float(np.finfo(dtype).max):
                assert y == np.inf
            elif want < float(np.finfo(dtype).tiny):
                assert y <= np.finfo(dtype).tiny
            else:
                assert abs(y / want - 1) <= eps * (2 + abs(np.log2(want)) / 2)


@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_local_response_norm_of_any_memory(layout, dtype):
    x = random(2, 5, 7, 9, dtype=dtype)
    check_local_response_norm(x, STRONG, layout)
    check_local_response_norm(x, STRONG, layout, "channels_last")
    check_local_response_norm(x, STRONG, "channels_last", layout)


@each_isa
@each_dtype
@each_order
def test_local_response_of_no_number(order, dtype):
    x = ORDERS[order](np.ones((1, 9, 3, 7), dtype))
    x[0, 4, 1, 2], x[0, 4, 2, 3] = np.inf, np.nan
    y = local_response_norm(x, 3, 1.0)
    assert np.isnan(y[0, 4, 1, 2])
    assert y[0, [3, 5], 1, 2].tolist() == [0, 0]
    assert np.isnan(y[0, 3:6, 2, 3]).all()
    assert np.isnan(y).sum() == 4


@each_dtype
@each_order
def test_local_response_is_the_same_for_any_number_of_threads(order, dtype):
    x, grad = ORDERS[order](random(3, 24, 37, 29, dtype=dtype)), random(3, 24, 37, 29, dtype=dtype)
    results = []
    for count in (1, 2, 3, 7):
        with using_threads(count):
            y = local_response_norm(x, *STRONG)
            results.append((y, local_response_norm_backward(grad, x, *STRONG)))
    for other in results[1:]:
        assert_same(results[0][0], other[0])
        assert_same(results[0][1], other[1])


def test_gradient_of_local_response_norm_is_the_derivative():
    x, grad = random(2, 6, 2, 2), random(2, 6, 2, 2, seed=1)
    for size in (1, 2, 5):
        settings = (size, 3.0, 0.75, 0.5)
        want = numerical_gradient(lambda x, s=settings: local_response_norm(x, *s), x, grad)
        got = local_response_norm_backward(grad, x, *settings)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


def test_local_response_norm_of_an_empty_batch():
    x = np.empty((0, 3, 4, 5), np.float32)
    assert guarded(local_response_norm, x, 5).shape == x.shape
    assert guarded(local_response_norm_backward, x, x, 5).shape == x.shape


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, r"size must lie in 1\.\..*, got 0"),
        ((2.0,), TypeError, "size must be an integer, got 2.0"),
        ((5, -1), ValueError, "alpha must be in 0"),
        ((5, 1, -0.5), ValueError, "beta must be in 0"),
        ((5, 1, 1, 0), ValueError, "k must be greater than 0, got 0"),
        ((5, 1, 1, np.nan), ValueError, "k must be finite"),
    ],
)
def test_what_local_response_norm_refuses(arguments, error, message):
    x = random(1, 3, 4)
    with pytest.raises(error, match=f"local_response_norm: {message}"):
        local_response_norm(x, *arguments)
    with pytest.raises(error, match=f"local_response_norm_backward: {message}"):
        local_response_norm_backward(x, x, *arguments)
    with pytest.raises(ValueError, match=r"x must have a shape \(N, C, L\) or \(N, C, H, W\), got"):
        local_response_norm(x[0], 5)
    with pytest.raises(ValueError, match="grad has shape"):
        local_response_norm_backward(x[:, :2], x, 5)
