"""The NumPy peer must be right before it is raced."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnfast.cli.race import vectorised
from tests import oracle

WINDOWS = list(
    itertools.product([(5, 7), (6, 6)], [1, 2, (3, 2)], [1, 2, (3, 1)], [0, 1, (2, 0)], [1, (1, 2)])
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), WINDOWS)
def test_columns(size, kernel, stride, padding, dilation):
    x = normal(2, 3, *size)
    columns = vectorised.im2col(x, kernel, stride, padding, dilation)
    assert_array_equal(columns, oracle.im2col(x, kernel, stride, padding, dilation))
    columns = normal(*columns.shape)
    image = vectorised.col2im(columns, size, kernel, stride, padding, dilation)
    assert image.flags.c_contiguous
    expected = oracle.col2im(columns, size, kernel, stride, padding, dilation)
    assert_allclose(image, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), WINDOWS)
@pytest.mark.parametrize("cache", [1, 10**6])
def test_conv2d(monkeypatch, cache, size, kernel, stride, padding, dilation, groups):
    monkeypatch.setattr(vectorised, "CACHE", cache)
    x, bias = normal(3, 4, *size), normal(6, seed=1)
    weight = normal(6, 4 // groups, *oracle.two(kernel), seed=2)
    how = (stride, padding, dilation, groups)
    y = vectorised.conv2d(x, weight, bias, *how)
    assert y.flags.c_contiguous
    assert_allclose(y, oracle.conv2d(x, weight, bias, *how), rtol=1e-11, atol=1e-11)
    grad = normal(*y.shape, seed=3)
    actual = vectorised.conv2d_backward(grad, x, weight, *how)
    for got, expected in zip(actual, oracle.conv2d_backward(grad, x, weight, *how), strict=True):
        assert got.flags.c_contiguous
        assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("stride", [None, 1, 2, (3, 2)])
@pytest.mark.parametrize(("kernel", "padding", "dilation"), [(2, 0, 1), (3, 1, 1), ((2, 3), 1, 2)])
@pytest.mark.parametrize("size", [(6, 8), (7, 7)])
def test_max_pool2d(size, kernel, stride, padding, dilation, ceil_mode):
    x = np.random.default_rng(0).integers(0, 4, (2, 3, *size)).astype(float)  # many ties
    x[0, 0, 2, 3] = x[0, 0, 3, 3] = np.nan
    x[1, 0] = -np.inf
    how = (kernel, stride, padding, dilation, ceil_mode)
    y, indices = oracle.max_pool2d(x, *how)
    assert_array_equal(vectorised.max_pool2d(x, *how), y)
    actual, positions = vectorised.max_pool2d(x, *how, return_indices=True)
    assert_array_equal(actual, y)
    ordinary = y != -np.inf  # of windows that hold nothing else any place is as good
    assert_array_equal(positions[ordinary], indices[ordinary])
    grad = normal(*y.shape)
    gx = vectorised.max_pool2d_backward(grad, indices, x.shape)
    expected = oracle.max_pool2d_backward(grad, indices, x.shape)
    assert_allclose(gx, expected, rtol=1e-12, atol=1e-12)


def test_inputs_stay_as_they_were():
    x = normal(1, 2, 4, 4)
    before = x.copy()
    x.flags.writeable = False
    vectorised.max_pool2d(x, 1)[...] = 0
    vectorised.conv2d(x, np.ones((2, 2, 1, 1)), np.ones(2))
    assert_array_equal(x, before)
