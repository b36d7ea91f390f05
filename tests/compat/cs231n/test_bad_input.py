"""What the course's functions refuse, and how they say so."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.compat import cs231n as course

X = np.ones((2, 3, 5, 5))
W, B = np.ones((4, 3, 3, 3)), np.ones(4)
CONV = {"stride": 1, "pad": 0}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: course.conv_forward_fast(X, W, B, {"stride": 1}), ValueError, "stride, pad"),
        (lambda: course.conv_forward_fast(X, W, B, None), ValueError, "conv_param must be a dict"),
        (lambda: course.conv_forward_fast(X, W[:, :2], B, CONV), ValueError, "3 channels"),
        (lambda: course.conv_forward_fast(X, W, B[:3], CONV), ValueError, "bias has shape"),
        (lambda: course.conv_forward_fast(X, W, None, CONV), TypeError, "b must hold real"),
        (lambda: course.conv_forward_fast(X[0], W, B, CONV), ValueError, "4 dimensions"),
        (lambda: course.conv_forward_fast(X + 1j, W, B, CONV), TypeError, "x must hold real"),
        (
            lambda: course.conv_forward_fast(X, W, B, {"stride": 0, "pad": 0}),
            ValueError,
            "stride must be at least 1",
        ),
        (
            lambda: course.conv_forward_fast(X, W, B, {"stride": 1, "pad": 0.5}),
            TypeError,
            "padding must be an int",
        ),
        (
            lambda: course.conv_forward_fast(X[:, :, :2], W, B, CONV),
            ValueError,
            "spans 3 rows, more than the 2",
        ),
        (
            lambda: course.conv_backward_fast(
                np.ones((2, 4, 2, 3)), course.conv_forward_fast(X, W, B, CONV)[1]
            ),
            ValueError,
            "grad has shape",
        ),
        (lambda: course.max_pool_forward_fast(X, {"stride": 1}), ValueError, "pool_height"),
        (
            lambda: course.max_pool_forward_fast(
                X, {"pool_height": 6, "pool_width": 2, "stride": 2}
            ),
            ValueError,
            "spans 6 rows",
        ),
        (
            lambda: course.max_pool_backward_fast(
                np.ones((2, 3, 1, 2)),
                course.max_pool_forward_fast(X, {"pool_height": 2, "pool_width": 2, "stride": 2})[
                    1
                ],
            ),
            ValueError,
            "grad has shape",
        ),
        (lambda: course.im2col_cython(X[0], 2, 2, 0, 1), ValueError, "4 dimensions"),
        (lambda: course.im2col_cython(X, 6, 2, 0, 1), ValueError, "im2col_cython: kernel_size"),
        (lambda: course.im2col_cython(X, 0, 2, 0, 1), ValueError, "kernel_size"),
        (lambda: course.im2col_cython(X, 2, 2, -1, 1), ValueError, "padding"),
        (lambda: course.im2col_cython(X, 2, 2, 0, 0), ValueError, "stride"),
        (lambda: course.im2col_cython(X[:, :0], 2, 2, 0, 1), ValueError, "empty"),
        (
            lambda: course.col2im_cython(np.ones((4, 4)), 1, 1, 4, 3, 2, 2, 0, 1),
            ValueError,
            r"col2im_cython: cols has shape \(4, 4\)",
        ),
        (
            lambda: course.col2im_cython(np.ones((4, 4)), -1, 1, 3, 3, 2, 2, 0, 1),
            ValueError,
            "N must be at least 0",
        ),
        (
            lambda: course.col2im_cython(np.ones((4, 4)), 2**40, 2**40, 3, 3, 2, 2, 0, 1),
            ValueError,
            "N must be at most",
        ),
        (
            lambda: course.col2im_6d_cython(np.ones((4, 4)), 1, 1, 3, 3, 2, 2, 0, 1),
            ValueError,
            r"must|cols has shape \(4, 4\)",
        ),
        (
            lambda: course.col2im_6d_cython(np.ones((1, 2, 2, 1, 2, 2)), 1, 1, 1, 3, 2, 2, 0, 1),
            ValueError,
            "spans 2 rows",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
