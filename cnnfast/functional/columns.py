"""im2col and col2im: the windows of an image as the columns of a matrix, and back."""

from __future__ import annotations

import numpy as np

from cnnfast._ext import columns as _kernels
from cnnfast.functional._arguments import float_array, nonempty
from cnnfast.functional._memory import empty
from cnnfast.functional._window import Padding, Pair, pair, window


def im2col(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    r"""Stretch every window of an image out into a column.

    .. math:: y_{n,\, (cR + r)S + s,\, o} = x_{n,\, c,\, o_h s_h - p_h + r d_h,\,
              o_w s_w - p_w + s d_w}

    where :math:`o` counts the windows row by row. A convolution is then a matrix product, the
    filters' rows times these columns: the notes' "implementation as matrix multiplication".

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    kernel_size, stride, dilation : int or pair of ints
        Rows first.
    padding : int, pair, ((top, bottom), (left, right)), "same" or "valid"
        Zeros around the image.

    Returns
    -------
    ndarray (N, C*R*S, OH*OW)
        As ``torch.nn.functional.unfold`` lays them out, in the dtype of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or a window that does not fit.

    Examples
    --------
    The notes' example, a 227x227x3 image read by 11x11 filters at stride 4:

    >>> import numpy as np
    >>> from cnnfast.functional import im2col
    >>> im2col(np.zeros((1, 3, 227, 227), np.float32), 11, stride=4).shape
    (1, 363, 3025)
    """
    x = float_array("im2col", "x", x, 4)
    nonempty("im2col", "x", x, 1)
    n, c, h, w = x.shape
    win = window("im2col", (h, w), kernel_size, stride, padding, dilation)
    rows = c * win.rows.kernel * win.columns.kernel
    columns = empty((n, rows, *win.out), x.dtype)
    _kernels.im2col(x, columns, *win)
    return columns.reshape(n, rows, win.rows.out * win.columns.out)


def col2im(
    columns: np.ndarray,
    output_size: Pair,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Sum columns back into the image they were taken from: the transpose of `im2col`.

    Where windows overlap, their values add up, so ``col2im(im2col(x))`` is `x` times the number of
    windows over each pixel. As a gradient it is what routes that of the columns to the image.

    Parameters
    ----------
    columns : ndarray (N, C*R*S, OH*OW), float32 or float64
    output_size : int or pair of ints
        H and W of the image.
    kernel_size, stride, padding, dilation
        As given to `im2col`.

    Returns
    -------
    ndarray (N, C, H, W)
        C-contiguous, in the dtype of `columns`; as ``torch.nn.functional.fold``.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, or columns that are not those of such an image.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import col2im, im2col
    >>> x = np.ones((1, 1, 3, 3))
    >>> col2im(im2col(x, 2), (3, 3), 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    columns = float_array("col2im", "columns", columns, 3)
    size = pair("col2im", "output_size", output_size, 1)
    win = window("col2im", size, kernel_size, stride, padding, dilation)
    n, rows, outputs = columns.shape
    taps = win.rows.kernel * win.columns.kernel
    if rows == 0 or rows % taps:
        raise ValueError(
            f"col2im: columns has {rows} rows, which is not C times the {taps} taps of "
            f"kernel_size {(win.rows.kernel, win.columns.kernel)}"
        )
    if outputs != win.rows.out * win.columns.out:
        raise ValueError(
            f"col2im: columns has {outputs} columns, but output_size {size} has "
            f"{win.rows.out} x {win.columns.out} windows"
        )
    image = empty((n, rows // taps, *size), columns.dtype)
    columns = np.ascontiguousarray(columns).reshape(n, rows, *win.out)
    _kernels.col2im(columns, image, *win)
    return image
