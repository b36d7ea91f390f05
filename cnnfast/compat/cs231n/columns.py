"""im2col and col2im by the course's names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cnnfast.compat.cs231n import _batch_last as batch_last
from cnnfast.compat.cs231n._arguments import promoted
from cnnfast.functional._arguments import float_array, nonempty, same_shape
from cnnfast.functional._memory import empty
from cnnfast.functional._window import Window, pair, window
from cnnfast.functional.columns import col2im

__all__ = ["col2im_6d_cython", "col2im_cython", "im2col_cython"]

# Scattered columns are gathered in parts of about this size, which stay in a core's cache.
CACHED_BYTES = 1 << 20


def im2col_cython(
    x: ArrayLike, field_height: int, field_width: int, padding: int, stride: int
) -> np.ndarray:
    """Stretch every window of a batch out into a column of one matrix.

    Parameters
    ----------
    x : array (N, C, H, W)
    field_height, field_width, padding, stride : int

    Returns
    -------
    ndarray (C * field_height * field_width, out_h * out_w * N)
        The window at (y, x) of image n is column ``(y * out_w + x) * N + n``.
        (`cnnfast.functional.im2col` keeps the images apart.)

    Examples
    --------
    Two images of 2 x 2 pixels, read one pixel at a time:

    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import im2col_cython
    >>> im2col_cython(np.arange(8.0).reshape(2, 1, 2, 2), 1, 1, 0, 1)
    array([[0., 4., 1., 5., 2., 6., 3., 7.]])
    """
    name = "im2col_cython"
    (x,) = promoted(name, x=x)
    x = float_array(name, "x", x, 4)
    nonempty(name, "x", x, 1)
    n, c, h, w = x.shape
    placed = window(name, (h, w), (field_height, field_width), stride, padding)
    return batch_last.fields_of(x, placed).reshape(_columns_shape(n, c, placed))


def col2im_cython(
    cols: ArrayLike,
    N: int,
    C: int,
    H: int,
    W: int,
    field_height: int,
    field_width: int,
    padding: int,
    stride: int,
) -> np.ndarray:
    """Sum columns back into the images they were taken from: the transpose of `im2col_cython`.

    Parameters
    ----------
    cols : array (C * field_height * field_width, out_h * out_w * N)
        As `im2col_cython` orders them.
    N, C, H, W : int
        Shape of the images.
    field_height, field_width, padding, stride : int

    Returns
    -------
    ndarray (N, C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import col2im_cython, im2col_cython
    >>> columns = im2col_cython(np.ones((2, 1, 3, 3)), 2, 2, 0, 1)
    >>> col2im_cython(columns, 2, 1, 3, 3, 2, 2, 0, 1)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    name = "col2im_cython"
    field = field_height, field_width
    shape, placed = _images(name, (N, C, H, W), field, padding, stride)
    (cols,) = promoted(name, cols=cols)
    n, c, h, w = shape
    same_shape(name, "cols", cols, _columns_shape(n, c, placed), "the columns' of such images")
    x = empty(shape, cols.dtype)
    if x.size == 0:
        return x
    fields = cols.reshape(c, *_field_shape(placed), n)
    if batch_last.one_by_one(n, placed):
        for i in range(n):
            one = fields[..., i].reshape(1, len(cols), -1)
            x[i] = col2im(one, (h, w), field, stride, padding)[0]
        return x
    summed = batch_last.sum_fields(fields, placed)
    for some in batch_last.blocks(n):
        x[some] = summed[..., some].transpose(3, 0, 1, 2)
    return x


def col2im_6d_cython(
    cols: ArrayLike,
    N: int,
    C: int,
    H: int,
    W: int,
    HH: int,
    WW: int,
    pad: int,
    stride: int,
) -> np.ndarray:
    """Sum columns in the order (C, HH, WW, N, out_h, out_w) back into images.

    Parameters
    ----------
    cols : array (C, HH, WW, N, out_h, out_w)
    N, C, H, W : int
        Shape of the images.
    HH, WW, pad, stride : int

    Returns
    -------
    ndarray (N, C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.compat.cs231n import col2im_6d_cython
    >>> col2im_6d_cython(np.ones((1, 2, 2, 5, 2, 2)), 5, 1, 3, 3, 2, 2, 0, 1)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    name = "col2im_6d_cython"
    shape, placed = _images(name, (N, C, H, W), (HH, WW), pad, stride)
    (cols,) = promoted(name, cols=cols)
    n, c, h, w = shape
    rows, columns = _columns_shape(1, c, placed)
    expected = (c, *_field_shape(placed)[:2], n, *placed.out)
    same_shape(name, "cols", cols, expected, "the columns' of such images")
    x = empty(shape, cols.dtype)
    if x.size == 0:
        return x
    cols = cols.reshape(rows, n, columns).swapaxes(0, 1)
    step = max(1, CACHED_BYTES * n // cols.nbytes)
    for first in range(0, n, step):
        some = slice(first, first + step)
        x[some] = col2im(cols[some], (h, w), (HH, WW), stride, pad)
    return x


def _images(
    function: str,
    shape: tuple[int, int, int, int],
    field: tuple[int, int],
    padding: int,
    stride: int,
) -> tuple[tuple[int, int, int, int], Window]:
    """Check the shape of images, and place the fields over them."""
    n, _ = pair(function, "N", shape[0], 0)
    c, _ = pair(function, "C", shape[1], 1)
    h, w = pair(function, "(H, W)", shape[2:], 1)
    return (n, c, h, w), window(function, (h, w), field, stride, padding)


def _field_shape(placed: Window) -> tuple[int, ...]:
    return placed.rows.kernel, placed.columns.kernel, *placed.out


def _columns_shape(n: int, c: int, placed: Window) -> tuple[int, int]:
    height, width, out_h, out_w = _field_shape(placed)
    return c * height * width, out_h * out_w * n
