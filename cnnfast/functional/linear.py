"""The fully connected layer, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any

import numpy as np

from cnnfast._ext import conv as _kernels
from cnnfast._ext import conv_weights as _weight_kernels
from cnnfast._ext import conv_weights_depthwise as _channel_kernels
from cnnfast._ext import linear as _few
from cnnfast._ext.dispatch import chosen_isa
from cnnfast.functional._arguments import check_needs, float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._memory import empty
from cnnfast.functional._window import LARGEST_IMAGE, Axis

# Up to so many rows of a batch, packing the weights would take longer than multiplying by them.
FEW_ROWS = 48


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Fully connected layer: y = x W^T + b.

    Parameters
    ----------
    x : numpy.ndarray
        (N, in_features), float32 or float64.
    weight : numpy.ndarray
        (out_features, in_features), as in torch, dtype of `x`.
    bias : numpy.ndarray, optional
        (out_features,), dtype of `x`.

    Returns
    -------
    numpy.ndarray
        (N, out_features), dtype of `x`, C-contiguous.

    Raises
    ------
    TypeError
        An argument is not a float32 or float64 array, or the dtypes differ.
    ValueError
        The shapes do not fit together, or a dimension other than the batch is 0.

    References
    ----------
    CS231n notes, "Neural networks part 1"; there the weights lie the other way round, f = x W.

    Examples
    --------
    >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.ones(2)).tolist()
    [[4.0, 7.0]]
    """
    return linear_packed(x, weight, bias, lambda key, pack: pack())


def linear_packed(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    packed: Callable[[Hashable, Callable[[], Any]], Any],
) -> np.ndarray:
    """`linear` with weights that need not be packed anew: ``packed(key, pack)`` gives them.

    That may keep what ``pack()`` made.
    """
    x, weight = _checked("linear", x, weight)
    if bias is not None:
        bias = float_array("linear", "bias", bias, ndim=1)
        same_dtype("linear", "x", x, bias=bias)
        same_shape("linear", "bias", bias, weight.shape[:1], "(out_features,) of weight")
        bias = np.ascontiguousarray(bias).reshape(1, 1, 1, -1)
    y = empty((x.shape[0], weight.shape[0]), x.dtype)
    if 0 < len(x) <= FEW_ROWS:
        _multiply_few(x, weight, bias, y)
    elif len(x):
        filters = packed(
            ("linear", chosen_isa()), lambda: _kernels.PackedFilters(_filters(weight), 1)
        )
        _kernels.forward(_row(x), filters, bias, _row(y), *_pixels(x))
    return y


def linear_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    needs: Collection[str] = ("x", "weight", "bias"),
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Gradients of `linear`: grad W, grad^T x, and grad summed over the batch.

    Parameters
    ----------
    grad : numpy.ndarray
        Gradient of the output, (N, out_features), dtype of `x`.
    x, weight : numpy.ndarray
        What `linear` took.
    needs : collection of str
        Which gradients to compute, of "x", "weight" and "bias".

    Returns
    -------
    gx, gw, gb : numpy.ndarray or None
        (N, in_features), (out_features, in_features) and (out_features,); None for what is not
        in `needs`.

    Raises
    ------
    TypeError
        An array is not float32 or float64, or the dtypes differ.
    ValueError
        The shapes do not fit together, or `needs` holds another name.

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]])
    >>> gx, gw, gb = linear_backward(np.array([[1.0, 10.0]]), x, weight)
    >>> gx.tolist(), gw.tolist(), gb.tolist()
    ([[1.0, 31.0]], [[1.0, 2.0], [10.0, 20.0]], [1.0, 10.0])
    """
    x, weight = _checked("linear_backward", x, weight)
    grad = float_array("linear_backward", "grad", grad, ndim=2)
    same_dtype("linear_backward", "x", x, grad=grad)
    shape = (x.shape[0], weight.shape[0])
    same_shape("linear_backward", "grad", grad, shape, "(N, out_features) of x and weight")
    check_needs("linear_backward", needs)
    gx = gw = gb = None
    if x.shape[0] == 0:
        return (
            empty(x.shape, x.dtype) if "x" in needs else None,
            np.zeros_like(weight) if "weight" in needs else None,
            np.zeros_like(weight[:, 0]) if "bias" in needs else None,
        )
    few = len(x) <= FEW_ROWS
    if "x" in needs:
        gx = empty(x.shape, x.dtype)
        if few:
            _multiply_few(grad, weight.T, None, gx)
        else:
            _kernels.backward_data(_row(grad), _filters(weight), _row(gx), *_pixels(x), 1)
    if "weight" in needs:
        gw = empty(weight.shape, x.dtype)
        if few:
            _few.backward_weights(_matrix(grad), _matrix(x), _matrix(gw))
        else:
            _weight_kernels.backward_weights(_row(grad), _row(x), _filters(gw), *_pixels(x), 1)
    if "bias" in needs:
        gb = empty((weight.shape[0], 1, 1, 1), x.dtype)
        _channel_kernels.backward_bias(_row(grad), gb)
        gb = gb.reshape(-1)
    return gx, gw, gb


def _multiply_few(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """y = x weight^T + bias, the weights read as they lie, whichever axis is contiguous."""
    if weight.strides[1] != weight.itemsize and weight.strides[0] == weight.itemsize:
        _few.backward_data(_matrix(x), _matrix(weight.T), _matrix(y))
        if bias is not None:
            y += bias.reshape(-1)
    else:
        _few.forward(_matrix(x), _matrix(weight), bias, _matrix(y))


def _matrix(x: np.ndarray) -> np.ndarray:
    """As the kernels for few rows take a matrix, each row contiguous."""
    if x.strides[1] != x.itemsize and x.shape[1] > 1:
        x = np.ascontiguousarray(x)
    return x[None, None]


# A matrix product is a 1x1 convolution over one row of N pixels. Taking it there, and not to
# NumPy's BLAS, keeps one pool of threads instead of two that hinder each other.


def _row(x: np.ndarray) -> np.ndarray:
    """View (N, features) as a channels-last image of one row."""
    return x.T[None, :, None, :]


def _filters(weight: np.ndarray) -> np.ndarray:
    return weight[:, :, None, None]


def _pixels(x: np.ndarray) -> tuple[Axis, Axis]:
    pixel = Axis(size=1, kernel=1, stride=1, before=0, after=0, dilation=1, out=1)
    return pixel, pixel._replace(size=x.shape[0], out=x.shape[0])


def _checked(function: str, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = float_array(function, "x", x, ndim=2)
    weight = float_array(function, "weight", weight, ndim=2)
    same_dtype(function, "x", x, weight=weight)
    nonempty(function, "weight", weight, first=0)
    if x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"{function}: x has {x.shape[1]} features, but weight {weight.shape} "
            f"takes {weight.shape[1]}"
        )
    if weight.size > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: weight has {weight.size} elements, more than {LARGEST_IMAGE}"
        )
    return x, weight
