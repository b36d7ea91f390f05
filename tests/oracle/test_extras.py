"""What the oracle takes and the loops do not: uneven padding, other divisors, any memory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnfast import reference
from tests import oracle
from tests.helpers import integers, random

UNEVEN = [((0, 1), (2, 0)), ((1, 0), (1, 1)), ((0, 0), (0, 3))]


def inner(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum())


@pytest.mark.parametrize("padding", UNEVEN)
@pytest.mark.parametrize("stride", [1, 2, (2, 3)])
def test_uneven_padding_is_padding_by_hand(padding, stride):
    x, weight = integers(2, 4, 5, 6), integers(6, 2, 3, 2, seed=1)
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    columns = oracle.im2col(x, (3, 2), stride, padding)
    assert_array_equal(columns, reference.im2col(padded, (3, 2), stride))
    y = oracle.conv2d(x, weight, None, stride, padding, groups=2)
    assert_array_equal(y, reference.conv2d(padded, weight, None, stride, groups=2))
    assert_array_equal(
        oracle.avg_pool2d(x, (3, 2), stride, padding),
        reference.avg_pool2d(padded, (3, 2), stride),
    )

    # A backward pass is the adjoint of its forward pass: <f(x), g> = <x, f_backward(g)>.
    grad = integers(*columns.shape, seed=2)
    gx = oracle.col2im(grad, (5, 6), (3, 2), stride, padding)
    assert inner(columns, grad) == inner(x, gx)
    grad = integers(*y.shape, seed=3)
    gx, gw, _ = oracle.conv2d_backward(grad, x, weight, stride, padding, groups=2)
    assert inner(y, grad) == inner(x, gx) == inner(weight, gw)


@pytest.mark.parametrize("padding", UNEVEN)
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_uneven_padding_never_wins_a_maximum(padding, ceil_mode):
    x = integers(2, 3, 5, 6) - 10  # zeros would win
    y, indices = oracle.max_pool2d(x, (3, 4), 2, padding, ceil_mode=ceil_mode)
    winners = np.take_along_axis(x.reshape(2, 3, 30), indices.reshape(2, 3, -1), axis=2)
    assert_array_equal(y, winners.reshape(y.shape))
    padded = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=-np.inf)
    oh, ow = y.shape[2:]
    assert_array_equal(
        y, reference.max_pool2d(padded, (3, 4), 2, ceil_mode=ceil_mode)[0][:, :, :oh, :ow]
    )


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_divisor_override_divides_the_window_sum(ceil_mode):
    x, ones = integers(2, 3, 6, 5), np.ones((3, 1, 3, 2))
    y = oracle.avg_pool2d(x, (3, 2), 2, 1, ceil_mode, divisor_override=7)
    # Zeros in one more row and column let rounding down reach every window of rounding up.
    more = np.pad(x, ((0, 0), (0, 0), (0, ceil_mode), (0, ceil_mode)))
    sums = reference.conv2d(more, ones, None, 2, 1, groups=3)
    oh, ow = y.shape[2:]
    assert_allclose(y, sums[:, :, :oh, :ow] / 7, rtol=1e-15)

    grad = integers(*y.shape, seed=1)
    gx = oracle.avg_pool2d_backward(grad, x.shape, (3, 2), 2, 1, ceil_mode, divisor_override=7)
    assert inner(x, gx) == pytest.approx(inner(y, grad))


def test_average_over_no_element_is_zero():
    y = oracle.avg_pool2d(np.ones((1, 1, 1, 1)), 1, 1, ((0, 0), (0, 1)), count_include_pad=False)
    assert y.tolist() == [[[[1.0, 0.0]]]]


@pytest.mark.parametrize("window", [(1, 0, 1), (2, (1, 2), 1), (1, 2, 2)])
def test_scale_bounds_the_rounding_of_a_convolution(window):
    x, weight, bias = (
        random(*shape, seed=seed).astype(np.float32)
        for seed, shape in enumerate([(2, 4, 7, 8), (6, 2, 3, 3), (6,)])
    )
    exact = oracle.conv2d(x, weight, bias, *window, groups=2)
    scale = oracle.conv2d_scale(x, weight, bias, *window, groups=2)
    assert (np.abs(exact) <= scale).all()
    single = reference.conv2d(x, weight, bias, *window, groups=2)
    assert (np.abs(single - exact) <= np.finfo(np.float32).eps * scale).all()
    # All products of one sign: nothing cancels.
    positive = oracle.conv2d(abs(x), abs(weight), abs(bias), *window, groups=2)
    assert_array_equal(scale, positive)


def test_oracle_reads_any_memory():
    base = integers(4, 5, 12, 3).astype(np.float32)
    base.setflags(write=False)
    x = base.transpose(0, 3, 2, 1)[::-2, :, ::2, ::-1]
    copy = np.array(x, np.float64, order="C")
    assert_array_equal(oracle.im2col(x, 2), oracle.im2col(copy, 2))
    assert_array_equal(oracle.conv2d(x, x), oracle.conv2d(copy, copy))
    for strided, plain in zip(oracle.max_pool2d(x, 2), oracle.max_pool2d(copy, 2), strict=True):
        assert_array_equal(strided, plain)
