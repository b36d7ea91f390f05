"""Convolution, filter tap by filter tap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.oracle.geometry import (
    Padding,
    Pair,
    Sides,
    f64,
    output_size,
    sides,
    two,
)


class _Taps(NamedTuple):
    """The padded input and, per filter tap, the slice of it that meets that tap."""

    shape: tuple[int, ...]
    sides: Sides
    out: tuple[int, int]
    slices: list[tuple[int, int, tuple]]


def _taps(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Padding, dilation: Pair
) -> _Taps:
    (sh, sw), (dh, dw), (rows, columns) = two(stride), two(dilation), sides(padding)
    (h, w), (fh, fw) = x.shape[2:], weight.shape[2:]
    oh = output_size(h, fh, sh, rows, dh)
    ow = output_size(w, fw, sw, columns, dw)
    slices = []
    for r in range(fh):
        for s in range(fw):
            down = slice(r * dh, r * dh + oh * sh, sh)
            across = slice(s * dw, s * dw + ow * sw, sw)
            slices.append((r, s, (slice(None), slice(None), down, across)))
    padded = (*x.shape[:2], h + sum(rows), w + sum(columns))
    return _Taps(padded, (rows, columns), (oh, ow), slices)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Output (N, K, OH, OW) of `x` (N, C, H, W) under `weight` (K, C/groups, R, S)."""
    x, weight = f64(x, weight)
    geometry = _taps(x, weight, stride, padding, dilation)
    (oh, ow), n, k = geometry.out, x.shape[0], weight.shape[0]
    c = x.shape[1] // groups
    x = np.pad(x, ((0, 0), (0, 0), *geometry.sides))
    y = np.zeros((n, groups, k // groups, oh * ow))
    for r, s, patch in geometry.slices:
        w = weight[:, :, r, s].reshape(groups, k // groups, c)
        y += w @ x[patch].reshape(n, groups, c, oh * ow)
    y = y.reshape(n, k, oh, ow)
    return y if bias is None else y + f64(bias)[0][:, None, None]


def conv2d_scale(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Sum the magnitudes of the products in each output: rounding errors are relative to this."""
    x, weight = f64(x, weight)
    bias = None if bias is None else np.abs(bias)
    return conv2d(np.abs(x), np.abs(weight), bias, stride, padding, dilation, groups)


def conv2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, weight and bias. With magnitudes for arguments: their error scales."""
    grad, x, weight = f64(grad, x, weight)
    geometry = _taps(x, weight, stride, padding, dilation)
    (top, _), (left, _) = geometry.sides
    (oh, ow), n, k = geometry.out, x.shape[0], weight.shape[0]
    (h, w), c = x.shape[2:], x.shape[1] // groups
    x = np.pad(x, ((0, 0), (0, 0), *geometry.sides))
    gx, gw = np.zeros(geometry.shape), np.zeros(weight.shape)
    g = grad.reshape(n, groups, k // groups, oh * ow)
    for r, s, patch in geometry.slices:
        filters = weight[:, :, r, s].reshape(groups, k // groups, c)
        gx[patch] += (filters.swapaxes(1, 2) @ g).reshape(n, groups * c, oh, ow)
        columns = x[patch].reshape(n, groups, c, oh * ow)
        gw[:, :, r, s] = (g @ columns.swapaxes(2, 3)).sum(0).reshape(k, c)
    return gx[:, :, top : top + h, left : left + w], gw, grad.sum((0, 2, 3))
