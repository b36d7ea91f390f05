"""Max pooling by the course's names."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.compat import cs231n as course
from tests import oracle
from tests.compat.cs231n.naive import (
    FLOATS,
    close,
    naive_max_pool,
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("forward", [course.max_pool_forward_fast, course.max_pool_forward_im2col])
@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((3, 2, 8, 8), (2, 2, 2)),
        ((2, 3, 7, 7), (3, 3, 2)),
        ((1, 2, 6, 4), (3, 2, 1)),
        ((2, 1, 40, 40), (20, 20, 20)),  # more taps than a byte can number
    ],
)
def test_max_pooling(shape, window, forward, dtype, rng):
    height, width, stride = window
    x = rng.standard_normal(shape).astype(dtype)
    pool_param = {"pool_height": height, "pool_width": width, "stride": stride}
    out, cache = forward(x, pool_param)
    close(out, naive_max_pool(x, height, width, stride), dtype)
    dout = rng.standard_normal(out.shape).astype(dtype)
    _, indices = oracle.max_pool2d(x, (height, width), stride)
    want = oracle.max_pool2d_backward(dout, indices, shape)
    for backward in (
        course.max_pool_backward_fast,
        course.max_pool_backward_im2col,
        course.max_pool_backward_reshape,
    ):
        close(backward(dout, cache), want, dtype)


def test_windows_that_do_not_fit():
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    assert course.max_pool_forward_fast(x, pool_param)[0].shape == (1, 1, 2, 2)
    for forward in (course.max_pool_forward_im2col, course.max_pool_forward_reshape):
        with pytest.raises(ValueError, match="strict: height 5 leaves 1 rows"):
            forward(x, pool_param)
    w, b, conv_param = np.ones((1, 1, 2, 2)), np.zeros(1), {"stride": 2, "pad": 0}
    assert course.conv_forward_fast(x, w, b, conv_param)[0].shape == (1, 1, 2, 2)
    with pytest.raises(ValueError, match="strict: height 5 leaves 1 rows"):
        course.conv_forward_im2col(x, w, b, conv_param)


def test_the_first_of_a_tie_gets_the_gradient():
    pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = course.max_pool_forward_fast(np.zeros((1, 1, 2, 2)), pool_param)
    dx = course.max_pool_backward_fast(np.ones_like(out), cache)
    np.testing.assert_array_equal(dx[0, 0], [[1, 0], [0, 0]])
