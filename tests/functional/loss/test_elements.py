"""Losses of single elements against the plain loops."""

import math

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import reference
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    guarded,
    integers,
    is_channels_last,
    numerical_gradient,
    random,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum"])
DISTANCES = [
    ("mse_loss", {}),
    ("l1_loss", {}),
    ("smooth_l1_loss", {}),
    ("smooth_l1_loss", {"beta": 0.3}),
    ("smooth_l1_loss", {"beta": 0}),
]
each_distance = pytest.mark.parametrize(("name", "options"), DISTANCES)
BINARY = "binary_cross_entropy_with_logits"
SHAPES = [(), (7,), (3, 4), (2, 3, 4, 5)]


def check(result, losses, slopes, reduction, dtype):
    loss, gradient = result
    count = losses.size if reduction == "mean" else 1
    eps = float(np.finfo(dtype).eps)
    assert type(loss) is float
    assert loss == pytest.approx(losses.sum() / count, rel=16 * eps)
    np.testing.assert_allclose(gradient, slopes / count, rtol=16 * eps, atol=4 * eps)
    assert gradient.dtype == dtype


@each_dtype
@each_reduction
@each_distance
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", [random, integers])
def test_distances_match_the_loops(make, shape, name, options, reduction, dtype):
    """Of whole numbers some differences are 0, and some are just beta."""
    x, target = make(*shape, dtype=dtype), make(*shape, dtype=dtype, seed=1)
    x, target = np.asarray(x, dtype), np.asarray(target, dtype)
    result = guarded(getattr(F, name), x, target, reduction, **options)
    losses, slopes = getattr(reference, name)(x.astype(float), target.astype(float), **options)
    check(result, losses, slopes, reduction, dtype)


@each_dtype
@each_reduction
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weights", [(), ("weight",), ("pos_weight",), ("weight", "pos_weight")])
def test_binary_cross_entropy_matches_the_loops(weights, shape, reduction, dtype):
    rng = np.random.default_rng(0)
    x = np.asarray(10 * rng.standard_normal(shape), dtype)
    target = np.asarray(rng.random(shape).round(1), dtype)
    given = {name: np.asarray(rng.random(shape[-1:]) + 0.5, dtype) for name in weights}
    result = guarded(getattr(F, BINARY), x, target, reduction=reduction, **given)
    every = (np.broadcast_to(given.get(n, 1.0), shape) for n in ("weight", "pos_weight"))
    losses, slopes = reference.binary_cross_entropy_with_logits(
        *(np.asarray(a, float) for a in (x, target, *every))
    )
    check(result, losses, slopes, reduction, dtype)


@each_reduction
@pytest.mark.parametrize(("name", "options"), [*DISTANCES, (BINARY, {})])
def test_gradient_is_the_derivative(name, options, reduction):
    x, target = random(3, 4), np.random.default_rng(1).random((3, 4))
    loss = getattr(F, name)
    _, gradient = loss(x, target, reduction=reduction, **options)
    want = numerical_gradient(
        lambda x: np.array(loss(x, target, reduction=reduction, **options)[0]), x, np.array(1.0)
    )
    np.testing.assert_allclose(gradient, want, atol=1e-8)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "options"), [*DISTANCES, (BINARY, {})])
def test_any_memory(name, options, layout):
    x, target, loss = random(2, 3, 4, 5), random(2, 3, 4, 5, seed=1), getattr(F, name)
    want, want_gradient = loss(x, target, **options)
    for other in LAYOUTS:
        got, gradient = guarded(loss, LAYOUTS[layout](x), LAYOUTS[other](target), **options)
        assert got == pytest.approx(want, rel=1e-13)
        np.testing.assert_allclose(gradient, want_gradient, rtol=1e-13, atol=1e-16)
    for order in ORDERS:
        stored = ORDERS[order](x)
        gradient = loss(stored, target, **options)[1]
        assert is_channels_last(gradient) == is_channels_last(stored)


def test_binary_cross_entropy_of_extreme_scores():
    x = np.array([1e4, -1e4, 1e4, -1e4, 20.0], np.float32)
    target = np.array([1, 0, 0, 1, 1], np.float32)
    loss, gradient = F.binary_cross_entropy_with_logits(x, target, reduction="sum")
    assert loss == pytest.approx(20000)
    np.testing.assert_allclose(gradient, [0, 0, 1, -1, -2.0611536e-09], rtol=1e-6)


@each_distance
def test_nan_and_infinity(name, options):
    loss = getattr(F, name)
    one = np.ones(2)
    assert math.isnan(loss(np.array([np.nan, 0]), one, **options)[0])
    assert loss(np.array([np.inf, 0]), one, **options)[0] == math.inf
    assert math.isnan(loss(np.array([np.inf]), np.array([np.inf]), **options)[0])
    most = np.full(2, np.finfo(np.float32).max)
    assert loss(most, -most, **options)[0] == math.inf
    assert math.isnan(F.binary_cross_entropy_with_logits(np.array([np.nan, 0]), one)[0])


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", BINARY])
def test_empty_input_is_nan_as_in_torch(name):
    x = np.empty((0, 4), np.float32)
    loss, gradient = getattr(F, name)(x, x)
    assert math.isnan(loss)
    assert gradient.shape == (0, 4)
    assert getattr(F, name)(x, x, reduction="sum")[0] == 0


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", BINARY])
def test_bad_input(name):
    x, loss = random(3, 4), getattr(F, name)
    with pytest.raises(TypeError, match=f"^{name}: x must be a NumPy array, got list"):
        loss([1.0], x)
    with pytest.raises(TypeError, match=f"^{name}: target must be float32 or float64, got int64"):
        loss(x, np.ones((3, 4), np.int64))
    with pytest.raises(TypeError, match=f"^{name}: target is float32 but x is float64"):
        loss(x, x.astype(np.float32))
    with pytest.raises(ValueError, match=rf"^{name}: target has shape \(4,\), but the shape of x"):
        loss(x, x[0])
    with pytest.raises(ValueError, match=f'^{name}: reduction must be "mean" or "sum", got None'):
        loss(x, x, reduction=None)


def test_bad_options():
    x = random(3, 4)
    with pytest.raises(ValueError, match=r"^smooth_l1_loss: beta must be at least 0, got -1"):
        F.smooth_l1_loss(x, x, beta=-1)
    with pytest.raises(TypeError, match=r"^smooth_l1_loss: beta must be a number"):
        F.smooth_l1_loss(x, x, beta="1")
    for name in ("weight", "pos_weight"):
        for shape in [(3,), (5, 3, 4), (3, 5)]:
            with pytest.raises(ValueError, match=rf"^{BINARY}: {name} has shape .* not broadcast"):
                F.binary_cross_entropy_with_logits(x, x, **{name: np.ones(shape)})
        with pytest.raises(TypeError, match=rf"^{BINARY}: {name} is float32 but x is float64"):
            F.binary_cross_entropy_with_logits(x, x, **{name: np.ones(4, np.float32)})
        with pytest.raises(TypeError, match=rf"^{BINARY}: {name} must be a NumPy array"):
            F.binary_cross_entropy_with_logits(x, x, **{name: 2.0})
