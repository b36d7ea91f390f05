"""im2col and col2im by the course's names."""

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
    naive_im2col,
    out_size,
)


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
