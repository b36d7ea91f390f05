"""Convolution without parameter sharing, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np

from cnnfast.functional._arguments import check_needs, float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._conv import images
from cnnfast.functional._conv.arguments import check_sizes
from cnnfast.functional._conv.passes import Gradients, at_once
from cnnfast.functional._memory import empty, empty_image, is_channels_last
from cnnfast.functional._window import Padding, Pair, Window, plain_axis, window


def locally_connected2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    r"""Convolve images with filters that differ from position to position.

    .. math:: y_{n,k,i,j} = b_{k,i,j} + \sum_{c,r,s} w_{i,j,k,c,r,s}\,
              x_{n,\, c,\, i s_h - p_h + r d_h,\, j s_w - p_w + s d_w}

    The notes name it for images that are centred, such as faces: what is worth looking for then
    depends on where.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    weight : ndarray (OH, OW, K, C, R, S)
        K filters for each position of the window, in the dtype of `x`.
    bias : ndarray (K, OH, OW), optional
    stride, padding, dilation
        As in `conv2d`.

    Returns
    -------
    ndarray (N, K, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError
        For anything but arrays of one float dtype.
    ValueError
        For shapes that do not fit together, or a window larger than the padded input.

    Notes
    -----
    Computed as a grouped convolution, with a group for each position, of all that the windows see
    (up to R*S times the memory of `x`). Mostly the time goes into reading the weights, so batches
    pay.

    References
    ----------
    Y. Taigman et al., "DeepFace: closing the gap to human-level performance in face verification",
    2014.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import locally_connected2d
    >>> weight = np.arange(4.0).reshape(2, 2, 1, 1, 1, 1)
    >>> locally_connected2d(np.ones((1, 1, 2, 2)), weight)[0, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    name = "locally_connected2d"
    x, weight, win = _placed(name, x, weight, stride, padding, dilation)
    shape = (x.shape[0], weight.shape[2], *win.out)
    if bias is not None:
        bias = float_array(name, "bias", bias)
        same_dtype(name, "x", x, bias=bias)
        same_shape(name, "bias", bias, shape[1:], "one value for each filter")
    if x.shape[0] == 0:
        return empty(shape, x.dtype)
    seen, filters, geometry = _by_tap(x, win), _grouped(weight), _geometry(x, win)
    y = images.forward(seen, filters, None, *geometry, "channels_last", at_once)
    y = y[0, :, 0].T.reshape(shape[0], *win.out, shape[1]).transpose(0, 3, 1, 2)
    y = y if is_channels_last(x) else _copied(y, False)
    if bias is not None:
        y += bias
    return y


def locally_connected2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> Gradients:
    """Gradients of `locally_connected2d` with respect to its input, weights and bias.

    Parameters
    ----------
    grad : ndarray (N, K, OH, OW)
        Gradient of the loss with respect to the output.
    x, weight, stride, padding, dilation
        What the forward pass took.
    needs : collection of "x", "weight", "bias"
        The gradients to compute.

    Returns
    -------
    gx : ndarray (N, C, H, W) or None
        In the memory order of `x`.
    gw : ndarray (OH, OW, K, C, R, S) or None
    gb : ndarray (K, OH, OW) or None
        None for what is not needed.

    Raises
    ------
    TypeError, ValueError
        As `locally_connected2d`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import locally_connected2d_backward
    >>> weight = np.arange(4.0).reshape(2, 2, 1, 1, 1, 1)
    >>> grad, x = np.ones((1, 1, 2, 2)), np.full((1, 1, 2, 2), 3.0)
    >>> gx, gw, gb = locally_connected2d_backward(grad, x, weight)
    >>> gx[0, 0], gw.ravel()
    (array([[0., 1.],
           [2., 3.]]), array([3., 3., 3., 3.]))
    """
    name = "locally_connected2d_backward"
    x, weight, win = _placed(name, x, weight, stride, padding, dilation)
    shape = (x.shape[0], weight.shape[2], *win.out)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, shape, "the output's shape")
    check_needs(name, needs)
    if x.shape[0] == 0:
        sizes = {"x": x.shape, "weight": weight.shape, "bias": shape[1:]}
        gradients = [np.zeros(sizes[n], x.dtype) if n in needs else None for n in sizes]
        return gradients[0], gradients[1], gradients[2]
    last = grad if is_channels_last(grad) else _copied(grad, True)
    outputs = _as_row(last.transpose(0, 2, 3, 1))
    filters, geometry = _grouped(weight), _geometry(x, win)
    gx = gw = gb = None
    if "x" in needs:
        shape_seen = (1, math.prod(win.out) * x.shape[1], filters.shape[2], x.shape[0])
        seen = images.backward_data(outputs, filters, shape_seen, True, *geometry)
        gx = _image(seen, x.shape, win, is_channels_last(x))
    if "weight" in needs:
        seen = _by_tap(x, win)
        gw = images.backward_weights(outputs, seen, filters.shape, *geometry).reshape(weight.shape)
    if "bias" in needs:
        gb = np.sum(grad, axis=0, out=empty(shape[1:], x.dtype))
    return gx, gw, gb


def _placed(
    function: str,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
) -> tuple[np.ndarray, np.ndarray, Window]:
    """Check the arrays, and place the window over the input."""
    weight = float_array(function, "weight", weight, 6)
    nonempty(function, "weight", weight, 0)
    x = float_array(function, "x", x, 4)
    same_dtype(function, "x", x, weight=weight)
    nonempty(function, "x", x)
    _, channels, height, width = x.shape
    if channels != weight.shape[3]:
        raise ValueError(
            f"{function}: x has {channels} channels, but weight {weight.shape} reads "
            f"{weight.shape[3]}"
        )
    win = window(function, (height, width), weight.shape[4:], stride, padding, dilation)
    if weight.shape[:2] != win.out:
        raise ValueError(
            f"{function}: weight {weight.shape} has filters for {weight.shape[:2]} positions, but "
            f"the window has {win.out}"
        )
    check_sizes(function, "x", channels, weight.shape, win)
    return x, weight, win


def _grouped(weight: np.ndarray) -> np.ndarray:
    """View filters (OH, OW, K, C, R, S) as (OH OW K, C, R S, 1)."""
    rows, columns, k, channels, r, s = weight.shape
    return weight.reshape(rows * columns * k, channels, r * s, 1)


def _geometry(x: np.ndarray, win: Window) -> tuple[Window, int]:
    """A window over all rows of one column of N, and as many groups as positions."""
    taps = win.rows.kernel * win.columns.kernel
    rows = plain_axis(1)._replace(size=taps, kernel=taps)
    return Window((rows, plain_axis(x.shape[0]))), math.prod(win.out)


def _by_tap(x: np.ndarray, win: Window) -> np.ndarray:
    """What each tap meets, as an image (1, OH OW C, R S, N), channels-last in memory."""
    n, channels = x.shape[:2]
    seen = empty((win.rows.kernel * win.columns.kernel, n, *win.out, channels), x.dtype)
    framed, inside = _framed(x.shape, x.dtype, win)
    inside[...] = x
    for part, met in zip(seen, _met(framed, win), strict=True):
        part[...] = met
    return seen.reshape(*seen.shape[:2], math.prod(win.out) * channels).transpose(2, 0, 1)[None]


def _image(
    seen: np.ndarray, shape: tuple[int, ...], win: Window, channels_last: bool
) -> np.ndarray:
    """Add up what `_by_tap` takes apart, in images of `shape`."""
    framed, inside = _framed(shape, seen.dtype, win)
    parts = seen[0].transpose(1, 2, 0).reshape(-1, shape[0], *win.out, shape[1])
    for part, met in zip(parts, _met(framed, win), strict=True):
        met += part
    return _copied(inside, channels_last)


def _framed(shape: tuple[int, ...], dtype: np.dtype, win: Window) -> tuple[np.ndarray, np.ndarray]:
    """Make zeros (N, H, W, C), padding included, and view what is inside it as (N, C, H, W)."""
    n, channels, h, w = shape
    framed = empty((n, win.rows.padded, win.columns.padded, channels), dtype)
    framed[...] = 0
    top, left = win.rows.before, win.columns.before
    return framed, framed[:, top : top + h, left : left + w].transpose(0, 3, 1, 2)


def _met(framed: np.ndarray, win: Window) -> Iterator[np.ndarray]:
    """View what each tap of all windows meets, (N, OH, OW, C), tap by tap."""
    rows, columns = win
    for r in range(0, rows.span, rows.dilation):
        for s in range(0, columns.span, columns.dilation):
            yield framed[
                :,
                r : r + rows.out * rows.stride : rows.stride,
                s : s + columns.out * columns.stride : columns.stride,
            ]


def _as_row(pixels: np.ndarray) -> np.ndarray:
    """View (N, OH, OW, K) as a channels-last image (1, OH OW K, 1, N)."""
    n, h, w, k = pixels.shape
    return pixels.reshape(n, h * w * k).T[None, :, None]


def _copied(x: np.ndarray, channels_last: bool) -> np.ndarray:
    """Copy `x` into one of the two memory orders."""
    copy = empty_image(x.shape, x.dtype, channels_last)
    copy[...] = x
    return copy
