"""Padding against the plain loops."""

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import nn, reference
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    numerical_gradient,
    random,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)
each_mode = pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
SIDES = [
    ((0, 0), (0, 0)),
    ((1, 1), (1, 1)),
    ((2, 0), (1, 3)),
    ((0, 3), (0, 0)),
    ((3, 3), (4, 4)),
    ((-1, 2), (3, -2)),
    ((-1, -1), (-2, -2)),
    ((-3, 0), (0, -4)),
]
each_padding = pytest.mark.parametrize("sides", SIDES)


@each_dtype
@each_order
@each_mode
@each_padding
def test_matches_the_loops(sides, mode, order, dtype):
    x = integers(2, 3, 4, 5, dtype=dtype)
    stored = ORDERS[order](x)
    y = guarded(F.pad, stored, sides, mode)
    assert_same(y, reference.pad(x, sides, mode))
    assert y.dtype == dtype
    assert is_channels_last(y) == (is_channels_last(stored) and y.shape[2:] != (1, 1))
    grad = integers(*y.shape, dtype=dtype, seed=1)
    want = reference.pad_backward(grad, x.shape, sides, mode)
    for other in ORDERS.values():
        gx = guarded(F.pad_backward, other(grad), stored, sides, mode)
        assert_same(gx, want)
        assert is_channels_last(gx) == is_channels_last(stored)


@each_mode
@each_padding
def test_gradient_is_the_derivative(sides, mode):
    x = random(1, 2, 4, 5)
    grad = random(*F.pad(x, sides, mode).shape, seed=1)
    want = numerical_gradient(lambda x: F.pad(x, sides, mode), x, grad)
    np.testing.assert_allclose(F.pad_backward(grad, x, sides, mode), want, atol=1e-8)


@each_mode
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout, mode):
    x, sides = integers(2, 3, 4, 5), ((2, 1), (-1, 3))
    grad = integers(2, 3, 7, 7, seed=1)
    stored = LAYOUTS[layout](x)
    assert_same(guarded(F.pad, stored, sides, mode), reference.pad(x, sides, mode))
    gx = guarded(F.pad_backward, LAYOUTS[layout](grad), stored, sides, mode)
    assert_same(gx, reference.pad_backward(grad, x.shape, sides, mode))


@each_order
@pytest.mark.parametrize("value", [1.5, -np.inf, np.nan, 3])
def test_constant(value, order):
    x = integers(2, 3, 4, 5)
    y = F.pad(ORDERS[order](x), 2, value=value)
    assert_same(y, np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=value))


def test_forms_of_padding():
    x = random(1, 2, 4, 5)
    want = F.pad(x, ((3, 4), (1, 2)))
    for padding in [(1, 2, 3, 4), [1, 2, 3, 4], [[3, 4], [1, np.int8(2)]], ((3, 4), [1, 2])]:
        assert_same(F.pad(x, padding), want)
    assert_same(F.pad(x, 2), F.pad(x, (2, 2, 2, 2)))
    assert_same(F.pad(x, np.int64(2)), F.pad(x, (2, 2, 2, 2)))


@each_mode
def test_empty_batch(mode):
    x = np.empty((0, 3, 4, 5), np.float32)
    y = F.pad(x, (1, 2, 3, 2), mode)
    assert y.shape == (0, 3, 9, 8)
    assert F.pad_backward(y, x, (1, 2, 3, 2), mode).shape == x.shape


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (nn.ZeroPad2d((1, 2, 3, 0)), ((1, 2, 3, 0),)),
        (nn.ConstantPad2d(1, 2.5), (1, "constant", 2.5)),
        (nn.ReflectionPad2d(2), (2, "reflect")),
        (nn.ReplicationPad2d(((1, 0), (0, 2))), (((1, 0), (0, 2)), "replicate")),
    ],
)
def test_layers(layer, arguments):
    x = random(2, 3, 4, 5)
    y, backward = layer.forward(x)
    assert_same(y, F.pad(x, *arguments))
    assert_same(layer(x), y)
    assert_same(backward(y), F.pad_backward(y, x, *arguments[:2]))
    assert f"padding={layer.padding}" in repr(layer)


X = random(1, 2, 4, 5)


def test_bad_padding():
    for call, name in [
        (lambda padding: F.pad(X, padding), "pad"),
        (lambda padding: F.pad_backward(X, X, padding), "pad_backward"),
        (nn.ZeroPad2d, "ZeroPad2d"),
        (lambda padding: nn.ConstantPad2d(padding, 1.0), "ConstantPad2d"),
        (nn.ReflectionPad2d, "ReflectionPad2d"),
    ]:
        message = rf"^{name}: padding must be an int, \(left, right, top, bottom\) or"
        for padding in [(1, 2, 3), (), (1,), ((1, 2), (3,)), ((1, 2), (3, 4, 5)), 2**31, -(2**40)]:
            with pytest.raises(ValueError, match=message):
                call(padding)
        for padding in [1.0, "1", None, True, (1, 2), (1, 2, 3, 4.0), ((1, 2), (3, None))]:
            with pytest.raises(TypeError, match=message):
                call(padding)


def test_bad_arguments():
    with pytest.raises(
        ValueError, match=r'^pad: mode must be "constant", "reflect" or "replicate"'
    ):
        F.pad(X, 1, "circular")
    for value in ("0", None, True, 1j):
        with pytest.raises(TypeError, match=r"^pad: value must be a number, got"):
            F.pad(X, 1, "constant", value)
        with pytest.raises(TypeError, match=r"^ConstantPad2d: value must be a number, got"):
            nn.ConstantPad2d(1, value)
    for padding in [(0, 0, 4, 0), (0, 5, 0, 0), 7]:
        message = r"^pad: reflecting needs padding less than the [45] (rows|columns) of x, got"
        with pytest.raises(ValueError, match=message):
            F.pad(X, padding, "reflect")
    for padding in [(-5, 0, 0, 0), (-3, -2, 0, 0), (0, 0, -4, 9), (0, 0, 9, -4), -3]:
        for mode in ("constant", "replicate"):
            with pytest.raises(ValueError, match=r"^pad: padding .* leaves nothing of 4 x 5"):
                F.pad(X, padding, mode)
    with pytest.raises(ValueError, match=r"^pad: the output would have .* elements, more than"):
        F.pad(X, 2**31 - 1)
    with pytest.raises(MemoryError, match="for a result of shape"):
        F.pad(np.broadcast_to(1.0, (2**25, 1, 1, 1)), 2**18)
    with pytest.raises(ValueError, match=r"^pad: x must have 4 dimensions"):
        F.pad(X[0], 1)
    with pytest.raises(ValueError, match=r"^pad: x may have no empty dimension"):
        F.pad(X[:, :0], 1)
    with pytest.raises(TypeError, match=r"^pad: x must be float32 or float64"):
        F.pad(X.astype(int), 1)
    with pytest.raises(
        ValueError, match=r"^pad_backward: grad has shape \(1, 2, 4, 5\), but the o"
    ):
        F.pad_backward(X, X, 1)
    with pytest.raises(TypeError, match=r"^pad_backward: grad is float32 but x is float64"):
        F.pad_backward(X.astype(np.float32), X, 0)
