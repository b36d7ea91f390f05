"""Adam against torch's rule, written out for one number at a time."""

import itertools
import math

import numpy as np
import pytest

from cnnfast.nn import Parameter
from cnnfast.optim import Adam

PIECE = 16 * 1024  # elements that the kernels work off at a time


def one_number(w, gradients, lr, betas, eps, weight_decay):
    """torch.optim.Adam on one float; None stands for a step without a gradient."""
    m = v = t = 0
    for g in gradients:
        if g is None:
            continue
        t += 1
        g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps)
    return w


CASES = list(itertools.product([1e-3, 0.1], [(0.9, 0.999), (0.0, 0.5)], [1e-8, 0.1], [0.0, 0.05]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("lr", "betas", "eps", "weight_decay"), CASES)
def test_follows_the_rule(dtype, lr, betas, eps, weight_decay):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4)).astype(dtype)
    gradients = rng.standard_normal((6, 3, 4)).astype(dtype)
    p = Parameter(start)
    optimizer = Adam([p], lr, betas, eps, weight_decay)
    for i, gradient in enumerate(gradients):
        p.grad = None if i == 2 else gradient.copy()
        optimizer.step()
    assert p.version == 5
    assert p.data.dtype == dtype
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12}
    for at in np.ndindex(start.shape):
        numbers = gradients[(slice(None), *at)].tolist()
        numbers[2] = None
        expected = one_number(float(start[at]), numbers, lr, betas, eps, weight_decay)
        np.testing.assert_allclose(p.data[at], expected, **close)


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_large_parameters_are_covered_to_the_end(size):
    p = Parameter(np.zeros(size))
    p.grad = np.where(np.arange(size) % 2, 3.0, -0.01)
    Adam([p], 0.5).step()
    np.testing.assert_allclose(p.data, np.where(np.arange(size) % 2, -0.5, 0.5), rtol=1e-5)


def test_a_gradient_of_zero_moves_nothing():
    p = Parameter(np.ones(3, np.float32))
    p.grad = np.zeros(3, np.float32)
    Adam([p]).step()
    assert p.data.tolist() == [1, 1, 1]


def test_bad_arguments():
    def params():
        return [Parameter(np.zeros(1))]

    for name in ("lr", "eps", "weight_decay"):
        with pytest.raises(ValueError, match=f"Adam: {name} must be at least 0 and finite"):
            Adam(params(), **{name: -1e-3})
    for betas, which in (((1.0, 0.9), 0), ((0.9, 1.5), 1), ((-0.1, 0.9), 0)):
        with pytest.raises(ValueError, match=rf"betas\[{which}\] must be at least 0 and less than"):
            Adam(params(), betas=betas)
    for betas in (0.9, (0.9,), (0.9, 0.9, 0.9)):
        with pytest.raises(ValueError, match="Adam: betas must be a pair of numbers"):
            Adam(params(), betas=betas)
