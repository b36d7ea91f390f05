"""Adaptive pooling against the plain loops."""

import itertools

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import nn, reference
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_close,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    numerical_gradient,
    random,
    using_threads,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)
# Equal windows, side by side or overlapping (7 to 3), unequal ones, more outputs than inputs.
SIZES = [
    ((6, 8), (3, 2)),
    ((7, 7), (3, 3)),
    ((7, 9), (2, 4)),
    ((8, 10), (7, 7)),
    ((6, 5), (7, 9)),
    ((1, 4), (3, 3)),
    ((5, 6), (5, 6)),
    ((5, 6), (1, 1)),
    ((5, 6), (1, 4)),
    ((13, 1), (6, 1)),
]
each_size = pytest.mark.parametrize(("size", "out"), SIZES)


@each_dtype
@each_order
@each_size
def test_average(size, out, order, dtype):
    x = random(2, 3, *size, dtype=dtype)
    stored = ORDERS[order](x)
    y = guarded(F.adaptive_avg_pool2d, stored, out)
    assert_close(y, reference.adaptive_avg_pool2d(x, out), 3)
    assert y.dtype == dtype
    grad = random(*y.shape, dtype=dtype, seed=1)
    want = reference.adaptive_avg_pool2d_backward(grad, x.shape)
    for other in ORDERS.values():
        gx = guarded(F.adaptive_avg_pool2d_backward, other(grad), stored, out)
        assert_close(gx, want, 10)
        assert is_channels_last(gx) == is_channels_last(stored)


@each_dtype
@each_order
@each_size
@pytest.mark.parametrize("make", [random, integers])
def test_maximum(make, size, out, order, dtype):
    x = make(2, 3, *size, dtype=dtype)
    x[0, 1] = np.where(random(*size) > 1, np.nan, x[0, 1])
    x[0, 2] = -np.inf
    want, at = reference.adaptive_max_pool2d(x, out)
    stored = ORDERS[order](x)
    y, indices = guarded(F.adaptive_max_pool2d, stored, out, return_indices=True)
    assert_same(y, want)
    assert_same(indices, at)
    assert indices.dtype == np.int64
    assert_same(guarded(F.adaptive_max_pool2d, stored, out), want)
    grad = ORDERS[order](integers(*y.shape, dtype=dtype, seed=1))
    gx = guarded(F.adaptive_max_pool2d_backward, grad, indices, x.shape)
    assert_same(gx, reference.max_pool2d_backward(grad, at, x.shape))
    assert gx.dtype == dtype


@each_order
@pytest.mark.parametrize("out", [(3, 4), (2, 3), (1, 1)])
def test_memory_order_is_kept(out, order):
    x = ORDERS[order](random(2, 3, 7, 9))
    last = order == "channels_last"
    for y in (F.adaptive_avg_pool2d(x, out), *F.adaptive_max_pool2d(x, out, True)):
        assert is_channels_last(y) == (last and out != (1, 1))
    for layer in (nn.AdaptiveAvgPool2d(out), nn.AdaptiveMaxPool2d(out)):
        y, backward = layer.forward(x)
        assert is_channels_last(backward(np.ones(y.shape))) == last


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out", [(3, 3), (2, 4)])
def test_any_memory(out, layout):
    x = random(2, 3, 7, 9)
    stored = LAYOUTS[layout](x)
    assert_close(
        guarded(F.adaptive_avg_pool2d, stored, out), reference.adaptive_avg_pool2d(x, out), 3
    )
    y, indices = guarded(F.adaptive_max_pool2d, stored, out, return_indices=True)
    assert_same(y, reference.adaptive_max_pool2d(x, out)[0])
    grad = LAYOUTS[layout](random(*y.shape))
    gx = guarded(F.adaptive_avg_pool2d_backward, grad, stored, out)
    assert_close(gx, reference.adaptive_avg_pool2d_backward(grad, x.shape), 3)
    gx = guarded(F.adaptive_max_pool2d_backward, grad, indices, x.shape)
    assert_close(gx, reference.max_pool2d_backward(grad, indices, x.shape), 3)


@each_size
def test_gradients_are_derivatives(size, out):
    x = np.random.default_rng(0).permutation(2 * size[0] * size[1]).reshape(1, 2, *size) + 0.5
    y, indices = F.adaptive_max_pool2d(x, out, True)
    grad = random(*y.shape)
    gx = F.adaptive_max_pool2d_backward(grad, indices, x.shape)
    want = numerical_gradient(lambda x: F.adaptive_max_pool2d(x, out), x, grad)
    np.testing.assert_allclose(gx, want, atol=1e-6)
    gx = F.adaptive_avg_pool2d_backward(grad, x, out)
    want = numerical_gradient(lambda x: F.adaptive_avg_pool2d(x, out), x, grad)
    np.testing.assert_allclose(gx, want, atol=1e-6)


def test_every_pair_of_sizes():
    """Windows tile the axis whatever the two sizes are: the loops' with floats, these without."""
    x = integers(1, 1, 1, 20)
    for size, out in itertools.product(range(1, 21), range(1, 23)):
        part = x[..., :size]
        want, at = reference.adaptive_max_pool2d(part, (1, out))
        y, indices = F.adaptive_max_pool2d(part, (1, out), True)
        assert_same(y, want)
        assert_same(indices, at)
        want = reference.adaptive_avg_pool2d(part, (1, out))
        assert_close(F.adaptive_avg_pool2d(part, (1, out)), want, 4)


def test_output_sizes():
    x = random(2, 3, 7, 9)
    for size, out in [
        (3, (3, 3)),
        ((3, 4), (3, 4)),
        ([3, 4], (3, 4)),
        ((None, 4), (7, 4)),
        ((np.int64(3), None), (3, 9)),
        (None, (7, 9)),
    ]:
        assert F.adaptive_avg_pool2d(x, size).shape == (2, 3, *out)
        assert F.adaptive_max_pool2d(x, size).shape == (2, 3, *out)
        assert nn.AdaptiveAvgPool2d(size)(x).shape == (2, 3, *out)
        assert nn.AdaptiveMaxPool2d(size)(x).shape == (2, 3, *out)
    assert_same(F.adaptive_avg_pool2d(x, None), x)
    assert repr(nn.AdaptiveAvgPool2d((7, None))) == "AdaptiveAvgPool2d(output_size=(7, None))"


@each_dtype
@pytest.mark.parametrize("out", [1, 3, 4])
def test_empty_batch(out, dtype):
    x = np.empty((0, 3, 7, 9), dtype)
    y, indices = F.adaptive_max_pool2d(x, out, True)
    assert F.adaptive_avg_pool2d(x, out).shape == y.shape == indices.shape == (0, 3, out, out)
    assert F.adaptive_avg_pool2d_backward(y, x, out).shape == x.shape
    assert F.adaptive_max_pool2d_backward(y, indices, x.shape).shape == x.shape


@each_order
def test_same_for_any_number_of_threads(order):
    x = ORDERS[order](random(2, 40, 30, 41, dtype=np.float32))
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            for out in (6, 7):
                y = F.adaptive_avg_pool2d(x, out)
                gx = F.adaptive_avg_pool2d_backward(y, x, out)
                results.append((out, y.tobytes(), gx.tobytes()))
    assert len(set(results)) == 2


def test_bad_arguments():
    x = random(1, 2, 5, 6)
    for name, pool in [
        ("adaptive_avg_pool2d", F.adaptive_avg_pool2d),
        ("adaptive_max_pool2d", F.adaptive_max_pool2d),
        ("adaptive_avg_pool2d_backward", lambda x, out: F.adaptive_avg_pool2d_backward(x, x, out)),
        ("AdaptiveAvgPool2d", lambda x, out: nn.AdaptiveAvgPool2d(out)),
        ("AdaptiveMaxPool2d", lambda x, out: nn.AdaptiveMaxPool2d(out)),
    ]:
        for out in (0, (3, -1), (1, 2, 3), (), 2**31):
            with pytest.raises(ValueError, match=rf"^{name}: output_size must be"):
                pool(x, out)
        for out in (1.5, "3", (2, 2.0), True):
            with pytest.raises(TypeError, match=rf"^{name}: output_size must be"):
                pool(x, out)
        if name[0] == "a":
            with pytest.raises(ValueError, match=rf"^{name}: x must have 4 dimensions"):
                pool(x[0], 1)
            with pytest.raises(ValueError, match=rf"^{name}: x may have no empty dimension"):
                pool(x[:, :, :0], 1)
            with pytest.raises(TypeError, match=rf"^{name}: x must be float32 or float64"):
                pool(x.astype(int), 1)


def test_bad_gradients():
    x, grad = random(1, 2, 5, 6), random(1, 2, 3, 3)
    name = "adaptive_avg_pool2d_backward"
    with pytest.raises(ValueError, match=rf"^{name}: grad has shape \(1, 2, 3, 3\), but the outp"):
        F.adaptive_avg_pool2d_backward(grad, x, (3, 4))
    with pytest.raises(TypeError, match=rf"^{name}: grad is float32 but x is float64"):
        F.adaptive_avg_pool2d_backward(grad.astype(np.float32), x, 3)
    name = "adaptive_max_pool2d_backward"
    indices = np.zeros(grad.shape, np.int64)
    with pytest.raises(ValueError, match=rf"^{name}: 18 of the indices lie outside 0..29"):
        F.adaptive_max_pool2d_backward(grad, indices + 30, x.shape)
    with pytest.raises(TypeError, match=rf"^{name}: indices must be an integer array"):
        F.adaptive_max_pool2d_backward(grad, grad, x.shape)
    _, backward = nn.AdaptiveMaxPool2d(3).forward(x)
    with pytest.raises(TypeError, match=rf"^{name}: grad is float32, but what was pooled is"):
        backward(grad.astype(np.float32))
