"""Convolution by the course's names, and what all its layers do with arrays."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.compat import cs231n as course
from tests import oracle
from tests.compat.cs231n.naive import (
    FLOATS,
    SHAPES,
    close,
    naive_conv,
    naive_conv_backward,
    naive_im2col,
    naive_max_pool,
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "field"), SHAPES)
def test_convolution_and_gradients(shape, field, dtype, rng):
    fh, fw, pad, stride = field
    x = rng.standard_normal(shape).astype(dtype)
    w = rng.standard_normal((3, shape[1], fh, fw)).astype(dtype)
    b = rng.standard_normal(3).astype(dtype)
    out, cache = course.conv_forward_fast(x, w, b, {"stride": stride, "pad": pad})
    close(out, naive_conv(x, w, b, stride, pad), dtype)
    close(out, oracle.conv2d(x, w, b, stride, pad), dtype)
    dout = rng.standard_normal(out.shape).astype(dtype)
    gradients = course.conv_backward_fast(dout, cache)
    for got, want in zip(gradients, naive_conv_backward(dout, x, w, stride, pad), strict=True):
        close(got, want, dtype)


def test_figures_of_the_notebook():
    """What the notebook gives for checking one's own layers."""
    x = np.linspace(-0.1, 0.5, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, 3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    out, _ = course.conv_forward_im2col(x, w, np.linspace(-0.1, 0.2, 3), {"stride": 2, "pad": 1})
    assert out[0, 0].ravel() == pytest.approx([-0.08759809, -0.10987781, -0.18387192, -0.2109216])
    assert out[1, 2].ravel() == pytest.approx([2.36270298, 2.36904306, 2.38090835, 2.38247847])
    x = np.linspace(-0.3, 0.4, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    out, _ = course.max_pool_forward_fast(x, {"pool_width": 2, "pool_height": 2, "stride": 2})
    assert out[1, 2].ravel() == pytest.approx([0.32631579, 0.34105263, 0.38526316, 0.4])


@pytest.mark.parametrize(
    "forward", [course.conv_forward_im2col, course.conv_forward_strides, course.conv_forward_fast]
)
@pytest.mark.parametrize(
    "backward",
    [course.conv_backward_im2col, course.conv_backward_strides, course.conv_backward_fast],
)
def test_every_name_of_convolution(forward, backward, rng):
    x, w, b = (rng.standard_normal(s) for s in [(2, 3, 5, 5), (4, 3, 3, 3), 4])
    out, cache = forward(x, w, b, {"stride": 2, "pad": 1})
    close(out, naive_conv(x, w, b, 2, 1))
    for got, want in zip(backward(out, cache), naive_conv_backward(out, x, w, 2, 1), strict=True):
        close(got, want)


def test_a_cache_serves_more_than_once(rng):
    x, w, b = (rng.standard_normal(s) for s in [(2, 3, 5, 5), (4, 3, 3, 3), 4])
    out, cache = course.conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    first, second = (course.conv_backward_fast(out, cache) for _ in range(2))
    for a, c in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, c)
    out, cache = course.max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    np.testing.assert_array_equal(
        course.max_pool_backward_fast(out, cache), course.max_pool_backward_fast(out, cache)
    )


def test_the_naive_layers_cache_is_taken(rng):
    x, w = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((4, 3, 3, 3))
    conv_param = {"stride": 1, "pad": 1}
    dout = rng.standard_normal((2, 4, 5, 5))
    dx, _, _ = course.conv_backward_fast(dout, (x, w, np.zeros(4), conv_param))
    close(dx, naive_conv_backward(dout, x, w, 1, 1)[0])


def test_arguments_stay_as_they_were(rng):
    x, w = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((4, 3, 3, 3))
    b = np.arange(4)
    before = [a.copy() for a in (x, w, b)]
    for a in (x, w, b):
        a.flags.writeable = False
    out, cache = course.conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    course.conv_backward_fast(out, cache)
    for a, c in zip((x, w, b), before, strict=True):
        np.testing.assert_array_equal(a, c)
    assert out.flags.c_contiguous
    assert out.flags.writeable


# ---------------------------------------------------------------------------- dtypes


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((np.float64, np.float64, np.int64), np.float64),  # np.array([0, 128]) in the notebook
        ((np.float32, np.float32, np.float64), np.float64),
        ((np.float64, np.float32, np.float32), np.float64),
        ((np.uint8, np.float32, np.float32), np.float32),
        ((np.uint8, np.int64, np.bool_), np.float64),
        ((np.float16, np.float16, np.float16), np.float32),
        ((">f8", np.float64, np.float64), np.float64),
    ],
)
def test_dtypes_meet_as_in_numpy(dtypes, expected, rng):
    x, w, b = (
        rng.integers(0, 2, s).astype(dtype)
        for s, dtype in zip([(2, 3, 5, 4), (3, 3, 2, 2), 3], dtypes, strict=True)
    )
    out, cache = course.conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    close(out, naive_conv(x.astype(float), w.astype(float), b.astype(float), 1, 0), expected)
    dout = np.ones(out.shape, np.int8)
    for gradient in course.conv_backward_fast(dout, cache):
        assert gradient.dtype == expected


def test_the_gradient_of_pooling_has_the_dtype_of_its_input(rng):
    x = rng.standard_normal((2, 3, 4, 4)).astype(np.float32)
    out, cache = course.max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    assert out.dtype == np.float32
    assert course.max_pool_backward_fast(out, cache).dtype == np.float32
    assert course.max_pool_backward_fast(out.astype(float), cache).dtype == np.float32
    assert course.max_pool_backward_fast(np.ones(out.shape, int), cache).dtype == np.float32


def test_integer_images():
    x = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    close(course.im2col_cython(x, 2, 2, 1, 2), naive_im2col(x, 2, 2, 1, 2).astype(float))
    out, _ = course.max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    close(out, naive_max_pool(x, 2, 2, 2))


def test_a_bias_may_stand_on_end(rng):
    x, w = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal((5, 3, 3, 3))
    out, cache = course.conv_forward_fast(x, w, np.arange(5)[:, None], {"stride": 1, "pad": 1})
    close(out, naive_conv(x, w, np.arange(5), 1, 1))
    assert course.conv_backward_fast(out, cache)[2].shape == (5,)
