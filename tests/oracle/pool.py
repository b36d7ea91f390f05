"""Pooling, by gathering windows."""

from __future__ import annotations

import numpy as np

from tests.oracle.geometry import (
    Padding,
    Pair,
    Windows,
    f64,
    gather,
    scatter,
    sides,
    two,
    windows,
)


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Maxima and their flat H*W positions; the first in row-major order on a tie, NaN above all."""
    (x,) = f64(x)
    stride = kernel_size if stride is None else stride
    at = windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    if not at.inside.any(-1).all():
        raise ValueError("a window covers only padding")
    values = gather(x, at, -np.inf)
    # argmax takes the first NaN, else the first maximum; if that is padding, then everything in
    # the window is -inf and its first element wins.
    tap = values.argmax(-1)
    won = np.take_along_axis(np.broadcast_to(at.inside, values.shape), tap[..., None], -1)[..., 0]
    tap = np.where(won, tap, at.inside.argmax(-1))
    y = np.take_along_axis(values, tap[..., None], -1)[..., 0]
    flat = np.broadcast_to(at.flat, values.shape)
    return y, np.take_along_axis(flat, tap[..., None], -1)[..., 0].astype(np.int64)


def max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, ...]
) -> np.ndarray:
    """Route every gradient to its index."""
    (grad,) = f64(grad)
    n, c, h, w = input_shape
    plane = np.arange(n * c).reshape(n, c, 1, 1) * (h * w)
    summed = np.bincount((plane + indices).ravel(), grad.ravel(), n * c * h * w)
    return summed.reshape(input_shape)


def _divisor(
    shape: tuple[int, ...],
    at: Windows,
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Count what each average divides by, as (OH, OW)."""
    if divisor_override is not None:
        return np.full(at.flat.shape[:2], float(divisor_override))
    if not count_include_pad:
        return at.inside.sum(-1).clip(1).astype(np.float64)
    # Padding counts, but what lies beyond it does not: a plane of ones that includes the padding.
    (top, bottom), (left, right) = sides(padding)
    padded = (shape[-2] + top + bottom, shape[-1] + left + right)
    beyond = ((0, max(two(kernel_size))), (0, max(two(kernel_size))))
    reach = windows(padded, kernel_size, stride, beyond)
    oh, ow = at.flat.shape[:2]
    return reach.inside.sum(-1)[:oh, :ow].astype(np.float64)


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Averages (N, C, OH, OW); an average over no element at all is 0."""
    (x,) = f64(x)
    stride = kernel_size if stride is None else stride
    at = windows(x.shape, kernel_size, stride, padding, ceil_mode=ceil_mode)
    divisor = _divisor(
        x.shape, at, kernel_size, stride, padding, count_include_pad, divisor_override
    )
    return gather(x, at, 0.0).sum(-1) / divisor


def avg_pool2d_backward(
    grad: np.ndarray,
    input_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Gradient of the input."""
    (grad,) = f64(grad)
    stride = kernel_size if stride is None else stride
    at = windows(input_shape, kernel_size, stride, padding, ceil_mode=ceil_mode)
    divisor = _divisor(
        input_shape, at, kernel_size, stride, padding, count_include_pad, divisor_override
    )
    share = grad / divisor
    return scatter(
        np.broadcast_to(share[..., None], (*share.shape, at.flat.shape[-1])), at, input_shape
    )


def lp_pool2d(
    x: np.ndarray, norm_type: float, kernel_size: Pair, stride: Pair | None = None
) -> np.ndarray:
    """(sum of |x|**p) ** (1/p) in every window."""
    (x,) = f64(x)
    at = windows(x.shape, kernel_size, kernel_size if stride is None else stride, 0)
    return (np.abs(gather(x, at, 0.0)) ** norm_type).sum(-1) ** (1 / norm_type)


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
) -> np.ndarray:
    """Gradient of the input; as torch documents, zero for a window whose norm is zero."""
    grad, x = f64(grad, x)
    at = windows(x.shape, kernel_size, kernel_size if stride is None else stride, 0)
    y = lp_pool2d(x, norm_type, kernel_size, stride)
    with np.errstate(invalid="ignore", divide="ignore"):
        # d(s**(1/p))/dx with s the sum of |x|**p: s**(1/p - 1) * |x|**(p - 1) * sign(x).
        inner = np.abs(gather(x, at, 0.0)) ** (norm_type - 1) * np.sign(gather(x, at, 0.0))
        values = (y ** (1 - norm_type) * grad)[..., None] * inner
    return scatter(np.where(y[..., None] == 0, 0.0, values), at, x.shape)
