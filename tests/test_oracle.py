"""The vectorised oracle against the plain loops, and both against what is known on paper.

Data are small integers wherever an operation only adds and multiplies: then every order of
summation gives the same bits, and the two must agree exactly.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnfast import reference
from tests import oracle

SIZES = [(1, 1), (5, 7), (6, 4)]
KERNELS = [1, 2, (3, 2), (1, 4)]
STRIDES = [1, 2, (3, 1)]
PADDINGS = [0, 1, (2, 0)]
DILATIONS = [1, 2, (1, 3)]


def fits(size, kernel, stride, padding, dilation) -> bool:
    """Tell whether the window goes into the padded input at least once."""
    pairs = map(reference.pair, (kernel, stride, padding, dilation))
    axes = zip(size, *pairs, strict=True)
    return all(reference.output_size(*axis) >= 1 for axis in axes)


def may_pool(size, kernel, stride, padding, dilation) -> bool:
    """Tell whether the padding is at most half the window, as torch demands of pools."""
    extents = zip(reference.pair(padding), reference.pair(kernel), strict=True)
    return all(2 * p <= k for p, k in extents)


CONVOLUTIONS = [
    case for case in itertools.product(SIZES, KERNELS, STRIDES, PADDINGS, DILATIONS) if fits(*case)
]
POOLINGS = [case for case in CONVOLUTIONS if may_pool(*case)]


def integers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float64)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# ---------------------------------------------------------------------------- against the loops


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), CONVOLUTIONS)
def test_columns_match_the_loops(size, kernel, stride, padding, dilation):
    window = (kernel, stride, padding, dilation)
    x = integers(2, 3, *size)
    columns = reference.im2col(x, *window)
    assert_array_equal(oracle.im2col(x, *window), columns)

    columns = integers(*columns.shape, seed=1)
    assert_array_equal(
        oracle.col2im(columns, size, *window), reference.col2im(columns, size, *window)
    )


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), CONVOLUTIONS)
def test_convolution_matches_the_loops(size, kernel, stride, padding, dilation):
    window = (stride, padding, dilation)
    x, bias = integers(2, 2, *size), integers(3, seed=1)
    weight = integers(3, 2, *reference.pair(kernel), seed=2)
    y = reference.conv2d(x, weight, bias, *window)
    assert_array_equal(oracle.conv2d(x, weight, bias, *window), y)
    assert_array_equal(oracle.conv2d(x, weight, None, *window), y - bias[:, None, None])

    grad = integers(*y.shape, seed=3)
    expected = reference.conv2d_backward(grad, x, weight, *window)
    for actual, loops in zip(
        oracle.conv2d_backward(grad, x, weight, *window), expected, strict=True
    ):
        assert_array_equal(actual, loops)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 11])
def test_local_response_norm_matches_the_loops(size):
    x, grad, settings = normal(2, 6, 2, 3), normal(2, 6, 2, 3, seed=1), (size, 0.7, 0.75, 1.5)
    y = reference.local_response_norm(x, *settings)
    assert_allclose(oracle.local_response_norm(x, *settings), y, atol=1e-12)
    gx = reference.local_response_norm_backward(grad, x, *settings)
    got = oracle.local_response_norm_backward(grad, x, *settings)
    assert_allclose(got, gx, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (3, 2, 2, 3)])
def test_batch_norm_matches_the_loops(shape):
    x, grad, eps = normal(*shape), normal(*shape, seed=1), 0.1
    weight, bias = normal(shape[1], seed=2), normal(shape[1], seed=3)
    factor, shift = (oracle.per_channel(v, len(shape)) for v in (weight, bias))
    got = oracle.normalized(x, oracle.over_batch(x), eps)
    y = reference.batch_norm_train(x, weight, bias, eps)
    assert_allclose(got.xhat * factor + shift, y, atol=1e-12)
    moments = got.mean.ravel(), got.var.ravel()
    assert_allclose(reference.batch_norm(x, *moments, weight, bias, eps), y, atol=1e-12)

    gx, gw, gb = reference.batch_norm_train_backward(grad, x, weight, eps)
    assert_allclose(got.backward(grad * factor), gx, atol=1e-12)
    assert_allclose((grad * got.xhat).sum(got.axes), gw, atol=1e-12)
    assert_allclose(grad.sum(got.axes), gb, atol=1e-12)


@pytest.mark.parametrize(("channels", "filters", "groups"), [(4, 6, 2), (6, 3, 3), (3, 6, 3)])
@pytest.mark.parametrize("window", [(1, 0, 1), (2, 1, 1), ((1, 2), (0, 2), (2, 1))])
def test_grouped_convolution_matches_the_loops(channels, filters, groups, window):
    x, bias = integers(2, channels, 6, 5), integers(filters, seed=1)
    weight = integers(filters, channels // groups, 3, 2, seed=2)
    y = reference.conv2d(x, weight, bias, *window, groups)
    assert_array_equal(oracle.conv2d(x, weight, bias, *window, groups), y)

    grad = integers(*y.shape, seed=3)
    expected = reference.conv2d_backward(grad, x, weight, *window, groups)
    for actual, loops in zip(
        oracle.conv2d_backward(grad, x, weight, *window, groups), expected, strict=True
    ):
        assert_array_equal(actual, loops)


def holds_input(size, kernel, stride, padding, dilation) -> bool:
    """Tell whether every window has a tap on the input: dilated taps can step over a small one."""
    columns = reference.im2col(np.ones((1, 1, *size)), kernel, stride, padding, dilation)
    return bool(columns.any(axis=1).all())


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), POOLINGS)
def test_max_pooling_matches_the_loops(size, kernel, stride, padding, dilation, ceil_mode):
    window = (kernel, stride, padding, dilation, ceil_mode)
    x = integers(2, 3, *size)  # nine values: ties everywhere
    x[0, 0, :, ::2] = -np.inf
    x[1, 0] = -np.inf
    x[0, 1].flat[::3] = np.nan
    x[1, 1] = np.nan
    if not holds_input(size, kernel, stride, padding, dilation):
        for pool in (reference.max_pool2d, oracle.max_pool2d):
            with pytest.raises(ValueError, match="covers only padding"):
                pool(x, *window)
        return
    y, indices = reference.max_pool2d(x, *window)
    actual, actual_indices = oracle.max_pool2d(x, *window)
    assert_array_equal(actual, y)
    assert_array_equal(actual_indices, indices)
    assert actual_indices.dtype == indices.dtype == np.int64

    grad = integers(*y.shape, seed=1)
    assert_array_equal(
        oracle.max_pool2d_backward(grad, indices, x.shape),
        reference.max_pool2d_backward(grad, indices, x.shape),
    )


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [case[:4] for case in POOLINGS if case[4] == 1],
)
def test_average_pooling_matches_the_loops(
    size, kernel, stride, padding, ceil_mode, count_include_pad
):
    window = (kernel, stride, padding, ceil_mode, count_include_pad)
    x = integers(2, 2, *size)
    y = reference.avg_pool2d(x, *window)
    assert_array_equal(oracle.avg_pool2d(x, *window), y)

    grad = integers(*y.shape, seed=1)
    assert_allclose(
        oracle.avg_pool2d_backward(grad, x.shape, *window),
        reference.avg_pool2d_backward(grad, x.shape, *window),
        rtol=1e-14,
        atol=1e-14,
    )


@pytest.mark.parametrize("norm_type", [1, 1.2, 2, 3, 4])
@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [case[:3] for case in POOLINGS if case[3:] == (0, 1)]
)
def test_lp_pooling_matches_the_loops(size, kernel, stride, norm_type):
    x = normal(2, 2, *size)
    x[0, 0] = 0.0
    y = reference.lp_pool2d(x, norm_type, kernel, stride)
    assert_allclose(oracle.lp_pool2d(x, norm_type, kernel, stride), y, rtol=1e-13)

    grad = normal(*y.shape, seed=1)
    assert_allclose(
        oracle.lp_pool2d_backward(grad, x, norm_type, kernel, stride),
        reference.lp_pool2d_backward(grad, x, norm_type, kernel, stride),
        rtol=1e-11,
        atol=1e-13,
    )


@pytest.mark.parametrize("pool", ["max_pool2d", "avg_pool2d", "lp_pool2d"])
def test_pooling_stride_defaults_to_the_window(pool):
    x = integers(1, 2, 7, 6)
    norm = (2,) if pool == "lp_pool2d" else ()
    for module in (reference, oracle):
        function = getattr(module, pool)
        assert_array_equal(function(x, *norm, (3, 2)), function(x, *norm, (3, 2), (3, 2)))


def test_empty_batch_gives_empty_results():
    x, weight, bias = np.zeros((0, 4, 5, 6)), integers(6, 2, 3, 3), integers(6)
    for module in (reference, oracle):
        columns = module.im2col(x, 3)
        assert columns.shape == (0, 36, 12)
        assert module.col2im(columns, (5, 6), 3).shape == x.shape
        y = module.conv2d(x, weight, bias, groups=2)
        assert y.shape == (0, 6, 3, 4)
        gx, gw, gb = module.conv2d_backward(y, x, weight, groups=2)
        assert gx.shape == x.shape
        assert not gw.any()
        assert not gb.any()
        y, indices = module.max_pool2d(x, 2)
        assert y.shape == indices.shape == (0, 4, 2, 3)
        assert module.max_pool2d_backward(y, indices, x.shape).shape == x.shape
        assert module.avg_pool2d(x, 2).shape == y.shape
        assert module.avg_pool2d_backward(y, x.shape, 2).shape == x.shape
        assert module.lp_pool2d(x, 2, 2).shape == y.shape
        assert module.lp_pool2d_backward(y, x, 2, 2).shape == x.shape


@pytest.mark.parametrize(("batch", "inputs", "neurons"), [(1, 1, 1), (3, 5, 2), (0, 4, 3)])
def test_linear_matches_the_loops(batch, inputs, neurons):
    x, weight, bias = (
        integers(batch, inputs),
        integers(neurons, inputs, seed=1),
        integers(neurons, seed=2),
    )
    assert_array_equal(oracle.linear(x, weight, bias), reference.linear(x, weight, bias))
    assert_array_equal(oracle.linear(x, weight), reference.linear(x, weight))

    grad = integers(batch, neurons, seed=3)
    expected = reference.linear_backward(grad, x, weight)
    for actual, loops in zip(oracle.linear_backward(grad, x, weight), expected, strict=True):
        assert_array_equal(actual, loops)


ACTIVATIONS = [
    ("relu", {}),
    ("leaky_relu", {}),
    ("relu6", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("elu", {}),
    ("elu", {"alpha": -0.3}),
    ("selu", {}),
    ("silu", {}),
    ("softplus", {}),
    ("softplus", {"beta": 3.0, "threshold": 2.0}),
    ("softplus", {"beta": -0.5}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
]


@pytest.mark.parametrize(("name", "arguments"), ACTIVATIONS)
def test_activation_matches_the_loops(name, arguments):
    x = np.concatenate([[0.0, -0.0, np.nan, 1e-300, 3.0, -3.0, 6.0], 3 * normal(50)])
    if name in ("relu", "leaky_relu", "relu6", "sigmoid", "tanh", "elu", "hardsigmoid"):
        x = np.concatenate([x, [np.inf, -np.inf, -700.0, 800.0, -800.0]])
    y = getattr(reference, name)(x, **arguments)
    assert_allclose(getattr(oracle, name)(x, **arguments), y, rtol=1e-12, atol=1e-14)

    grad, backward = normal(x.size, seed=1), f"{name}_backward"
    assert_allclose(
        getattr(oracle, backward)(grad, x, **arguments),
        getattr(reference, backward)(grad, x, **arguments),
        rtol=1e-12,
        atol=1e-14,  # where tanh rounds to 1 the loops' 1 - tanh**2 has no digits left
    )


def test_prelu_matches_the_loops():
    x, grad, weight = normal(9, 4), normal(9, 4, seed=1), normal(4, seed=2)
    assert_allclose(oracle.prelu(x, weight), reference.prelu(x, weight), rtol=1e-14)
    expected = reference.prelu_backward(grad, x, weight)
    for actual, loops in zip(oracle.prelu_backward(grad, x, weight), expected, strict=True):
        assert_allclose(actual, loops, rtol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_matches_the_loops(name):
    x = 5 * normal(6, 7)
    x[1] += 1e4
    x[2] = 0.0
    x[3, 0] = -np.inf
    x[4, 1] = np.nan
    y = getattr(reference, name)(x)
    assert_allclose(getattr(oracle, name)(x), y, rtol=1e-12, atol=1e-14)
    assert_allclose(getattr(oracle, name)(x.T, 0), y.T, rtol=1e-12, atol=1e-14)

    grad, backward = normal(*x.shape, seed=1), f"{name}_backward"
    expected = getattr(reference, backward)(grad, x)
    assert_allclose(getattr(oracle, backward)(grad, x), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge_loss"])
@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (1, 2), (5, 3), (4, 10)])
def test_loss_matches_the_loops(name, batch, classes):
    scores = 3 * normal(batch, classes)
    labels = np.random.default_rng(1).integers(0, classes, batch)
    loss, gradient = getattr(reference, name)(scores, labels)
    actual, actual_gradient = getattr(oracle, name)(scores, labels)
    assert actual == pytest.approx(loss, rel=1e-13, abs=1e-14)
    assert_allclose(actual_gradient, gradient, rtol=1e-12, atol=1e-14)


def test_hinge_loss_has_no_slope_where_the_margin_is_just_met():
    scores, labels = np.array([[2.0, 1.0, 3.0]]), np.array([2])
    for module in (reference, oracle):
        loss, gradient = module.hinge_loss(scores, labels)
        assert (loss, gradient.tolist()) == (0.0, [[0.0, 0.0, 0.0]])
        loss, gradient = module.hinge_loss(scores, labels, margin=1.5)
        assert (loss, gradient.tolist()) == (0.5, [[1.0, 0.0, -1.0]])


# ---------------------------------------------------------------------------- the oracle's extras

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
        normal(*shape, seed=seed).astype(np.float32)
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


# ---------------------------------------------------------------------------- known answers

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


# ---------------------------------------------------------------------------- loops: gradients


def check_gradient(
    forward: Callable[[np.ndarray], np.ndarray], x: np.ndarray, grad: np.ndarray, gx: np.ndarray
) -> None:
    """Compare `gx` with central differences of <forward(x), grad>."""
    step, numerical = 1e-5, np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        change = np.sum((forward(x + shift) - forward(x - shift)) * grad)
        numerical[index] = change / (2 * step)
    assert gx.shape == x.shape
    assert_allclose(gx, numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 1, 1, 2), ((1, 2), (2, 0), (2, 1), 1), (1, 1, 1, 2)],
)
def test_gradient_of_convolution(stride, padding, dilation, groups):
    window = (stride, padding, dilation, groups)
    x, weight, bias = normal(2, 2, 5, 4), normal(2, 2 // groups, 2, 3, seed=1), normal(2, seed=2)
    grad = normal(*reference.conv2d(x, weight, bias, *window).shape, seed=3)
    gx, gw, gb = reference.conv2d_backward(grad, x, weight, *window)
    check_gradient(lambda x: reference.conv2d(x, weight, bias, *window), x, grad, gx)
    check_gradient(lambda w: reference.conv2d(x, w, bias, *window), weight, grad, gw)
    check_gradient(lambda b: reference.conv2d(x, weight, b, *window), bias, grad, gb)


@pytest.mark.parametrize("window", [(2, 1, 0, 1), ((3, 2), 2, 1, 1), (2, (1, 2), 1, 2)])
def test_gradient_of_columns(window):
    x = normal(2, 2, 4, 5)
    grad = normal(*reference.im2col(x, *window).shape, seed=1)
    gx = reference.col2im(grad, (4, 5), *window)
    check_gradient(lambda x: reference.im2col(x, *window), x, grad, gx)
    check_gradient(
        lambda columns: reference.col2im(columns, (4, 5), *window),
        grad,
        x,
        reference.im2col(x, *window),
    )


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("window", [(2, None, 0), (3, 2, 1), ((2, 3), 1, (1, 0))])
def test_gradient_of_pooling(window, ceil_mode):
    x = (
        np.random.default_rng(0).permutation(60).astype(np.float64).reshape(1, 2, 6, 5)
    )  # no ties to cross
    y, indices = reference.max_pool2d(x, *window, ceil_mode=ceil_mode)
    grad = normal(*y.shape, seed=1)
    gx = reference.max_pool2d_backward(grad, indices, x.shape)
    check_gradient(lambda x: reference.max_pool2d(x, *window, ceil_mode=ceil_mode)[0], x, grad, gx)
    for include in (True, False):
        gx = reference.avg_pool2d_backward(grad, x.shape, *window, ceil_mode, include)
        check_gradient(
            lambda x, include=include: reference.avg_pool2d(x, *window, ceil_mode, include),
            x,
            grad,
            gx,
        )


@pytest.mark.parametrize("norm_type", [1, 1.5, 2, 3])
@pytest.mark.parametrize("window", [(2, None), (3, 2), ((1, 2), 1)])
def test_gradient_of_norm_pooling(norm_type, window):
    x = np.abs(normal(1, 2, 5, 4)) + 0.1
    if norm_type == 2:
        x *= np.sign(normal(*x.shape, seed=2))
    grad = normal(*reference.lp_pool2d(x, norm_type, *window).shape, seed=1)
    gx = reference.lp_pool2d_backward(grad, x, norm_type, *window)
    check_gradient(lambda x: reference.lp_pool2d(x, norm_type, *window), x, grad, gx)


def test_gradient_of_linear():
    x, weight, bias, grad = normal(3, 4), normal(2, 4, seed=1), normal(2, seed=2), normal(3, 2)
    gx, gw, gb = reference.linear_backward(grad, x, weight)
    check_gradient(lambda x: reference.linear(x, weight, bias), x, grad, gx)
    check_gradient(lambda w: reference.linear(x, w, bias), weight, grad, gw)
    check_gradient(lambda b: reference.linear(x, weight, b), bias, grad, gb)


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax"]
)
def test_gradient_of_elementwise_functions(name):
    x, grad = normal(4, 5), normal(4, 5, seed=1)
    gx = getattr(reference, f"{name}_backward")(grad, x)
    check_gradient(getattr(reference, name), x, grad, gx)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge_loss"])
def test_gradient_of_losses(name):
    scores, labels = normal(4, 3), np.array([0, 2, 1, 1])
    loss = getattr(reference, name)
    check_gradient(
        lambda s: np.array(loss(s, labels)[0]), scores, np.array(1.0), loss(scores, labels)[1]
    )


# ---------------------------------------------------------------------------- loops: arithmetic


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
