"""Batch normalisation against the oracle: every remainder, memory order, dtype, instruction set."""

import itertools
import warnings

import numpy as np
import pytest

from cnnfast.functional import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
)
from tests import oracle
from tests.functional.norm.common import (
    EPS,
    NEEDS,
    close,
    each_dtype,
    each_isa,
    each_order,
    vectors,
)
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
