"""What the tests of normalisation share."""

import numpy as np
import pytest

from tests.helpers import (
    FLOATS,
    ORDERS,
    TOLERANCE,
    assert_close,
    random,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)
each_isa = pytest.mark.usefixtures("isa")

EPS = 1e-5
NEEDS = ("x", "weight", "bias")


def vectors(channels, dtype, count=2):
    """Weights, biases and the like: positive, so that they serve as variances too."""
    return [0.5 + abs(random(channels, dtype=dtype, seed=i)) for i in range(5, 5 + count)]


def close(got, want, scale=1.0):
    """Up to rounding, of numbers of the size of the largest result or of scale."""
    assert_close(got, want, np.maximum(scale, np.abs(want)), 2 * TOLERANCE[got.dtype])
