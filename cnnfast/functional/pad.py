"""Padding of images, forward and backward."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Sequence

import numpy as np

from cnnfast._ext import elementwise as _elementwise
from cnnfast.functional._arguments import float_array, nonempty, same_dtype, same_shape
from cnnfast.functional._memory import empty_image, is_channels_last
from cnnfast.functional._resampling import Plan, adjoint, gather, resample
from cnnfast.functional._window import LARGEST, LARGEST_IMAGE

Sides = tuple[tuple[int, int], tuple[int, int]]
Padding = int | tuple[int, int, int, int] | Sides
MODES = ("constant", "reflect", "replicate")


def pad(x: np.ndarray, padding: Padding, mode: str = "constant", value: float = 0.0) -> np.ndarray:
    """Surround images with a constant, their mirror image or their border.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    padding : int, (left, right, top, bottom) or ((top, bottom), (left, right))
        How many elements to add on each side; as in torch, a negative number cuts off.
    mode : str
        "constant"; "reflect", which mirrors at the border element without repeating it, and needs
        less padding than there are elements; or "replicate", which repeats the border element.
    value : float
        The constant.

    Returns
    -------
    ndarray (N, C, top + H + bottom, left + W + right)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, an unknown mode, more to mirror than there is, or nothing
        left.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import pad
    >>> x = np.array([[[[1.0, 2.0, 3.0]]]])
    >>> pad(x, (2, 1, 0, 0)).ravel()
    array([0., 0., 1., 2., 3., 0.])
    >>> pad(x, ((0, 0), (2, 1)), "reflect").ravel()
    array([3., 2., 1., 2., 3., 2.])
    >>> pad(x, (-1, 2, 0, 0), "replicate").ravel()
    array([2., 3., 3., 3.])
    """
    x, sides = _arguments("pad", x, padding, mode, value)
    if mode != "constant":
        return resample(x, *_plans(x, sides, mode), is_channels_last(x))
    y = empty_image(_padded("pad", x.shape, sides), x.dtype, is_channels_last(x))
    _place(y, x, sides, value)
    return y


def pad_backward(
    grad: np.ndarray, x: np.ndarray, padding: Padding, mode: str = "constant"
) -> np.ndarray:
    """Sum the gradients of the copies of each element.

    Parameters
    ----------
    grad : ndarray (N, C, top + H + bottom, left + W + right)
        Gradient of the loss with respect to the output of `pad`.
    x, padding, mode
        What the forward pass took; of `x` only shape and memory order matter.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `pad`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import pad_backward
    >>> grad, x = np.array([[[[1.0, 2.0, 3.0, 4.0]]]]), np.zeros((1, 1, 1, 2))
    >>> pad_backward(grad, x, (1, 1, 0, 0), "replicate").ravel()
    array([3., 7.])
    """
    name = "pad_backward"
    x, sides = _arguments(name, x, padding, mode)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    same_shape(name, "grad", grad, _padded(name, x.shape, sides), "the output's shape")
    if mode != "constant":
        rows, columns = _plans(x, sides, mode)
        h, w = x.shape[2:]
        return resample(grad, adjoint(rows, h), adjoint(columns, w), is_channels_last(x))
    gx = empty_image(x.shape, x.dtype, is_channels_last(x))
    (top, bottom), (left, right) = sides
    _place(gx, grad, ((-top, -bottom), (-left, -right)), 0.0)
    return gx


def check_request(function: str, padding: Padding, mode: str, value: float = 0.0) -> Sides:
    """Check how to pad; give the padding as ((top, bottom), (left, right))."""
    if mode not in MODES:
        raise ValueError(
            f'{function}: mode must be "constant", "reflect" or "replicate", got {mode!r}'
        )
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{function}: value must be a number, got {value!r}")
    try:
        return _sides(padding)
    except TypeError:
        error: type[Exception] = TypeError
    except ValueError:
        error = ValueError
    raise error(
        f"{function}: padding must be an int, (left, right, top, bottom) or ((top, bottom), "
        f"(left, right)), of magnitudes up to {LARGEST}, got {padding!r}"
    )


def _sides(padding: Padding) -> Sides:
    """Padding in any accepted form as ((top, bottom), (left, right))."""
    if not isinstance(padding, (tuple, list)):
        all_sides = _size(padding)
        return (all_sides, all_sides), (all_sides, all_sides)
    if len(padding) == 4:
        left, right, top, bottom = (_size(side) for side in padding)
        return (top, bottom), (left, right)
    rows, columns = padding
    (top, bottom), (left, right) = map(_size, rows), map(_size, columns)
    return (top, bottom), (left, right)


def _size(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError
    size = operator.index(value)  # type: ignore[arg-type]
    if abs(size) > LARGEST:
        raise ValueError
    return size


def _arguments(
    function: str, x: np.ndarray, padding: Padding, mode: str, value: float = 0.0
) -> tuple[np.ndarray, Sides]:
    x = float_array(function, "x", x, 4)
    nonempty(function, "x", x, 1)
    sides = check_request(function, padding, mode, value)
    _padded(function, x.shape, sides)
    for size, around, what in zip(x.shape[2:], sides, ("rows", "columns"), strict=True):
        if mode == "reflect" and max(around) >= size:
            raise ValueError(
                f"{function}: reflecting needs padding less than the {size} {what} of x, "
                f"got {around}"
            )
    return x, sides


def _padded(function: str, shape: Sequence[int], sides: Sides) -> tuple[int, int, int, int]:
    """Shape of the output."""
    n, c, h, w = shape
    (top, bottom), (left, right) = sides
    rows, columns = top + h + bottom, left + w + right
    # What is cut off on one side may not reach into the padding of the other.
    if min(rows, columns, h + min(top, bottom), w + min(left, right)) < 1:
        raise ValueError(f"{function}: padding {sides} leaves nothing of {h} x {w} elements")
    if rows * columns > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: the output would have {rows} x {columns} elements, more than "
            f"{LARGEST_IMAGE}"
        )
    return n, c, rows, columns


def _plans(x: np.ndarray, sides: Sides, mode: str) -> tuple[Plan, Plan]:
    """Plan which element each of the padded image is a copy of."""
    rows, columns = (
        gather(_copied(size, around, mode), x.dtype)
        for size, around in zip(x.shape[2:], sides, strict=True)
    )
    return rows, columns


def _copied(size: int, around: tuple[int, int], mode: str) -> np.ndarray:
    positions = np.arange(-around[0], size + around[1])
    if mode == "replicate":
        return positions.clip(0, size - 1)
    positions = np.abs(positions)
    return size - 1 - np.abs(size - 1 - positions)


def _place(target: np.ndarray, source: np.ndarray, sides: Sides, value: float) -> None:
    """Copy `source`, with `sides` around it, to `target`; the sides are `value`."""
    (top, bottom), (left, right) = sides
    rows, columns = _inside(target.shape[2], top, bottom), _inside(target.shape[3], left, right)
    target[:, :, : rows.start] = value
    target[:, :, rows.stop :] = value
    band = target[:, :, rows]
    band[..., : columns.start] = value
    band[..., columns.stop :] = value
    kept = source[:, :, _inside(source.shape[2], -top, -bottom)]
    kept = kept[..., _inside(source.shape[3], -left, -right)]
    _elementwise.apply("copy", band[..., columns], kept)


def _inside(size: int, before: int, after: int) -> slice:
    """Leave out so many elements on each side, none if that is negative."""
    return slice(max(0, before), size - max(0, after))
