"""Resizing of images, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, number, same_dtype, same_shape
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._resampling import Plan, adjoint, linear, nearest, resample
from cnnfast.functional._window import LARGEST, LARGEST_IMAGE, Pair, pair

Scale = float | tuple[float, float]
MODES = ("nearest", "bilinear")


def interpolate(
    x: np.ndarray,
    size: Pair | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> np.ndarray:
    """Enlarge or shrink images.

    "nearest" copies element floor(i H / OH) to row i, and likewise along columns. "bilinear"
    interpolates along rows and columns between the two elements beside the centre of the output,
    (i + 1/2) H / OH - 1/2, and does not smooth before it shrinks.

    Parameters
    ----------
    x : ndarray (N, C, H, W), float32 or float64
        Any strides.
    size : int or pair of ints
        OH and OW. Either this or `scale_factor` is given.
    scale_factor : float or pair of floats
        OH is floor(scale_factor * H), and scale_factor stands for OH / H above.
    mode : str
        "nearest" or "bilinear".
    align_corners : bool
        With "bilinear": the centres of the corners stay where they are, output i lies at
        i (H - 1) / (OH - 1).

    Returns
    -------
    ndarray (N, C, OH, OW)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        For arguments of another type, both or neither of `size` and `scale_factor`, a size below 1,
        an unknown mode, or `align_corners` without "bilinear".

    References
    ----------
    ``torch.nn.functional.interpolate``, whose rules these are.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import interpolate
    >>> x = np.array([[[[0.0, 4.0]]]])
    >>> interpolate(x, scale_factor=(1, 2)).ravel()
    array([0., 0., 4., 4.])
    >>> interpolate(x, scale_factor=(1, 2), mode="bilinear").ravel()
    array([0., 1., 3., 4.])
    """
    x, rows, columns = _arguments("interpolate", x, size, scale_factor, mode, align_corners)
    return resample(x, rows, columns, is_channels_last(x))


def interpolate_backward(
    grad: np.ndarray,
    x: np.ndarray,
    size: Pair | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> np.ndarray:
    """Sum each gradient back into the elements that were interpolated, by their weights.

    Parameters
    ----------
    grad : ndarray (N, C, OH, OW)
        Gradient of the loss with respect to the output of `interpolate`.
    x, size, scale_factor, mode, align_corners
        What the forward pass took; of `x` only shape and memory order matter.

    Returns
    -------
    ndarray (N, C, H, W)
        In the memory order of `x`.

    Raises
    ------
    TypeError, ValueError
        As `interpolate`, and for a gradient of another shape than the output's.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.functional import interpolate_backward
    >>> grad, x = np.array([[[[1.0, 2.0, 3.0, 4.0]]]]), np.zeros((1, 1, 1, 2))
    >>> interpolate_backward(grad, x, scale_factor=(1, 2)).ravel()
    array([3., 7.])
    """
    name = "interpolate_backward"
    x, rows, columns = _arguments(name, x, size, scale_factor, mode, align_corners)
    grad = float_array(name, "grad", grad, 4)
    same_dtype(name, "x", x, grad=grad)
    shape = (*x.shape[:2], rows.targets, columns.targets)
    same_shape(name, "grad", grad, shape, "the output's shape")
    h, w = x.shape[2:]
    return resample(grad, adjoint(rows, h), adjoint(columns, w), is_channels_last(x))


def _arguments(
    function: str,
    x: np.ndarray,
    size: Pair | None,
    scale_factor: Scale | None,
    mode: str,
    align_corners: bool,
) -> tuple[np.ndarray, Plan, Plan]:
    x = float_array(function, "x", x, 4)
    nonempty(function, "x", x, 1)
    wanted, scales = check_request(function, size, scale_factor, mode, align_corners)
    out = wanted or _output_size(function, x.shape[2:], scales)
    if max(out) > LARGEST or out[0] * out[1] > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: the output would have {out[0]} x {out[1]} elements, more than "
            f"{LARGEST} along an axis or {LARGEST_IMAGE} in all"
        )
    rows, columns = (
        nearest(old, new, scale, x.dtype)
        if mode == "nearest"
        else linear(old, new, scale, bool(align_corners), x.dtype)
        for old, new, scale in zip(x.shape[2:], out, scales, strict=True)
    )
    return x, rows, columns


def check_request(
    function: str, size: Pair | None, scale_factor: Scale | None, mode: str, align_corners: bool
) -> tuple[tuple[int, int] | None, Any]:
    """Check how to resize; give the size, and the scales, or None for what was not given."""
    if mode not in MODES:
        raise ValueError(f'{function}: mode must be "nearest" or "bilinear", got {mode!r}')
    if align_corners and mode == "nearest":
        raise ValueError(f'{function}: align_corners has no meaning for mode "nearest"')
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"{function}: either size or scale_factor must be given, got {size!r} and "
            f"{scale_factor!r}"
        )
    if size is not None:
        return pair(function, "size", size, 1), (None, None)
    return None, _scales(function, scale_factor)


def _output_size(
    function: str, input_size: Sequence[int], scales: Sequence[float]
) -> tuple[int, int]:
    """Scale a size, rounding down."""
    rows, columns = (int(n * scale) for n, scale in zip(input_size, scales, strict=True))
    if min(rows, columns) < 1:
        raise ValueError(
            f"{function}: scale_factor {scales} leaves nothing of an image of size "
            f"{tuple(input_size)}"
        )
    return rows, columns


def _scales(function: str, scale_factor: Any) -> tuple[float, float]:
    """Check one or two scales."""
    both = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * 2
    if len(both) != 2:
        raise ValueError(
            f"{function}: scale_factor must be a number or a pair of numbers, got {scale_factor!r}"
        )
    rows, columns = (number(function, "scale_factor", scale) for scale in both)
    if min(rows, columns) <= 0:
        raise ValueError(f"{function}: scale_factor must be greater than 0, got {scale_factor!r}")
    return rows, columns
