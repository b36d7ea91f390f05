"""Softmax and its logarithm: every length of a line, along every axis of any memory."""

import numpy as np
import pytest

from cnnfast import functional
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
each_name = pytest.mark.parametrize("name", ["softmax", "log_softmax"])


def check(name, x, grad, dim):
    tolerance = 32 * np.finfo(x.dtype).eps
    y = guarded(getattr(functional, name), x, dim)
    want = getattr(oracle, name)(x, dim)
    np.testing.assert_allclose(y, want, rtol=tolerance, atol=tolerance)
    gx = guarded(getattr(functional, f"{name}_backward"), grad, x, dim)
    want = getattr(oracle, f"{name}_backward")(grad, x, dim)
    np.testing.assert_allclose(gx, want, rtol=tolerance, atol=tolerance * max(1, x.shape[dim] / 8))
    assert is_channels_last(y) == is_channels_last(gx) == (is_channels_last(x))
    return y, gx


# Short lines lie side by side in tiles of up to 64; long ones take groups of four vectors.
LENGTHS = [*range(1, 9), 15, 16, 17, 31, 32, 33, 63, 64, 65, 66, 95, 127, 128, 129, 191, 200]


@each_isa
@each_dtype
@each_name
def test_every_length_of_a_line_and_number_of_lines(name, dtype):
    x, grad = 3 * random(3, 200, dtype=dtype), random(3, 200, dtype=dtype, seed=1)
    for length in LENGTHS:
        check(name, x[:, :length].copy(), grad[:, :length].copy(), 1)
        check(name, x[:, :length].copy(), grad[:, :length].copy(), 0)


@each_isa
@each_name
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_axis_in_any_memory(layout, name):
    for shape in [(3, 21, 5, 7), (2, 70, 3, 4), (1, 4, 2, 67)]:
        x = LAYOUTS[layout](3 * random(*shape, dtype=np.float32))
        for dim in range(-4, 4):
            check(name, x, random(*shape, dtype=np.float32, seed=1), dim)


@each_name
@pytest.mark.parametrize("grad_layout", LAYOUTS)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_gradients_in_any_memory(layout, grad_layout, name):
    shape = (2, 70, 3, 21)
    x, grad = LAYOUTS[layout](random(*shape)), LAYOUTS[grad_layout](random(*shape, seed=1))
    for dim in range(4):
        check(name, x, grad, dim)


@each_name
@pytest.mark.parametrize("shape", [(1,), (300,), (2, 1, 3), (2,) * 9])
def test_other_shapes(shape, name):
    for dim in range(len(shape)):
        check(name, random(*shape), random(*shape, seed=1), dim)


@each_name
@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (0, 5), (5, 0), (2, 0, 3, 3)])
def test_nothing_at_all(shape, name):
    x = random(*shape)
    for dim in range(len(shape)):
        assert guarded(getattr(functional, name), x, dim).shape == shape
        assert guarded(getattr(functional, f"{name}_backward"), x, x, dim).shape == shape


@each_isa
@each_name
@pytest.mark.parametrize("length", [3, 70, 300])
def test_nan_spreads_along_its_line_only(length, name):
    clean = random(5, length)
    for column in range(length):
        for bad in (np.nan, np.inf):
            x = clean.copy()
            x[2, column] = bad
            for dim, array in ((1, x), (0, np.ascontiguousarray(x.T))):
                y = getattr(functional, name)(array, dim)
                spread = np.isnan(y if dim == 1 else y.T)
                assert spread[2].all()
                assert not spread[[0, 1, 3, 4]].any()


@each_name
@pytest.mark.parametrize(("shape", "dim"), [((37, 1000), 1), ((3, 21, 45, 47), 1), ((32, 999), 0)])
def test_the_same_bits_for_any_number_of_threads(shape, dim, name):
    x, grad = random(*shape, dtype=np.float32), random(*shape, dtype=np.float32, seed=1)
    for stored in (x, LAYOUTS["channels_last"](x)) if x.ndim == 4 else (x,):
        results = []
        for count in (1, 2, 3, 7):
            with using_threads(count):
                y = getattr(functional, name)(stored, dim)
                results.append((y, getattr(functional, f"{name}_backward")(grad, stored, dim)))
        for y, gx in results[1:]:
            assert_same(y, results[0][0])
            assert_same(gx, results[0][1])


def test_a_line_longer_than_the_caches():
    x = random(2, 300_000, dtype=np.float32)
    np.testing.assert_allclose(functional.softmax(x).sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(functional.softmax(x, 1), oracle.softmax(x, 1), rtol=1e-4)
