"""Losses against the oracle and against their own slopes."""

import math

import numpy as np
import pytest

from cnnfast.functional import cross_entropy, hinge_loss
from tests import oracle

LOSSES = [cross_entropy, hinge_loss]
losses = pytest.mark.parametrize("loss", LOSSES)


def batch(n=6, c=5, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return (3 * rng.standard_normal((n, c))).astype(dtype), rng.integers(0, c, n)


@losses
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 5), (1, 1), (1, 10), (128, 10), (3, 1000)])
def test_matches_the_oracle(loss, dtype, shape):
    scores, labels = batch(*shape, dtype)
    before = scores.copy()
    value, gradient = loss(scores, labels)
    expected, expected_gradient = getattr(oracle, loss.__name__)(scores, labels)
    eps = float(np.finfo(dtype).eps)
    assert type(value) is float
    assert gradient.dtype == dtype
    assert value == pytest.approx(expected, rel=64 * eps, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=16 * eps)
    np.testing.assert_array_equal(scores, before)


@losses
def test_gradient_is_the_slope(loss):
    scores, labels = batch()
    _, gradient = loss(scores, labels)
    step = 1e-6
    for at in np.ndindex(scores.shape):
        nudge = np.zeros_like(scores)
        nudge[at] = step
        slope = (loss(scores + nudge, labels)[0] - loss(scores - nudge, labels)[0]) / (2 * step)
        assert gradient[at] == pytest.approx(slope, abs=1e-8)


@losses
def test_any_memory_and_label_dtype(loss):
    scores, labels = batch()
    expected, gradient = loss(scores, labels)
    frozen = np.repeat(np.asfortranarray(scores), 2, axis=1)[:, ::2]
    frozen.flags.writeable = False
    for dtype in "bhilBHIL":
        value, g = loss(frozen, labels.astype(dtype))
        assert value == pytest.approx(expected)
        np.testing.assert_allclose(g, gradient)


def test_cross_entropy_of_huge_scores():
    value, gradient = cross_entropy(np.array([[1e4, 0.0]], np.float32), np.array([1]))
    assert value == 1e4
    assert gradient.tolist() == [[1, -1]]
    assert cross_entropy(np.array([[0.0, -np.inf]]), np.array([1]))[0] == math.inf
    assert math.isnan(cross_entropy(np.array([[0.0, np.inf]]), np.array([1]))[0])


@losses
def test_nan_propagates(loss):
    for at in range(3):
        scores = np.zeros((2, 3))
        scores[0, at] = np.nan
        assert math.isnan(loss(scores, np.array([0, 0]))[0])


def test_the_course_example_of_the_hinge_loss():
    # CS231n: scores 13, -7, 11, the first class is right, margin 10.
    value, gradient = hinge_loss(np.array([[13.0, -7.0, 11.0]]), np.array([0]), margin=10)
    assert value == 8
    assert gradient.tolist() == [[-1, 0, 1]]
    assert hinge_loss(np.array([[13.0, -7.0, 11.0]]), np.array([0]), margin=0.5)[0] == 0


@losses
def test_empty_batch_is_nan_as_in_torch(loss):
    value, gradient = loss(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    assert math.isnan(value)
    assert gradient.shape == (0, 4)
    assert gradient.dtype == np.float32


@losses
def test_bad_input(loss):
    name = loss.__name__
    scores, labels = batch()
    with pytest.raises(TypeError, match=f"{name}: labels must be integers, got float64"):
        loss(scores, labels.astype(float))
    with pytest.raises(TypeError, match=f"{name}: labels must be integers, got bool"):
        loss(scores, labels > 2)
    with pytest.raises(TypeError, match=f"{name}: labels must be a NumPy array, got list"):
        loss(scores, labels.tolist())
    with pytest.raises(TypeError, match=f"{name}: .* must be float32 or float64, got int64"):
        loss(scores.astype(np.int64), labels)
    for wrong in (labels[:5], labels[:, None], labels[:0]):
        with pytest.raises(ValueError, match=rf"{name}: labels must have shape \(6,\)"):
            loss(scores, wrong)
    with pytest.raises(ValueError, match=f"{name}: .* must have 2 dimensions"):
        loss(scores[0], labels)
    with pytest.raises(ValueError, match=f"{name}: .* may have no empty dimension"):
        loss(scores[:, :0], labels)
    for label in (5, -1, 2**40):
        labels[3] = label
        with pytest.raises(ValueError, match=rf"{name}: labels\[3\] is {label}, but .* in 0..4"):
            loss(scores, labels)


def test_bad_margin():
    scores, labels = batch()
    with pytest.raises(TypeError, match="hinge_loss: margin must be a number"):
        hinge_loss(scores, labels, None)
    with pytest.raises(ValueError, match="hinge_loss: margin must be finite"):
        hinge_loss(scores, labels, math.nan)
