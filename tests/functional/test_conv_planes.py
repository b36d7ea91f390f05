"""1x1 convolution from C order to C order: every remainder of its tiles of pixels and filters."""

import numpy as np
import pytest

from cnnfast.functional import conv2d, conv2d_backward
from tests import oracle
from tests.helpers import FLOATS, assert_close, guarded, random

pytestmark = pytest.mark.usefixtures("isa")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("groups", [1, 3])
def test_every_remainder_of_the_pixels(dtype, groups):
    weight, bias = random(6, 5, 1, 1, dtype=dtype), random(6, dtype=dtype)
    for width in (*range(1, 70), 257, 520):
        x = random(2, 5 * groups, 1, width, dtype=dtype, seed=width)
        y = guarded(conv2d, x, weight, bias, groups=groups)
        scale = oracle.conv2d_scale(x, weight, bias, groups=groups)
        assert_close(y, oracle.conv2d(x, weight, bias, groups=groups), scale)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("filters", [1, 2, 5, 6, 7, 13, 14, 15, 28, 29, 50])
@pytest.mark.parametrize("channels", [1, 2, 7, 15, 33])
def test_every_remainder_of_the_filters(dtype, filters, channels):
    x = random(2, channels, 5, 9, dtype=dtype)
    weight, bias = (
        random(filters, channels, 1, 1, dtype=dtype, seed=1),
        random(filters, dtype=dtype),
    )
    y = guarded(conv2d, x, weight, bias)
    assert y.flags.c_contiguous
    assert_close(y, oracle.conv2d(x, weight, bias), oracle.conv2d_scale(x, weight, bias))
    gx = guarded(conv2d_backward, y, x, weight, needs=("x",))[0]
    scale = oracle.conv2d_backward(np.abs(y), np.abs(x), np.abs(weight))[0]
    assert_close(gx, oracle.conv2d_backward(y, x, weight)[0], scale)
