"""The partial inverse of max pooling."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty
from cnnfast.functional._memory import empty_image, in_order, is_channels_last
from cnnfast.functional._pool.indices import check_indices
from cnnfast.functional._window import Pair, pair


def max_unpool2d(
    x: np.ndarray,
    indices: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    output_size: Pair | None = None,
) -> np.ndarray:
    """Put maxima back to where they were found, with zeros elsewhere.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    indices : ndarray (N, C, H, W) of integers
        Positions in the flat OH*OW plane, as `max_pool2d` gives them.
    kernel_size, stride, padding : int or pair of ints
        Of the pooling; they give the size of the output, (H - 1) stride - 2 padding + kernel_size.
    output_size : int or pair of ints, optional
        OH and OW, where pooling left rows or columns over.

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that do not fit together, or an index outside the
        OH*OW plane.

    Notes
    -----
    Where an index occurs more than once, as after windows that overlap, the last in row-major
    order is put there, and (as in torch) each gets the gradient.

    References
    ----------
    M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_pool2d, max_unpool2d
    >>> y, indices = max_pool2d(np.array([[[[1.0, 2.0], [4.0, 3.0]]]]), 2, return_indices=True)
    >>> max_unpool2d(y, indices, 2)[0, 0]
    array([[0., 0.],
           [4., 0.]])
    """
    x = float_array("max_unpool2d", "x", x, 4)
    nonempty("max_unpool2d", "x", x, 1)
    check_indices("max_unpool2d", indices, x.shape, "that of x")
    out = unpooled_size("max_unpool2d", x.shape[2:], kernel_size, stride, padding, output_size)
    channels_last = is_channels_last(x)
    at = _positions("max_unpool2d", indices, out, channels_last)
    y = empty_image((*x.shape[:2], *out), x.dtype, channels_last)
    y[...] = 0
    _memory(y, channels_last)[at] = _memory(in_order(x, channels_last), channels_last)
    return y


def max_unpool2d_backward(grad: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Take each maximum's gradient from where it was put.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW), float32 or float64
        Gradient of the loss with respect to the output of `max_unpool2d`.
    indices : ndarray (N, C, H, W) of integers
        What the forward pass took.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `grad`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, shapes that do not fit together, or an index outside the
        OH*OW plane.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import max_unpool2d_backward
    >>> grad = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> max_unpool2d_backward(grad, np.array([[[[2]]]]))
    array([[[[3.]]]])
    """
    name = "max_unpool2d_backward"
    grad = float_array(name, "grad", grad, 4)
    nonempty(name, "grad", grad, 1)
    size = getattr(indices, "shape", ())[2:]
    check_indices(name, indices, (*grad.shape[:2], *size), "what fits grad")
    channels_last = is_channels_last(grad)
    at = _positions(name, indices, grad.shape[2:], channels_last)
    gx = empty_image(indices.shape, grad.dtype, channels_last)  # type: ignore[arg-type]
    _memory(gx, channels_last)[...] = _memory(in_order(grad, channels_last), channels_last)[at]
    return gx


def unpooled_size(
    function: str,
    size: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair | None,
    padding: Pair,
    output_size: Pair | None,
) -> tuple[int, int]:
    """Check the arguments that give the size of the output."""
    kernel = pair(function, "kernel_size", kernel_size, 1)
    strides = kernel if stride is None else pair(function, "stride", stride, 1)
    pads = pair(function, "padding", padding, 0)
    if output_size is not None:
        return pair(function, "output_size", output_size, 1)
    rows, columns = (
        (n - 1) * s - 2 * p + k for n, s, p, k in zip(size, strides, pads, kernel, strict=True)
    )
    if min(rows, columns) < 1:
        raise ValueError(
            f"{function}: kernel_size {kernel}, stride {strides} and padding {pads} make nothing "
            f"of an image of size {tuple(size)}"
        )
    return rows, columns


def _positions(
    function: str, indices: np.ndarray, plane: tuple[int, ...], channels_last: bool
) -> np.ndarray:
    """Turn positions in planes into positions in the memory of images, in the order of memory."""
    pixels = plane[0] * plane[1]
    if indices.size and (indices.min() < 0 or indices.max() >= pixels):
        outside = np.count_nonzero((indices < 0) | (indices >= pixels))
        raise ValueError(
            f"{function}: {outside} of the indices lie outside 0..{pixels - 1}, the plane of the "
            f"output, {plane[0]} x {plane[1]}"
        )
    n, c = indices.shape[:2]
    images, channels = np.arange(n).reshape(n, 1, 1, 1), np.arange(c).reshape(1, c, 1, 1)
    ordered = in_order(indices, channels_last).astype(np.int64, copy=False)
    if channels_last:
        positions = (ordered + images * pixels) * c + channels
    else:
        positions = ordered + (images * c + channels) * pixels
    return _memory(positions, channels_last)


def _memory(images: np.ndarray, channels_last: bool) -> np.ndarray:
    """View images that are in this order of memory as one run of elements."""
    return (images.transpose(0, 2, 3, 1) if channels_last else images).reshape(-1)
