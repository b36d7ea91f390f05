"""The elementwise kernels: every remainder, memory, instruction set and number of threads."""

import numpy as np
import pytest

from cnnfast import functional
from cnnfast._ext import elementwise
from cnnfast.functional import prelu, prelu_backward
from tests import oracle
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    assert_same,
    guarded,
    is_channels_last,
    random,
    using_threads,
)

each_isa = pytest.mark.usefixtures("isa")
each_dtype = pytest.mark.parametrize("dtype", FLOATS)
OPERATIONS = {
    "relu": {},
    "relu6": {},
    "leaky_relu": {"negative_slope": 0.3},
    "sigmoid": {},
    "tanh": {},
    "elu": {"alpha": 0.7},
    "selu": {},
    "silu": {},
    "gelu": {},
    "gelu by tanh": {"approximate": "tanh"},
    "softplus": {"beta": 2.0},
    "hardsigmoid": {},
    "hardswish": {},
}
operations = pytest.mark.parametrize("operation", OPERATIONS)


def call(operation, suffix="", module=functional):
    """The function of this name, and its keyword arguments."""
    name = operation.partition(" ")[0]
    return getattr(module, name + suffix), OPERATIONS[operation]


def check(operation, x, grad):
    forward, arguments = call(operation)
    backward, _ = call(operation, "_backward")
    want, _ = call(operation, module=oracle)
    want_backward, _ = call(operation, "_backward", oracle)
    tolerance = 16 * np.finfo(x.dtype).eps
    y = guarded(forward, x, **arguments)
    np.testing.assert_allclose(y, want(x, **arguments), rtol=tolerance, atol=tolerance)
    gx = guarded(backward, grad, x, **arguments)
    expected = want_backward(grad, x, **arguments)
    np.testing.assert_allclose(gx, expected, rtol=tolerance, atol=tolerance)
    return y, gx


@each_isa
@each_dtype
@operations
def test_every_number_of_elements(operation, dtype):
    x, grad = 3 * random(40, dtype=dtype), random(40, dtype=dtype, seed=1)
    for count in range(41):
        check(operation, x[:count], grad[:count])


@each_dtype
@pytest.mark.parametrize("grad_layout", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout, grad_layout, dtype):
    """Tiles of 16 by 64 and their remainders, in all pairs of memory."""
    for shape in [(2, 5, 7, 3), (2, 70, 3, 6), (1, 3, 17, 65)]:
        x, grad = random(*shape, dtype=dtype), random(*shape, dtype=dtype, seed=1)
        stored = LAYOUTS[layout](x)
        for result in check("relu", stored, LAYOUTS[grad_layout](grad)):
            assert is_channels_last(result) == is_channels_last(stored)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (2, 1, 3, 1, 2), (3, 0, 2), (2,) * 10])
@operations
def test_any_number_of_dimensions(operation, shape):
    x, grad = random(*shape), random(*shape, seed=1)
    check(operation, np.asarray(x), np.asarray(grad))
    check(operation, np.asarray(x).T, np.asarray(grad).T)
    if len(shape) > 2:
        check(operation, np.asarray(x).swapaxes(0, 1), np.asarray(grad).swapaxes(0, 1))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "gaps"])
@operations
def test_the_same_bits_for_any_number_of_threads(operation, layout):
    shape = (2, 33, 41, 19)
    x, grad = (LAYOUTS[layout](random(*shape, dtype=np.float32, seed=seed)) for seed in range(2))
    forward, arguments = call(operation)
    backward, _ = call(operation, "_backward")
    results = []
    for count in (1, 2, 3, 7):
        with using_threads(count):
            results.append((forward(x, **arguments), backward(grad, x, **arguments)))
    for y, gx in results[1:]:
        assert_same(y, results[0][0])
        assert_same(gx, results[0][1])


# ---------------------------------------------------------------------------- elementary functions


def within(operation, x, units, *arguments, **keywords):
    """Whether a function is within so many units in the last place of its oracle."""
    y = getattr(functional, operation)(x, *arguments, **keywords)
    want = getattr(oracle, operation)(x, *arguments, **keywords)
    error = np.abs(y - want) / np.spacing(np.abs(want.astype(x.dtype)))
    assert error.max() <= units, (error.max(), x[error.argmax()])


@each_isa
@each_dtype
def test_functions_are_accurate_everywhere(dtype):
    # float64's oracle is itself off by a few units, and by |x| units where it takes a logarithm.
    slack = 0 if dtype == np.float32 else 4
    tiny = np.geomspace(1e-30, 1, 301)
    near = np.concatenate([np.linspace(-9, 9, 4001), tiny, -tiny]).astype(dtype)
    below = -np.linspace(0, 85 if dtype == np.float32 else 700, 2001).astype(dtype)
    within("tanh", near, 3 + slack)
    within("elu", near, 1.5 + slack)
    within("softplus", near, 3 + slack, threshold=1e9)
    within("sigmoid", near, 3 + 4 * slack)
    within("silu", near, 4 + 4 * slack)
    within("gelu", near, 50 + 250 * slack)  # as much as x**2 / 2 says, and the oracle's quadrature
    ones = np.ones_like(below)
    slope = functional.elu_backward(ones, below)
    np.testing.assert_allclose(
        slope, np.exp(below.astype(np.float64)), rtol=(1 + slack) * np.finfo(dtype).eps
    )


@each_isa
@each_dtype
def test_exp_ends_in_denormal_numbers(dtype):
    least = np.log(np.finfo(dtype).smallest_subnormal.astype(np.float64))
    x = np.linspace(least + 0.5, least + 20, 500).astype(dtype)
    slope = functional.elu_backward(np.ones_like(x), x)
    step = np.finfo(dtype).smallest_subnormal
    want = np.exp(x.astype(np.float64))
    rounding = np.finfo(dtype).eps * want
    assert (np.abs(slope - want) <= step + rounding).all()
    assert (slope > 0).all()
    assert functional.elu_backward(np.ones(2, dtype), np.array([-1e30, -np.inf], dtype)).max() == 0


@each_isa
@each_dtype
def test_the_ends_of_the_number_line(dtype):
    x = np.array([-np.inf, -1e30, -0.0, 0.0, 1e30, np.inf], dtype)
    ones = np.ones_like(x)
    big = dtype(1e30)
    assert functional.relu6(x).tolist() == [0, 0, 0, 0, 6, 6]
    assert functional.elu(x, 2).tolist() == [-2, -2, 0, 0, big, np.inf]
    assert functional.softplus(x)[[0, 1, 4, 5]].tolist() == [0, 0, big, np.inf]
    assert functional.softplus(x, 1, 1e38)[[0, 1, 4, 5]].tolist() == [0, 0, big, np.inf]
    assert functional.hardsigmoid(x).tolist() == [0, 0, 0.5, 0.5, 1, 1]
    for approximate in ("none", "tanh"):
        assert functional.gelu(x, approximate)[1:].tolist() == [0, 0, 0, big, np.inf]
        slopes = functional.gelu_backward(ones, x, approximate)
        assert slopes[1:5].tolist() == [0, 0.5, 0.5, 1]
    assert functional.silu(x)[1:].tolist() == [0, 0, 0, big, np.inf]
    assert np.signbit(functional.tanh(x)).tolist() == [True, True, True, False, False, False]


def test_gradients_at_the_corners():
    corners = np.array([-3.0, 0.0, 3.0, 6.0])
    ones = np.ones(4)
    assert functional.relu6_backward(ones, corners).tolist() == [0, 0, 1, 0]
    assert functional.hardsigmoid_backward(ones, corners).tolist() == [0, 1 / 6, 0, 0]
    assert functional.hardswish_backward(ones, corners).tolist() == [0, 0.5, 1, 1]
    assert functional.elu_backward(ones, corners, 5)[1:].tolist() == [5, 1, 1]


# ---------------------------------------------------------------------------- PReLU


@each_isa
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", [1, 5])
def test_prelu(weights, layout, dtype):
    x, grad = random(3, 5, 4, 6, dtype=dtype), random(3, 5, 4, 6, dtype=dtype, seed=1)
    weight = random(weights, dtype=dtype, seed=2)
    stored = LAYOUTS[layout](x)
    y = guarded(prelu, stored, weight)
    tolerance = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, oracle.prelu(x, weight), rtol=tolerance)
    gx, gw = prelu_backward(grad, stored, weight)
    want_gx, want_gw = oracle.prelu_backward(grad, x, weight)
    assert gx.dtype == gw.dtype == dtype
    assert is_channels_last(gx) == is_channels_last(y) == is_channels_last(stored)
    np.testing.assert_allclose(gx, want_gx, rtol=tolerance)
    np.testing.assert_allclose(gw, want_gw, rtol=10 * tolerance)


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (0, 4), (2, 4, 3)])
def test_prelu_of_other_shapes(shape):
    x, weight = np.asarray(random(*shape)), np.array([0.5])
    np.testing.assert_allclose(prelu(x, weight), oracle.prelu(x, weight))
    gx, gw = prelu_backward(x, x, weight)
    assert gx.shape == shape
    assert gw.shape == (1,)
    assert prelu_backward(x, x, weight, needs=()) == (None, None)


def test_bad_prelu():
    x, weight = np.ones((2, 3)), np.ones(3)
    with pytest.raises(ValueError, match="prelu: weight must have 1 element or 3, one for each"):
        prelu(x, np.ones(2))
    with pytest.raises(ValueError, match=r"prelu: weight must have 1 dimensions"):
        prelu(x, np.ones((3, 1)))
    with pytest.raises(TypeError, match="prelu: weight is float32 but x is float64"):
        prelu(x, weight.astype(np.float32))
    with pytest.raises(ValueError, match=r"prelu_backward: grad has shape \(2,\)"):
        prelu_backward(np.ones(2), x, weight)
    with pytest.raises(ValueError, match="prelu_backward: needs must be"):
        prelu_backward(x, x, weight, needs="x")


def test_bad_arguments():
    x = np.ones(3)
    for name in ("gelu", "gelu_backward"):
        arrays = (x,) if name == "gelu" else (x, x)
        with pytest.raises(ValueError, match=f'{name}: approximate must be "none" or "tanh"'):
            getattr(functional, name)(*arrays, approximate="sigmoid")
    with pytest.raises(ValueError, match="softplus: beta must not be 0"):
        functional.softplus(x, 0)
    with pytest.raises(TypeError, match="softplus_backward: threshold must be a number"):
        functional.softplus_backward(x, x, 1, None)
    with pytest.raises(ValueError, match="elu: alpha must be finite"):
        functional.elu(x, np.inf)


def test_an_unknown_operation():
    with pytest.raises(KeyError):
        elementwise.apply("no such operation", np.empty(1), np.ones(1))
