"""The course's layers: against its definitions as plain loops, and from an assignment folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import cnnfast
from cnnfast.compat import cs231n as course
from tests import oracle

FLOATS = [np.float32, np.float64]


def close(got: np.ndarray, want: np.ndarray, dtype: type = np.float64) -> None:
    assert got.shape == want.shape
    assert got.dtype == dtype
    tolerance = {np.float32: 2e-5, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(got, want, tolerance, tolerance)


# ---------------------------------------------------------------------------- definitions


def fields(h: int, w: int, fh: int, fw: int, stride: int):
    """Yield (number, rows, columns) of every field over a padded plane, row by row."""
    number = 0
    for top in range(0, h - fh + 1, stride):
        for left in range(0, w - fw + 1, stride):
            yield number, slice(top, top + fh), slice(left, left + fw)
            number += 1


def out_size(h: int, w: int, fh: int, fw: int, pad: int, stride: int) -> tuple[int, int]:
    return (h + 2 * pad - fh) // stride + 1, (w + 2 * pad - fw) // stride + 1


def zero_padded(x: np.ndarray, pad: int) -> np.ndarray:
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + 2 * pad, w + 2 * pad), x.dtype)
    padded[:, :, pad : pad + h, pad : pad + w] = x
    return padded


def naive_conv(x, w, b, stride, pad):
    padded = zero_padded(x, pad)
    out = np.zeros((len(x), len(w), *out_size(*x.shape[2:], *w.shape[2:], pad, stride)))
    flat = out.reshape(len(x), len(w), out.shape[2] * out.shape[3])
    for image in range(len(x)):
        for k in range(len(w)):
            for number, rows, columns in fields(*padded.shape[2:], *w.shape[2:], stride):
                flat[image, k, number] = (padded[image, :, rows, columns] * w[k]).sum() + b[k]
    return out


def naive_conv_backward(dout, x, w, stride, pad):
    padded = zero_padded(x, pad)
    dx, dw, db = np.zeros(padded.shape), np.zeros(w.shape), np.zeros(len(w))
    flat = dout.reshape(len(x), len(w), dout.shape[2] * dout.shape[3])
    for image in range(len(x)):
        for k in range(len(w)):
            for number, rows, columns in fields(*padded.shape[2:], *w.shape[2:], stride):
                g = flat[image, k, number]
                db[k] += g
                dw[k] += g * padded[image, :, rows, columns]
                dx[image, :, rows, columns] += g * w[k]
    return dx[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, db


def naive_max_pool(x, height, width, stride):
    n, c, h, w = x.shape
    out = np.zeros((n, c, *out_size(h, w, height, width, 0, stride)))
    for number, rows, columns in fields(h, w, height, width, stride):
        out.reshape(n, c, -1)[:, :, number] = x[:, :, rows, columns].max((2, 3))
    return out


def naive_im2col(x, fh, fw, pad, stride):
    n, c, h, w = x.shape
    padded = zero_padded(x, pad)
    out_h, out_w = out_size(h, w, fh, fw, pad, stride)
    cols = np.zeros((c * fh * fw, out_h * out_w * n), x.dtype)
    for y in range(out_h):
        for left in range(out_w):
            for image in range(n):
                field = padded[image, :, y * stride :, left * stride :][:, :fh, :fw]
                cols[:, y * out_w * n + left * n + image] = field.ravel()
    return cols


# Shapes (N, C, H, W) and windows (HH, WW, pad, stride): batches below, at and between the blocks
# of 8 images; fields that are not square; strides below, at and above the field; windows dropped.
SHAPES = [
    ((2, 3, 4, 4), (4, 4, 1, 2)),
    ((1, 1, 5, 6), (2, 3, 0, 1)),
    ((3, 2, 7, 5), (3, 3, 1, 2)),
    ((4, 3, 9, 8), (3, 2, 2, 3)),
    ((5, 2, 6, 7), (1, 3, 0, 2)),
    ((7, 1, 5, 5), (1, 1, 0, 2)),
    ((8, 4, 6, 6), (3, 3, 1, 1)),
    ((9, 2, 8, 8), (2, 2, 0, 2)),
    ((17, 3, 6, 5), (2, 4, 1, 5)),
    ((0, 2, 5, 5), (3, 3, 1, 2)),
]


@pytest.fixture
def rng():
    return np.random.default_rng(231)


# ---------------------------------------------------------------------------- convolution


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


# ---------------------------------------------------------------------------- max pooling


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


# ---------------------------------------------------------------------------- columns


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "field"), SHAPES)
def test_columns(shape, field, dtype, rng):
    x = rng.standard_normal(shape).astype(dtype)
    want = naive_im2col(x, *field)
    for same in (x, x[:, :, ::-1, ::-1][:, :, ::-1, ::-1], x.transpose(0, 2, 3, 1).copy()):
        if same.shape != x.shape:
            same = same.transpose(0, 3, 1, 2)
        cols = course.im2col_cython(same, *field)
        assert cols.dtype == dtype
        assert cols.flags.c_contiguous
        np.testing.assert_array_equal(cols, want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "field"), SHAPES)
def test_columns_summed(shape, field, dtype, rng):
    n, c, h, w = shape
    fh, fw, pad, stride = field
    out_h, out_w = out_size(h, w, *field)
    cols = rng.standard_normal((c * fh * fw, out_h * out_w * n)).astype(dtype)
    by_image = cols.reshape(len(cols), out_h * out_w, n).transpose(2, 0, 1)
    want = oracle.col2im(by_image, (h, w), (fh, fw), stride, pad)
    close(course.col2im_cython(cols, *shape, *field), want, dtype)
    close(course.col2im_cython(cols[::-1][::-1], *shape, *field), want, dtype)
    six = by_image.reshape(n, c, fh, fw, out_h, out_w).transpose(1, 2, 3, 0, 4, 5)
    close(course.col2im_6d_cython(six, *shape, *field), want, dtype)
    close(course.col2im_6d_cython(six.copy(), *shape, *field), want, dtype)


def test_columns_summed_part_by_part(rng, monkeypatch):
    shape, field = (10, 5, 7, 7), (3, 3, 1, 2)
    six = rng.standard_normal((5, 3, 3, 10, 4, 4))
    whole = course.col2im_6d_cython(six, *shape, *field)
    monkeypatch.setattr(
        course.columns, "CACHED_BYTES", six.nbytes * 4 // 10
    )  # four images of the ten
    np.testing.assert_array_equal(course.col2im_6d_cython(six, *shape, *field), whole)


def test_columns_multiply_to_a_convolution(rng):
    """What the course does with them."""
    x, w = rng.standard_normal((6, 3, 7, 7)), rng.standard_normal((4, 3, 3, 3))
    cols = course.im2col_cython(x, 3, 3, 1, 2)
    out = (w.reshape(4, -1) @ cols).reshape(4, 4, 4, 6).transpose(3, 0, 1, 2)
    close(out, naive_conv(x, w, np.zeros(4), 2, 1))


def test_keywords_are_the_courses():
    x = np.ones((1, 1, 3, 3))
    cols = course.im2col_cython(x=x, field_height=2, field_width=2, padding=0, stride=1)
    images = {"N": 1, "C": 1, "H": 3, "W": 3}
    course.col2im_cython(cols=cols, **images, field_height=2, field_width=2, padding=0, stride=1)
    course.col2im_6d_cython(cols=np.ones((1, 2, 2, 1, 2, 2)), **images, HH=2, WW=2, pad=0, stride=1)


# ---------------------------------------------------------------------------- bad input

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


# ---------------------------------------------------------------------------- the folder

FOLDER = {
    "__init__.py": "",
    "im2col.py": """
        import numpy as np

        def im2col_indices(x):
            return "the folder's own"
    """,
    "im2col_cython.pyx": "# not compiled, and not to be",
    "fast_layers.py": """
        import numpy as np

        try:
            from .im2col_cython import col2im_cython, im2col_cython
            from .im2col_cython import col2im_6d_cython
        except ImportError:
            print("please compile the extension")

        from .im2col import *

        def conv_forward_fast(x, w, b, conv_param):
            return im2col_cython(x, 3, 3, 1, 1), None

        def conv_backward_fast(dout, cache):
            return col2im_6d_cython(dout)

        def max_pool_forward_fast(x, pool_param):
            return im2col(x), None

        def max_pool_backward_fast(dout, cache):
            return None
    """,
    "layers.py": """
        import numpy as np

        def relu_forward(x):
            return np.maximum(0, x), x

        def relu_backward(dout, cache):
            return dout * (cache > 0)
    """,
    "layer_utils.py": """
        from .layers import *
        from .fast_layers import *

        def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
            a, conv_cache = conv_forward_fast(x, w, b, conv_param)
            s, relu_cache = relu_forward(a)
            out, pool_cache = max_pool_forward_fast(s, pool_param)
            return out, (conv_cache, relu_cache, pool_cache)

        def conv_relu_pool_backward(dout, cache):
            conv_cache, relu_cache, pool_cache = cache
            ds = max_pool_backward_fast(dout, pool_cache)
            return conv_backward_fast(relu_backward(ds, relu_cache), conv_cache)
    """,
    "classifiers/__init__.py": "",
    "classifiers/cnn.py": """
        import numpy as np

        from ..layers import *
        from ..fast_layers import *
        from ..layer_utils import *
    """,
}

# What a notebook does once the package is set up.
USE = """
    import numpy as np
    from cs231n.layer_utils import conv_relu_pool_forward, conv_relu_pool_backward

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 16, 16)), rng.standard_normal((3, 3, 3, 3))
    out, cache = conv_relu_pool_forward(
        x, w, np.arange(3), {"stride": 1, "pad": 1},
        {"pool_height": 2, "pool_width": 2, "stride": 2},
    )
    dx, dw, db = conv_relu_pool_backward(np.ones_like(out), cache)
    # In the direction of a random step the loss changes as its gradient says.
    step = rng.standard_normal(w.shape)
    def loss(t):
        return conv_relu_pool_forward(x, w + t * step, np.arange(3), *settings)[0].sum()
    settings = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert abs(slope - (dw * step).sum()) < 1e-5 * abs(slope), (slope, (dw * step).sum())
    assert out.shape == (2, 3, 8, 8) and dx.shape == x.shape and db.shape == (3,)
"""
INSTALL = """
    from cnnfast.compat import cs231n as course
    course.install()
"""


@pytest.fixture
def run(tmp_path):
    """Run lines of Python in an assignment folder; returns what they print."""
    for name, text in FOLDER.items():
        path = tmp_path / "cs231n" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))

    def run(*scripts: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(dedent(script) for script in scripts)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(cnnfast.__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    run.folder = tmp_path
    return run


def test_the_folder_alone_asks_to_be_compiled(run):
    assert run("from cs231n.fast_layers import *").strip() == "please compile the extension"
    assert "NameError" in run(USE, fails=True)


def test_the_folder_after_install(run):
    check = """
        import sys, cs231n
        from cs231n.fast_layers import conv_forward_fast, max_pool_backward_fast
        from cs231n.im2col_cython import col2im_6d_cython
        import cs231n.classifiers.cnn

        assert conv_forward_fast is course.conv_forward_fast
        assert col2im_6d_cython is cs231n.fast_layers.col2im_6d_cython is course.col2im_6d_cython
        assert cs231n.fast_layers is sys.modules["cs231n.fast_layers"]
        assert cs231n.im2col_cython is sys.modules["cs231n.im2col_cython"]
        assert cs231n.layer_utils.conv_forward_fast is course.conv_forward_fast
        assert cs231n.classifiers.cnn.im2col_cython is course.im2col_cython
        assert cs231n.fast_layers.__file__.startswith(course.__path__[0])
    """
    assert run(INSTALL, USE, check) == ""


def test_star_import_hands_on_what_the_courses_file_does(run):
    check = """
        from cs231n.fast_layers import *
        assert im2col_indices(None) == "the folder's own"
        np.zeros(1)
        for name in set(course.__all__) - {"install"}:
            assert globals()[name] is getattr(course, name), name
        assert "install" not in globals()
    """
    assert run(INSTALL, check) == ""


def test_a_folder_without_im2col(run):
    (run.folder / "cs231n" / "im2col.py").unlink()
    assert run(INSTALL, USE) == ""


@pytest.mark.parametrize(
    "imports",
    [
        "import cs231n",
        "import cs231n.fast_layers",
        "import cs231n.layer_utils, cs231n.classifiers.cnn",
        "from cs231n.fast_layers import *; from cs231n.layer_utils import *",
        "from cs231n.fast_layers import conv_forward_fast as mine; import cs231n.layer_utils",
    ],
)
def test_install_after_import(run, imports):
    check = """
        import sys
        held = [
            value for name, module in list(sys.modules.items())
            if name == "__main__" or name.split(".")[0] == "cs231n"
            for value in list(vars(module).values())
            if getattr(value, "__name__", "") == "conv_forward_fast"
        ]
        assert held and all(value is course.conv_forward_fast for value in held), held
    """
    printed = run(imports, INSTALL, USE, check)
    assert printed.strip() in ("", "please compile the extension")


def test_install_outranks_a_compiled_extension(run):
    """Or anything else of its name, loaded already or not."""
    (run.folder / "cs231n" / "im2col_cython.py").write_text(
        "def im2col_cython(*args): ...\ncol2im_cython = im2col_cython\ncol2im_6d_cython = None\n"
    )
    check = """
        import cs231n.im2col_cython, cs231n.fast_layers
        assert cs231n.im2col_cython.im2col_cython is course.im2col_cython
        assert cs231n.fast_layers.col2im_6d_cython is course.col2im_6d_cython
    """
    assert run(INSTALL, check) == ""
    assert run("import cs231n.fast_layers", INSTALL, check, USE) == ""


def test_reload_as_autoreload_does(run):
    check = """
        import importlib
        import cs231n.classifiers.cnn
        for module in (
            cs231n, cs231n.layers, cs231n.im2col, cs231n.im2col_cython, cs231n.fast_layers,
            cs231n.layer_utils, cs231n.classifiers.cnn,
        ):
            assert importlib.reload(module) is module
        assert cs231n.fast_layers.conv_forward_fast is course.conv_forward_fast
        assert cs231n.layer_utils.im2col_cython is course.im2col_cython
    """
    assert run(INSTALL, check, USE) == ""


def test_install_twice_is_install_once(run):
    check = """
        import sys
        finders = list(sys.meta_path)
        import cs231n.fast_layers as before
        course.install()
        assert sys.meta_path == finders
        import cs231n.fast_layers as after
        assert before is after
    """
    assert run(INSTALL, check, USE) == ""


def test_install_without_a_folder(run, tmp_path):
    (run.folder / "cs231n").rename(run.folder / "elsewhere")
    message = run(INSTALL, "import cs231n.fast_layers", fails=True)
    assert "ModuleNotFoundError: No module named 'cs231n'" in message
