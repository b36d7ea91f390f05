"""Convolution by Winograd's minimal filtering, group by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast._ext import winograd as _kernels
from cnnfast._ext import winograd_weights as _weight_kernels
from cnnfast.functional._window import Window


def transformed(
    weight: np.ndarray, win: Window, groups: int, tile: int
) -> list[_kernels.TransformedFilters]:
    """The filters of each group, as `forward` takes them."""
    stride = win.rows.stride
    return [_kernels.TransformedFilters(w, stride, tile) for w in _parts(weight, groups, 0)]


def forward(
    x: np.ndarray,
    filters: Sequence[_kernels.TransformedFilters],
    bias: np.ndarray | None,
    y: np.ndarray,
    win: Window,
    residual: np.ndarray | None = None,
    ceiling: float = 0,
) -> None:
    """y = conv(x, filters) + bias + residual, from 0 to `ceiling` unless that is 0."""
    groups = len(filters)
    for part, images, shifts, outputs, added in zip(
        filters,
        _parts(x, groups, 1),
        _parts(bias, groups, 3),
        _parts(y, groups, 1),
        _parts(residual, groups, 1),
        strict=True,
    ):
        _kernels.forward(images, part, shifts, outputs, *win, added, ceiling)


def backward_data(
    grad: np.ndarray, weight: np.ndarray, gx: np.ndarray, win: Window, groups: int, tile: int
) -> None:
    """gx = the gradient of the input."""
    arrays = (_parts(grad, groups, 1), _parts(weight, groups, 0), _parts(gx, groups, 1))
    for outputs, filters, images in zip(*arrays, strict=True):
        _kernels.backward_data(outputs, filters, images, *win, tile)


def backward_weights(
    grad: np.ndarray, x: np.ndarray, gw: np.ndarray, win: Window, groups: int, tile: int
) -> None:
    """gw = the gradient of the weights."""
    arrays = (_parts(grad, groups, 1), _parts(x, groups, 1), _parts(gw, groups, 0))
    for outputs, images, filters in zip(*arrays, strict=True):
        _weight_kernels.backward_weights(outputs, images, filters, *win, tile)


def _parts(array: np.ndarray | None, groups: int, axis: int) -> Sequence[np.ndarray | None]:
    """Equal parts along an axis, as views; None for each group if there is no array."""
    if array is None or groups == 1:
        return [array] * groups
    return np.split(array, groups, axis)
