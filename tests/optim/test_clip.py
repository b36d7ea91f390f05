"""Gradient clipping against the norm written out."""

import math

import numpy as np
import pytest

from cnnfast.nn import Parameter
from cnnfast.optim import clip_grad_norm_, clip_grad_value_

SHAPES = [(3, 4), (7,), (2, 3, 4, 5)]


def learned(dtype, scale=1.0):
    """Parameters with gradients, one without, and all the gradients in a row."""
    rng = np.random.default_rng(0)
    parameters = [Parameter(np.zeros(shape, dtype)) for shape in SHAPES]
    for p in parameters:
        p.grad = (scale * rng.standard_normal(p.shape)).astype(dtype)
    every = np.concatenate([p.grad.ravel() for p in parameters]).astype(np.float64)
    return [*parameters, Parameter(np.zeros(2, dtype))], every


def gradients(parameters):
    return np.concatenate([p.grad.ravel() for p in parameters if p.grad is not None])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [1, 2, 2.5, math.inf])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.001, 50])
def test_norm(dtype, p, share):
    parameters, before = learned(dtype)
    norm = max(abs(before)) if p == math.inf else sum(abs(x) ** p for x in before) ** (1 / p)
    most = share * norm
    assert clip_grad_norm_(iter(parameters), most, p) == pytest.approx(norm, rel=1e-6)
    assert gradients(parameters).dtype == dtype
    after = before if share > 1 else before * most / (norm + 1e-6)
    np.testing.assert_allclose(gradients(parameters), after, rtol=1e-6, atol=1e-12)
    assert parameters[-1].grad is None


def test_gradients_change_in_place_and_one_parameter_will_do():
    p = Parameter(np.zeros(2))
    p.grad = kept = np.array([3.0, 4.0])
    assert clip_grad_norm_(p, 1.0) == 5
    assert p.grad is kept
    clip_grad_value_(p, 0.7)
    np.testing.assert_allclose(kept, [0.6, 0.7], rtol=1e-5)


def test_squares_that_overflow():
    parameters, before = learned(np.float32, scale=1e30)
    norm = clip_grad_norm_(parameters, 1.0)
    assert norm == pytest.approx(math.sqrt((before**2).sum()))
    assert math.sqrt((gradients(parameters).astype(float) ** 2).sum()) == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite(bad):
    parameters, _ = learned(np.float32)
    parameters[1].grad[3] = bad
    kept = gradients(parameters)
    with pytest.raises(FloatingPointError, match=f"the norm of the gradients is {bad}"):
        clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(gradients(parameters), kept)
    assert not math.isfinite(clip_grad_norm_(parameters, 1.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value(dtype):
    parameters, before = learned(dtype)
    clip_grad_value_(parameters, 0.5)
    assert gradients(parameters).tolist() == [
        min(max(x, -0.5), 0.5) for x in before.astype(dtype).tolist()
    ]


def test_bad_arguments():
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm must be at least 0, got -1"):
        clip_grad_norm_([], -1)
    for p in (0, -1, math.nan):
        with pytest.raises(ValueError, match="clip_grad_norm_: norm_type must be"):
            clip_grad_norm_([], 1, p)
    with pytest.raises(ValueError, match="clip_grad_value_: clip_value must be at least 0"):
        clip_grad_value_([], math.nan)
    assert clip_grad_norm_([], 1) == 0
