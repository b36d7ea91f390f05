"""Normalisation against the oracle: every remainder, memory order, dtype and instruction set."""

import itertools
import warnings

import numpy as np
import pytest

from cnnfast.functional import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
    layer_norm,
    layer_norm_backward,
    local_response_norm,
    local_response_norm_backward,
)
from tests import oracle
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    TOLERANCE,
    assert_close,
    assert_same,
    guarded,
    is_channels_last,
    numerical_gradient,
    random,
    using_threads,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)
each_isa = pytest.mark.usefixtures("isa")

EPS = 1e-5
NEEDS = ("x", "weight", "bias")


def vectors(channels, dtype, count=2):
    """Weights, biases and the like: positive, so that they serve as variances too."""
    return [0.5 + abs(random(channels, dtype=dtype, seed=i)) for i in range(5, 5 + count)]


def close(got, want, scale=1.0):
    """Up to rounding, of numbers of the size of the largest result or of scale."""
    assert_close(got, want, np.maximum(scale, np.abs(want)), 2 * TOLERANCE[got.dtype])


def check_batch_norm(x, layout="contiguous", grad_layout=None, weighted=True):
    dtype, channels, count = x.dtype, x.shape[1], x.size // x.shape[1]
    weight, bias = vectors(channels, dtype) if weighted else (None, None)
    grad = random(*x.shape, dtype=dtype, seed=1)
    stored, g = LAYOUTS[layout](x), LAYOUTS[grad_layout or layout](grad)
    want = oracle.normalized(x, oracle.over_batch(x), EPS)
    factor = oracle.per_channel(weight if weighted else np.ones(channels), x.ndim)
    shift = oracle.per_channel(bias if weighted else np.zeros(channels), x.ndim)
    gradients = [
        want.backward(grad * factor),
        (grad * want.xhat).sum(want.axes),
        grad.sum(want.axes, dtype=np.float64),
    ]

    y, mean, var = guarded(batch_norm_train, stored, weight, bias)
    close(y, want.xhat * factor + shift)
    close(mean, want.mean.ravel())
    close(var, want.var.ravel())
    got = guarded(batch_norm_train_backward, g, stored, mean, var, weight)
    scales = [abs(factor * grad).max() / np.sqrt(want.var.min() + EPS), count**0.5, count**0.5]
    for result, expected, scale in zip(got, gradients, scales, strict=True):
        assert result.dtype == dtype
        close(result, expected, scale)
    assert y.dtype == dtype
    if x.ndim == 4:
        in_order = is_channels_last(y), is_channels_last(got[0])
        assert in_order == (is_channels_last(stored),) * 2

    mean, var = vectors(channels, dtype)
    given = [oracle.per_channel(v, x.ndim) for v in (mean, var)]
    xhat = (x - given[0]) / np.sqrt(given[1] + EPS)
    y = guarded(batch_norm, stored, mean, var, weight, bias)
    close(y, xhat * factor + shift)
    got = guarded(batch_norm_backward, g, stored, mean, var, weight)
    close(got[0], grad * factor / np.sqrt(given[1] + EPS))
    close(got[1], (grad * xhat).sum(want.axes), count**0.5)
    close(got[2], gradients[2], count**0.5)


# ---------------------------------------------------------------------------- batch norm


@each_isa
@each_dtype
@pytest.mark.parametrize("channels", [*range(1, 36), 63, 64, 65, 130, 515, 1030])
def test_every_number_of_columns(channels, dtype):
    for rows in (2, 5, 67):
        check_batch_norm(random(rows, channels, dtype=dtype), weighted=channels % 2 == 0)


@each_isa
@each_dtype
@pytest.mark.parametrize("rows", [*range(2, 24), 63, 64, 65, 66, 68, 129])
def test_every_number_of_rows(rows, dtype):
    for channels in (1, 3, 17, 140):
        check_batch_norm(random(rows, channels, dtype=dtype))


@each_isa
@each_dtype
@pytest.mark.parametrize("length", [*range(1, 36), 63, 64, 65, 79, 128, 255, 257])
def test_every_length_of_runs(length, dtype):
    check_batch_norm(random(2, 3, length, dtype=dtype))
    check_batch_norm(random(5, 2, length, dtype=dtype), weighted=False)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("shape", [(1, 2, 70, 120), (3, 2, 40, 53), (70, 3, 31, 33)])
def test_sets_of_several_blocks_and_parts(shape, order, dtype):
    check_batch_norm(random(*shape, dtype=dtype), order)


@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_batch_norm_of_any_memory(layout, dtype):
    x = random(2, 5, 7, 9, dtype=dtype)
    check_batch_norm(x, layout)
    check_batch_norm(x, layout, "channels_last")
    check_batch_norm(x, "channels_last", layout)


@each_isa
@each_dtype
@each_order
def test_a_mean_far_from_zero(order, dtype):
    """Squares of the values themselves would lose the variance."""
    for mean, seed in itertools.product((1e4, -3e3), (0, 1)):
        x = ORDERS[order]((random(8, 3, 33, 35, seed=seed) + mean).astype(dtype))
        want = oracle.normalized(x, (0, 2, 3), EPS)
        y, got_mean, var = batch_norm_train(x)
        # In float64 the mean's own rounding shows, as it has no digits to spare.
        assert_close(y, want.xhat, 1, 3e-6 if dtype == np.float32 else 1e-11)
        assert_close(var, want.var.ravel(), want.var)
        assert_close(got_mean, want.mean.ravel(), np.abs(want.mean), np.finfo(dtype).eps)


@each_isa
@each_order
def test_an_origin_far_from_the_mean(order):
    """The first elements of every channel lie apart from the rest."""
    x = random(4, 3, 100, 100, dtype=np.float32)
    x[0, :, :3] += 1000
    want = oracle.normalized(x, (0, 2, 3), EPS)
    y, mean, var = batch_norm_train(ORDERS[order](x))
    assert_close(var, want.var.ravel(), want.var, 1e-4)
    assert_close(mean, want.mean.ravel(), want.mean, 2e-5)
    assert_close(y, want.xhat, np.abs(want.xhat), 1e-4)


@each_isa
@each_dtype
@each_order
def test_constant_channels_have_no_variance(order, dtype):
    x = np.full((3, 2, 19, 31), 0.1, dtype)
    y, mean, var = batch_norm_train(ORDERS[order](x), bias=np.array([3, 4], dtype))
    assert (var == 0).all() or var.max() < 1e-14
    assert_close(mean, np.full(2, 0.1), np.ones(1))
    assert_close(y[:, 0], np.full(y[:, 0].shape, 3.0), np.ones(1), 1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch_norm_train(x, eps=0)
        x[0, 0, 0, 0] = np.nan
        y, mean, var = batch_norm_train(x)
    assert np.isnan([mean[0], var[0], *y[:, 0].ravel()]).all()
    assert not np.isnan([mean[1], var[1], *y[:, 1].ravel()]).any()


@each_dtype
@each_order
@pytest.mark.parametrize("shape", [(8, 64, 28, 28), (1, 3, 111, 113), (70, 3, 31, 33)])
def test_any_number_of_threads_gives_the_same_bits(shape, order, dtype):
    x, g = ORDERS[order](random(*shape, dtype=dtype)), random(*shape, dtype=dtype, seed=1)
    (weight,) = vectors(shape[1], dtype, 1)
    results = []
    for count in (1, 2, 3, 7):
        with using_threads(count):
            y, mean, var = batch_norm_train(x, weight)
            gradients = batch_norm_train_backward(g, x, mean, var, weight)
            results.append((y, mean, var, *gradients, batch_norm(x, mean, var)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_same(a, b)


@each_order
def test_gradients_of_batch_norm_are_derivatives(order):
    x, grad = ORDERS[order](random(3, 2, 2, 3)), random(3, 2, 2, 3, seed=1)
    weight, bias = vectors(2, np.float64)
    _, mean, var = batch_norm_train(x, eps=0.1)
    gx, gw, gb = batch_norm_train_backward(grad, x, mean, var, weight, 0.1)

    def compare(got, function, at):
        want = numerical_gradient(function, at, grad)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)

    compare(gx, lambda x: batch_norm_train(x, weight, bias, 0.1)[0], x)
    compare(gw, lambda w: batch_norm_train(x, w, bias, 0.1)[0], weight)
    compare(gb, lambda b: batch_norm_train(x, weight, b, 0.1)[0], bias)
    gx, gw, gb = batch_norm_backward(grad, x, mean, var, weight, 0.1)
    compare(gx, lambda x: batch_norm(x, mean, var, weight, bias, 0.1), x)
    compare(gw, lambda w: batch_norm(x, mean, var, w, bias, 0.1), weight)
    compare(gb, lambda b: batch_norm(x, mean, var, weight, b, 0.1), bias)


@pytest.mark.parametrize("backward", [batch_norm_backward, batch_norm_train_backward])
def test_only_the_gradients_that_are_needed(backward):
    x, mean, var = random(4, 3, 5), *vectors(3, np.float64)
    whole = backward(x, x, mean, var)
    for count in range(4):
        for needs in itertools.combinations(NEEDS, count):
            some = guarded(backward, x, x, mean, var, needs=needs)
            for name, one, other in zip(NEEDS, whole, some, strict=True):
                if name in needs:
                    assert_same(one, other)
                else:
                    assert other is None


@each_dtype
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (0, 3, 4, 5)])
def test_an_empty_batch(shape, dtype):
    x, (mean, var) = np.empty(shape, dtype), vectors(3, dtype)
    assert guarded(batch_norm, x, mean, var).shape == shape
    gx, gw, gb = guarded(batch_norm_backward, x, x, mean, var)
    assert gx.shape == shape
    assert gw.tolist() == gb.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="at least 2 values a channel"):
        batch_norm_train(x)


def test_what_batch_norm_refuses():
    x, v = random(2, 3, 4, 5), np.ones(3)
    for function in (
        lambda x, *vectors: batch_norm(x, *vectors),
        lambda x, mean, var, *rest: batch_norm_train(x, mean, var),
        lambda x, *vectors: batch_norm_backward(x, x, *vectors),
        lambda x, *vectors: batch_norm_train_backward(x, x, *vectors),
    ):
        with pytest.raises(ValueError, match=r"batch_norm\w*: x must have a shape .* got \(3,\)"):
            function(np.ones(3), v, v)
        with pytest.raises(ValueError, match=r"no empty dimension except the batch"):
            function(np.ones((2, 3, 0)), v, v)
        with pytest.raises(TypeError, match="must be float32 or float64, got int64"):
            function(np.ones((2, 3), np.int64), v, v)
        for length in (0, 1, 4):
            with pytest.raises(ValueError, match=rf"\w+ has shape \({length},\), but the number"):
                function(x, np.ones(length), v)
        with pytest.raises(TypeError, match="all arrays must have one dtype"):
            function(x, v, v.astype(np.float32))
    with pytest.raises(ValueError, match=r"batch_norm: eps must be"):
        batch_norm(x, v, v, eps=-1e-5)
    with pytest.raises(ValueError, match=r"at least 2 values a channel .* got shape \(1, 3\)"):
        batch_norm_train(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"batch_norm_backward: grad has shape"):
        batch_norm_backward(x[:1], x, v, v)
    with pytest.raises(ValueError, match="needs must be a collection"):
        batch_norm_train_backward(x, x, v, v, needs=("mean",))


# ---------------------------------------------------------------------------- groups of channels


def check_group_norm(x, groups, layout="contiguous", grad_layout=None):
    dtype, channels, count = x.dtype, x.shape[1], x.size // x.shape[1]
    weight, bias = vectors(channels, dtype)
    factor, shift = (oracle.per_channel(v, x.ndim) for v in (weight, bias))
    grad = random(*x.shape, dtype=dtype, seed=1)
    stored, g = LAYOUTS[layout](x), LAYOUTS[grad_layout or layout](grad)
    grouped = (len(x), groups, -1)
    want = oracle.normalized(x.reshape(grouped), (2,), 0.1)
    xhat = want.xhat.reshape(x.shape)
    gradients = [
        want.backward((grad * factor).reshape(grouped)).reshape(x.shape),
        (grad * xhat).sum(oracle.over_batch(x)),
        grad.sum(oracle.over_batch(x), dtype=np.float64),
    ]
    if groups == channels:
        y = guarded(instance_norm, stored, weight, bias, 0.1)
        assert_same(y, group_norm(stored, groups, weight, bias, 0.1))
        got = guarded(instance_norm_backward, g, stored, weight, 0.1)
        for one, other in zip(
            got, group_norm_backward(g, stored, groups, weight, 0.1), strict=True
        ):
            assert_same(one, other)
    else:
        y = guarded(group_norm, stored, groups, weight, bias, 0.1)
        got = guarded(group_norm_backward, g, stored, groups, weight, 0.1)
    close(y, xhat * factor + shift)
    close(group_norm(stored, groups, eps=0.1), xhat)
    for result, expected in zip(got, gradients, strict=True):
        close(result, expected, 4 * count**0.5)
    if x.ndim == 4:
        in_order = is_channels_last(y), is_channels_last(got[0])
        assert in_order == (is_channels_last(stored),) * 2


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (3, 1), (3, 3), (6, 2), (6, 3), (24, 4), (35, 5), (35, 35)]
)
def test_group_norm(channels, groups, order, dtype):
    for size in [(1, 2), (3, 5), (4, 4), (37, 41)]:
        check_group_norm(random(2, channels, *size, dtype=dtype), groups, order)


@each_dtype
def test_group_norm_of_fewer_dimensions(dtype):
    for shape in [(3, 6), (3, 6, 5), (2, 12, 1), (1, 8, 1, 1)]:
        check_group_norm(random(*shape, dtype=dtype), 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_group_norm_of_any_memory(layout):
    x = random(2, 6, 7, 9, dtype=np.float32)
    check_group_norm(x, 3, layout)
    check_group_norm(x, 6, "channels_last", layout)


@each_isa
@each_dtype
@pytest.mark.parametrize("shape", [(1,), (3,), (17,), (300,), (5, 7), (2, 3, 5)])
def test_layer_norm(shape, dtype):
    weight = 0.5 + abs(random(*shape, dtype=dtype, seed=5))
    bias = random(*shape, dtype=dtype, seed=6)
    for samples in [(), (1,), (19,), (2, 3)]:
        x, grad = random(*samples, *shape, dtype=dtype), random(*samples, *shape, dtype=dtype)
        inner = tuple(range(len(samples), x.ndim))
        outer = tuple(range(len(samples)))
        want = oracle.normalized(x, inner, 0.1)
        close(guarded(layer_norm, x, shape, weight, bias, 0.1), want.xhat * weight + bias)
        close(guarded(layer_norm, x, shape, eps=0.1), want.xhat)
        close(guarded(layer_norm, x, shape, None, bias, 0.1), want.xhat + bias)
        gx, gw, gb = guarded(layer_norm_backward, grad, x, shape, weight, 0.1)
        close(gx, want.backward(grad * weight), 8)
        close(gw, (grad * want.xhat).sum(outer), 4)
        close(gb, grad.sum(outer, dtype=np.float64), 4)
        close(layer_norm_backward(grad, x, shape, None, 0.1)[0], want.backward(grad), 8)


@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layer_norm_of_any_memory(layout, dtype):
    x, grad = random(2, 5, 7, 9, dtype=dtype), random(2, 5, 7, 9, dtype=dtype, seed=1)
    for shape in [(9,), (7, 9), (5, 7, 9)]:
        want = oracle.normalized(x, tuple(range(4 - len(shape), 4)), 1e-5)
        stored, g = LAYOUTS[layout](x), LAYOUTS[layout](grad)
        y = guarded(layer_norm, stored, shape)
        gx, _, _ = guarded(layer_norm_backward, g, stored, shape)
        close(y, want.xhat)
        close(gx, want.backward(grad), 8)
        assert is_channels_last(y) == is_channels_last(gx) == is_channels_last(stored)


@each_order
def test_gradients_of_the_others_are_derivatives(order):
    x, grad = ORDERS[order](random(2, 4, 2, 3)), random(2, 4, 2, 3, seed=1)
    weight, bias = vectors(4, np.float64)

    def compare(got, function, at):
        want = numerical_gradient(function, at, grad)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)

    gx, gw, gb = group_norm_backward(grad, x, 2, weight, 0.1)
    compare(gx, lambda x: group_norm(x, 2, weight, bias, 0.1), x)
    compare(gw, lambda w: group_norm(x, 2, w, bias, 0.1), weight)
    compare(gb, lambda b: group_norm(x, 2, weight, b, 0.1), bias)
    gx, gw, gb = instance_norm_backward(grad, x, weight, 0.1)
    compare(gx, lambda x: instance_norm(x, weight, bias, 0.1), x)
    compare(gw, lambda w: instance_norm(x, w, bias, 0.1), weight)
    weight, bias = random(2, 3, seed=2), random(2, 3, seed=3)
    gx, gw, gb = layer_norm_backward(grad, x, (2, 3), weight, 0.1)
    compare(gx, lambda x: layer_norm(x, (2, 3), weight, bias, 0.1), x)
    compare(gw, lambda w: layer_norm(x, (2, 3), w, bias, 0.1), weight)
    compare(gb, lambda b: layer_norm(x, (2, 3), weight, b, 0.1), bias)


@each_order
def test_the_others_are_the_same_for_any_number_of_threads(order):
    x, grad = ORDERS[order](random(5, 24, 37, 29)), random(5, 24, 37, 29, seed=1)
    results = []
    for count in (1, 2, 3, 7):
        with using_threads(count):
            results.append(
                (
                    group_norm(x, 3),
                    *group_norm_backward(grad, x, 3),
                    layer_norm(x, (37, 29)),
                    *layer_norm_backward(grad, x, (37, 29)),
                )
            )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_same(a, b)


def test_only_the_gradients_that_are_needed_of_the_others():
    x = random(4, 3, 5)
    for backward, arguments in [
        (group_norm_backward, (3,)),
        (instance_norm_backward, ()),
        (layer_norm_backward, (5,)),
    ]:
        whole = backward(x, x, *arguments)
        for count in range(4):
            for needs in itertools.combinations(NEEDS, count):
                some = guarded(backward, x, x, *arguments, needs=needs)
                for name, one, other in zip(NEEDS, whole, some, strict=True):
                    if name in needs:
                        assert_same(one, other)
                    else:
                        assert other is None


def test_the_others_of_an_empty_batch():
    x = np.empty((0, 4, 3, 5))
    for y in (group_norm(x, 2), instance_norm(x), layer_norm(x, 5)):
        assert y.shape == x.shape
    for gx, gw, gb in (
        group_norm_backward(x, x, 2),
        instance_norm_backward(x, x),
        layer_norm_backward(x, x, 5),
    ):
        assert gx.shape == x.shape
        assert not gw.any()
        assert not gb.any()


def test_what_the_others_refuse():
    x = random(2, 6, 3)
    for groups in (0, -1, 4, 7):
        with pytest.raises(ValueError, match=r"num_groups must divide the 6 channels of x, got"):
            group_norm(x, groups)
    with pytest.raises(TypeError, match="group_norm_backward: num_groups must be an integer"):
        group_norm_backward(x, x, 2.0)
    with pytest.raises(ValueError, match="instance_norm: weight has shape"):
        instance_norm(x, np.ones(5))
    for shape in [(6,), (3, 3), (1, 2, 6, 3)]:
        with pytest.raises(ValueError, match="does not end with normalized_shape"):
            layer_norm(x, shape)
    for shape in [(), 0, (6, 0)]:
        with pytest.raises(ValueError, match="normalized_shape must be one or more sizes"):
            layer_norm(x, shape)
    for shape in [3.0, "3", (6, 3.0), None]:
        with pytest.raises(TypeError, match="normalized_shape must be an int or a sequence"):
            layer_norm(x, shape)
    with pytest.raises(ValueError, match=r"layer_norm: bias has shape \(3,\)"):
        layer_norm(x, (6, 3), np.ones((6, 3)), np.ones(3))
    with pytest.raises(ValueError, match="layer_norm_backward: grad has shape"):
        layer_norm_backward(x[:1], x, 3)


# ---------------------------------------------------------------------------- local response norm

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
