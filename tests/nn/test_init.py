"""Initial weights: their spread, their generator, their errors."""

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn import init

FUNCTIONS = [init.kaiming_normal, init.kaiming_uniform, init.xavier_normal, init.xavier_uniform]
functions = pytest.mark.parametrize("function", FUNCTIONS)
SHAPE = (60, 40, 5, 3)  # fan_in 600, fan_out 900


def deviation(function, gain=None):
    if function.__name__.startswith("kaiming"):
        return (np.sqrt(2) if gain is None else gain) / np.sqrt(600)
    return (1 if gain is None else gain) * np.sqrt(2 / 1500)


@functions
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spread(function, dtype):
    for gain in (None, 0.5):
        arguments = {} if gain is None else {"gain": gain}
        w = function(SHAPE, np.random.default_rng(0), dtype, **arguments)
        expected = deviation(function, gain)
        assert w.shape == SHAPE
        assert w.dtype == dtype
        assert w.std() == pytest.approx(expected, rel=0.02)
        assert abs(w.mean()) < 0.02 * expected
        largest = abs(w).max() / expected
        if function.__name__.endswith("uniform"):
            assert np.sqrt(3) * 0.99 < largest <= np.sqrt(3) * 1.0001
        else:
            assert largest > 3


@functions
def test_generator(function):
    first, again = (function(SHAPE, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert (function(SHAPE) != function(SHAPE)).any()


@functions
def test_bad_input(function):
    for shape in [(3,), (), (0, 3), (3, 0), (3, 3, 0, 3)]:
        with pytest.raises(ValueError, match=f"{function.__name__}: shape must be"):
            function(shape)
    for dtype in (np.int64, np.float16):
        with pytest.raises(TypeError, match=f"{function.__name__}: dtype must be float32 or"):
            function(SHAPE, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_start_he_normal_with_zero_bias(dtype):
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(64, 128, 3, groups=2, rng=rng, dtype=dtype)
    fc = nn.Linear(400, 300, rng=rng, dtype=dtype)
    assert conv.weight.shape == (128, 32, 3, 3)
    assert conv.weight.data.std() == pytest.approx(np.sqrt(2 / (32 * 9)), rel=0.02)
    assert fc.weight.data.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    for layer in (conv, fc):
        assert layer.weight.dtype == layer.bias.dtype == dtype
        assert not layer.bias.data.any()


def test_layers_with_one_generator_differ_and_repeat():
    def weights():
        rng = np.random.default_rng(7)
        return [nn.Linear(3, 3, rng=rng).weight.data for _ in range(2)]

    first, second = weights()
    assert (first != second).any()
    np.testing.assert_array_equal(first, weights()[0])
