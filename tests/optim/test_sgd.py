"""SGD against torch's rule, written out for one number at a time."""

import itertools

import numpy as np
import pytest

from cnnfast.nn import Parameter
from cnnfast.optim import SGD

PIECE = 16 * 1024  # elements that the kernels work off at a time


def one_number(w, gradients, lr, momentum, dampening, weight_decay, nesterov):
    """torch.optim.SGD on one float."""
    buffer = None
    for g in gradients:
        g = g + weight_decay * w
        if momentum != 0:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        w = w - lr * g
    return w


CASES = [
    case
    for case in itertools.product([0.1, 0.0], [0.0, 0.9], [0.0, 0.3], [0.0, 0.05], [False, True])
    if not case[4] or (case[1] and not case[2])
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("lr", "momentum", "dampening", "weight_decay", "nesterov"), CASES)
def test_follows_the_rule(dtype, lr, momentum, dampening, weight_decay, nesterov):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4)).astype(dtype)
    gradients = rng.standard_normal((5, 3, 4)).astype(dtype)
    p = Parameter(start)
    optimizer = SGD([p], lr, momentum, dampening, weight_decay, nesterov)
    for gradient in gradients:
        p.grad = gradient.copy()
        optimizer.step()
        np.testing.assert_array_equal(p.grad, gradient)
    assert p.version == 5
    assert p.data.dtype == dtype
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-13}
    for at in np.ndindex(start.shape):
        expected = one_number(
            float(start[at]),
            gradients[(slice(None), *at)].tolist(),
            lr,
            momentum,
            dampening,
            weight_decay,
            nesterov,
        )
        np.testing.assert_allclose(p.data[at], expected, **close)


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_large_parameters_are_covered_to_the_end(size):
    rng = np.random.default_rng(0)
    start, gradient = rng.standard_normal((2, size))
    p = Parameter(start)
    optimizer = SGD([p], 0.1, 0.9, weight_decay=0.01, nesterov=True)
    expected, buffer = start, None
    for _ in range(2):
        p.grad = gradient.copy()
        optimizer.step()
        g = gradient + 0.01 * expected
        buffer = g if buffer is None else 0.9 * buffer + g
        expected = expected - 0.1 * (g + 0.9 * buffer)
    np.testing.assert_allclose(p.data, expected, rtol=1e-12, atol=1e-15)


def test_bad_arguments():
    def params():
        return [Parameter(np.zeros(1))]

    for name in ("lr", "momentum", "dampening", "weight_decay"):
        for value in (-0.1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match=f"SGD: {name} must be at least 0 and finite"):
                SGD(params(), **{"lr": 0.1, name: value})
        for value in ("0.1", None, True):
            with pytest.raises(TypeError, match=f"SGD: {name} must be a number"):
                SGD(params(), **{"lr": 0.1, name: value})
    for arguments in ({}, {"momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValueError, match="SGD: nesterov needs a momentum and no dampening"):
            SGD(params(), 0.1, nesterov=True, **arguments)
