"""The vectorised oracle against the plain loops.

Data are small integers wherever an operation only adds and multiplies: then every order of
summation gives the same bits, and the two must agree exactly.
"""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnfast import reference
from tests import oracle
from tests.helpers import integers, random

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
    x, grad, settings = random(2, 6, 2, 3), random(2, 6, 2, 3, seed=1), (size, 0.7, 0.75, 1.5)
    y = reference.local_response_norm(x, *settings)
    assert_allclose(oracle.local_response_norm(x, *settings), y, atol=1e-12)
    gx = reference.local_response_norm_backward(grad, x, *settings)
    got = oracle.local_response_norm_backward(grad, x, *settings)
    assert_allclose(got, gx, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (3, 2, 2, 3)])
def test_batch_norm_matches_the_loops(shape):
    x, grad, eps = random(*shape), random(*shape, seed=1), 0.1
    weight, bias = random(shape[1], seed=2), random(shape[1], seed=3)
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
    x = random(2, 2, *size)
    x[0, 0] = 0.0
    y = reference.lp_pool2d(x, norm_type, kernel, stride)
    assert_allclose(oracle.lp_pool2d(x, norm_type, kernel, stride), y, rtol=1e-13)

    grad = random(*y.shape, seed=1)
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
    x = np.concatenate([[0.0, -0.0, np.nan, 1e-300, 3.0, -3.0, 6.0], 3 * random(50)])
    if name in ("relu", "leaky_relu", "relu6", "sigmoid", "tanh", "elu", "hardsigmoid"):
        x = np.concatenate([x, [np.inf, -np.inf, -700.0, 800.0, -800.0]])
    y = getattr(reference, name)(x, **arguments)
    assert_allclose(getattr(oracle, name)(x, **arguments), y, rtol=1e-12, atol=1e-14)

    grad, backward = random(x.size, seed=1), f"{name}_backward"
    assert_allclose(
        getattr(oracle, backward)(grad, x, **arguments),
        getattr(reference, backward)(grad, x, **arguments),
        rtol=1e-12,
        atol=1e-14,  # where tanh rounds to 1 the loops' 1 - tanh**2 has no digits left
    )


def test_prelu_matches_the_loops():
    x, grad, weight = random(9, 4), random(9, 4, seed=1), random(4, seed=2)
    assert_allclose(oracle.prelu(x, weight), reference.prelu(x, weight), rtol=1e-14)
    expected = reference.prelu_backward(grad, x, weight)
    for actual, loops in zip(oracle.prelu_backward(grad, x, weight), expected, strict=True):
        assert_allclose(actual, loops, rtol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_matches_the_loops(name):
    x = 5 * random(6, 7)
    x[1] += 1e4
    x[2] = 0.0
    x[3, 0] = -np.inf
    x[4, 1] = np.nan
    y = getattr(reference, name)(x)
    assert_allclose(getattr(oracle, name)(x), y, rtol=1e-12, atol=1e-14)
    assert_allclose(getattr(oracle, name)(x.T, 0), y.T, rtol=1e-12, atol=1e-14)

    grad, backward = random(*x.shape, seed=1), f"{name}_backward"
    expected = getattr(reference, backward)(grad, x)
    assert_allclose(getattr(oracle, backward)(grad, x), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge_loss"])
@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (1, 2), (5, 3), (4, 10)])
def test_loss_matches_the_loops(name, batch, classes):
    scores = 3 * random(batch, classes)
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
