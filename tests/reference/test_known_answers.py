"""The plain loops and the oracle against what is known on paper."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnfast import reference
from tests import oracle
from tests.helpers import integers

BOTH = pytest.mark.parametrize("module", [reference, oracle])


@BOTH
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (112, 3, 2, 0, 55, 56),  # GoogLeNet's pools round up
        (13, 3, 2, 0, 6, 6),  # exact
        (4, 1, 5, 0, 1, 1),  # a second window would start past the end
        (3, 2, 2, 1, 2, 2),  # a third would start in the padding on the right
        (4, 2, 2, 1, 3, 3),
        (4, 3, 2, 1, 2, 3),
        (2, 2, 3, 1, 1, 1),
        (1, 1, 1, 0, 1, 1),
    ],
)
def test_pooled_size_follows_torch(module, size, kernel, stride, padding, floor, ceil):
    x = np.zeros((1, 1, 1, size))
    window = ((1, kernel), (1, stride), (0, padding))
    for ceil_mode, expected in ((False, floor), (True, ceil)):
        assert module.max_pool2d(x, *window, ceil_mode=ceil_mode)[0].shape == (1, 1, 1, expected)
        assert module.avg_pool2d(x, *window, ceil_mode=ceil_mode).shape == (1, 1, 1, expected)


@BOTH
def test_first_maximum_in_row_major_order_wins(module):
    x = np.array([[[[1.0, 7.0, 7.0], [7.0, 0.0, 7.0], [2.0, 2.0, -3.0]]]])
    y, indices = module.max_pool2d(x, 2, stride=1)
    assert y.tolist() == [[[[7.0, 7.0], [7.0, 7.0]]]]
    assert indices.tolist() == [[[[1, 1], [3, 5]]]]
    gx = module.max_pool2d_backward(np.array([[[[1.0, 2.0], [4.0, 8.0]]]]), indices, x.shape)
    assert gx.tolist() == [[[[0.0, 3.0, 0.0], [4.0, 0.0, 8.0], [0.0, 0.0, 0.0]]]]


@BOTH
def test_first_nan_wins_over_everything(module):
    x = np.array([[[[np.inf, np.nan, 1.0, np.nan]]]])
    y, indices = module.max_pool2d(x, (1, 4))
    assert np.isnan(y).all()
    assert indices.tolist() == [[[[1]]]]


@BOTH
@pytest.mark.parametrize("value", [-np.inf, -1.0, np.nan])
def test_padding_never_wins_and_a_level_window_takes_its_first_element(module, value):
    x = np.full((1, 1, 2, 3), value)
    y, indices = module.max_pool2d(x, 2, stride=1, padding=1)
    assert_array_equal(y, np.full((1, 1, 3, 4), value))
    assert indices.tolist() == [[[[0, 0, 1, 2], [0, 0, 1, 2], [3, 3, 4, 5]]]]


@BOTH
def test_average_counts_padding_but_nothing_beyond_it(module):
    y = module.avg_pool2d(np.ones((1, 1, 4, 4)), 3, 2, 1, ceil_mode=True)
    share = np.array([2 / 3, 1, 1 / 2])  # the last window: one element and one of padding
    assert_allclose(y[0, 0], np.outer(share, share), rtol=1e-15)
    x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    assert module.avg_pool2d(x, 2, ceil_mode=True).tolist() == [[[[3.0, 4.5], [7.5, 9.0]]]]


@BOTH
def test_norm_pooling(module):
    x = np.array([[[[3.0, -4.0], [0.0, 12.0]]]])
    assert module.lp_pool2d(x, 2, 2).tolist() == [[[[13.0]]]]
    assert module.lp_pool2d(x, 1, 2).tolist() == [[[[19.0]]]]
    gx = module.lp_pool2d_backward(np.array([[[[13.0]]]]), x, 2, 2)
    assert_allclose(gx, x, rtol=1e-15)
    nowhere = module.lp_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2)), 2, 2)
    assert nowhere.tolist() == [[[[0.0, 0.0], [0.0, 0.0]]]]


@BOTH
def test_dilation_spreads_the_taps(module):
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    columns = module.im2col(x, 3, dilation=2)
    assert columns[0, :, 0].tolist() == [0, 2, 4, 10, 12, 14, 20, 22, 24]
    assert module.conv2d(x, np.ones((1, 1, 3, 3)), dilation=2).item() == 108


@BOTH
def test_columns_run_channel_row_column(module):
    columns = module.im2col(np.arange(16.0).reshape(1, 2, 2, 4), (2, 3))
    assert columns[0].T.tolist() == [
        [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14],
        [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15],
    ]


def test_loops_sum_in_double_and_keep_the_dtype():
    big = np.array([2.0**24, 1.0, 1.0], np.float32)  # in single precision 2**24 + 1 = 2**24
    ones = np.ones(3, np.float32)
    image, filters = big.reshape(1, 1, 1, 3), ones.reshape(1, 1, 1, 3)
    sums = [
        reference.linear(big[None], ones[None]),
        reference.conv2d(image, filters),
        reference.conv2d_backward(image, image, filters[..., :1])[2],
        reference.lp_pool2d(image, 1, (1, 3)),
    ]
    for result in sums:
        assert result.dtype == np.float32
        assert result.item() == 2.0**24 + 2


def test_cross_entropy_of_even_scores_is_the_log_of_the_classes():
    loss, gradient = reference.cross_entropy(np.zeros((3, 10), np.float32), np.array([0, 5, 9]))
    assert loss == pytest.approx(math.log(10))
    assert gradient.dtype == np.float32
    assert_allclose(gradient.sum(1), 0, atol=1e-7)


# ---------------------------------------------------------------------------- facts in the notes


def test_notes_output_sizes():
    assert reference.output_size(227, 11, 4, 0) == 55
    assert reference.output_size(11, 5, 2, 0) == 4
    for filter_extent in (1, 3, 5, 7):  # P = (F - 1)/2 and S = 1 keep the size
        assert reference.output_size(32, filter_extent, 1, (filter_extent - 1) // 2) == 32
    assert reference.output_size(224, 2, 2, 0) == 112  # the common pool discards 75 %


def test_notes_convolution_example():
    volume, filters, bias = integers(11, 11, 4), integers(2, 5, 5, 4, seed=1), integers(2, seed=2)
    y = reference.conv2d(volume.transpose(2, 0, 1)[None], filters.transpose(0, 3, 1, 2), bias, 2)
    assert y.shape == (1, 2, 4, 4)
    for d, row, column in itertools.product(range(2), range(4), range(4)):
        patch = volume[2 * row : 2 * row + 5, 2 * column : 2 * column + 5, :]
        assert y[0, d, row, column] == np.sum(patch * filters[d]) + bias[d]


def test_notes_convolution_as_matrix_product():
    x, weight = integers(1, 3, 227, 227), integers(96, 3, 11, 11, seed=1)
    x_col, w_row = oracle.im2col(x, 11, stride=4)[0], weight.reshape(96, 363)
    assert x_col.shape == (363, 3025)
    product = (w_row @ x_col).reshape(1, 96, 55, 55)
    assert_array_equal(product, oracle.conv2d(x, weight, stride=4))

    # The loops on the top left of the image, whose outputs are the top left of all outputs.
    corner = reference.conv2d(x[:, :, :19, :15], weight[:5], stride=4)
    assert_array_equal(product[:, :5, :3, :2], corner)
