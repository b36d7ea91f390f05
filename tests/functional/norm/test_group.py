"""Normalisation of groups, instances and layers against the oracle."""

import itertools

import numpy as np
import pytest

from cnnfast.functional import (
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
    layer_norm,
    layer_norm_backward,
)
from tests import oracle
from tests.functional.norm.common import (
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
    assert_same,
    guarded,
    is_channels_last,
    numerical_gradient,
    random,
    using_threads,
)


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
