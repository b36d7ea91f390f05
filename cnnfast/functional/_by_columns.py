"""Convolution as the notes do it: filters times the windows' columns, image by image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnfast._ext import columns as _columns
from cnnfast.functional._memory import empty
from cnnfast.functional._window import Window


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    win: Window,
    groups: int,
) -> None:
    """y = conv(x, weight) + bias: the filters' rows times the columns."""
    filters = weight.reshape(groups, weight.shape[0] // groups, -1)
    for columns, result in zip(_each_columns(x, win, groups), y, strict=True):
        result[...] = (filters @ columns).reshape(result.shape)
        if bias is not None:
            result += bias.reshape(-1, 1, 1)


def backward_data(
    grad: np.ndarray, weight: np.ndarray, gx: np.ndarray, win: Window, groups: int
) -> None:
    """gx = the filters' transpose times the output's gradient, its columns summed back."""
    filters = weight.reshape(groups, weight.shape[0] // groups, -1).swapaxes(1, 2)
    image = empty((1, *gx.shape[1:]), gx.dtype)
    for g, result in zip(grad, gx, strict=True):
        columns = filters @ g.reshape(groups, weight.shape[0] // groups, -1)
        _columns.col2im(columns.reshape(1, -1, *win.out), image, *win)
        result[...] = image[0]


def backward_weights(
    grad: np.ndarray, x: np.ndarray, gw: np.ndarray, win: Window, groups: int
) -> None:
    """gw = the output's gradient times the columns' transpose, summed over the images."""
    total = gw.reshape(groups, gw.shape[0] // groups, -1)
    total[...] = 0
    for columns, g in zip(_each_columns(x, win, groups), grad, strict=True):
        total += g.reshape(groups, gw.shape[0] // groups, -1) @ columns.swapaxes(1, 2)


def _each_columns(x: np.ndarray, win: Window, groups: int) -> Iterator[np.ndarray]:
    """The columns (groups, C / groups * taps, positions) of each image, in one array's memory."""
    shape = (1, x.shape[1] * win.rows.kernel * win.columns.kernel, *win.out)
    columns = empty(shape, x.dtype)
    for image in x:
        _columns.im2col(image[None], columns, *win)
        yield columns.reshape(groups, shape[1] // groups, -1)
