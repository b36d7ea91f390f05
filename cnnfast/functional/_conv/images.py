"""Convolution over two axes: each pass by the kernel that suits it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from cnnfast._ext import conv as _direct
from cnnfast._ext import conv_few as _few
from cnnfast._ext import conv_narrow as _narrow
from cnnfast._ext import conv_planes as _planes
from cnnfast._ext import conv_weights as _weights
from cnnfast._ext import conv_weights_depthwise as _weights_depthwise
from cnnfast._ext import conv_weights_few as _weights_few
from cnnfast._ext.dispatch import chosen_isa
from cnnfast.functional import _by_columns, _winograd
from cnnfast.functional._algorithm import Algorithm, get_conv_precision
from cnnfast.functional._arguments import float_array, same_dtype, same_shape
from cnnfast.functional._elementwise import rectify
from cnnfast.functional._memory import empty, empty_image, is_channels_last
from cnnfast.functional._plan import (
    MemoryFormat,
    plan_backward_data,
    plan_backward_weights,
    plan_forward,
)
from cnnfast.functional._window import Window

#: ``packed(key, pack)`` gives what ``pack()`` makes, or has made before.
Packed = Callable[[Hashable, Callable[[], Any]], Any]


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    win: Window,
    groups: int,
    memory_format: MemoryFormat,
    packed: Packed,
    algorithm: Algorithm = "auto",
    residual: np.ndarray | None = None,
    ceiling: float = 0,
) -> np.ndarray:
    """y = conv(x, weight) + bias + residual, from 0 to `ceiling` unless that is 0."""
    isa = chosen_isa()
    plan = plan_forward(
        x.shape[0],
        weight.shape,
        x.dtype,
        win,
        groups,
        algorithm,
        memory_format,
        x.flags.c_contiguous,
        is_channels_last(x),
        get_conv_precision(),
        isa,
    )
    if bias is not None:
        bias = bias.reshape(1, 1, 1, -1)
    y = empty_image(plan.out, x.dtype, plan.channels_last)
    if residual is not None:
        residual = _as_laid_out("conv2d", residual, y)
    fused = (residual, ceiling) if plan.fuses else ()
    kernel, tile = plan.kernel, plan.choice.tile
    key = (kernel, tile, win.strides, groups, isa)
    if kernel == "winograd":
        filters = packed(key, lambda: _winograd.transformed(weight, win, groups, tile))
        _winograd.forward(x, filters, bias, y, win, *fused)
    elif kernel in ("direct", "depthwise"):
        filters = packed(key, lambda: _direct.PackedFilters(weight, groups))
        _direct.forward(x, filters, bias, y, *win, *fused)
    elif kernel == "few channels":
        _few.forward(x, weight, bias, y, *win, groups)
    elif kernel == "planes":
        _planes.forward(x, weight, bias, y, groups)
    else:
        _by_columns.forward(x, weight, bias, y, win, groups)
    if not plan.fuses:
        if residual is not None:
            np.add(y, residual, out=y)
        rectify(y, ceiling)
    return y


def _as_laid_out(function: str, residual: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Check a residual; copy it if its strides are not those of the output."""
    residual = float_array(function, "residual", residual, 4)
    same_dtype(function, "x", y, residual=residual)
    same_shape(function, "residual", residual, y.shape, "the output's shape")
    if residual.strides == y.strides:
        return residual
    copy = empty_image(y.shape, y.dtype, is_channels_last(y))
    copy[...] = residual
    return copy


def backward_data(
    grad: np.ndarray,
    weight: np.ndarray,
    shape: tuple[int, ...],
    channels_last: bool,
    win: Window,
    groups: int,
    algorithm: Algorithm = "auto",
) -> np.ndarray:
    """Compute the gradient of an input of `shape`, in one of the two memory orders.

    That is a transposed convolution of `grad`.
    """
    gx = empty_image(shape, grad.dtype, channels_last)
    in_planes = grad.flags.c_contiguous and not channels_last
    settings = (algorithm, in_planes, get_conv_precision(), chosen_isa())
    plan = plan_backward_data(shape[0], weight.shape, grad.dtype, win, groups, *settings)
    if plan.kernel == "winograd":
        _winograd.backward_data(grad, weight, gx, win, groups, plan.choice.tile)
    elif plan.kernel in ("direct", "depthwise"):
        _direct.backward_data(grad, weight, gx, *win, groups)
    elif plan.kernel == "few channels":
        _few.backward_data(grad, weight, gx, *win, groups)
    elif plan.kernel == "narrow columns":
        _narrow.backward_data(grad, weight, gx, *win, groups)
    elif plan.kernel == "planes":
        _planes.backward_data(grad, weight, gx, groups)
    else:
        _by_columns.backward_data(grad, weight, gx, win, groups)
    return gx


def backward_weights(
    grad: np.ndarray,
    x: np.ndarray,
    shape: tuple[int, ...],
    win: Window,
    groups: int,
    algorithm: Algorithm = "auto",
) -> np.ndarray:
    """Compute the gradient of filters of `shape`."""
    gw = empty(shape, x.dtype)
    settings = (algorithm, get_conv_precision(), chosen_isa())
    plan = plan_backward_weights(x.shape[0], shape, x.dtype, win, groups, *settings)
    if plan.kernel == "winograd":
        _winograd.backward_weights(grad, x, gw, win, groups, plan.choice.tile)
    elif plan.kernel == "direct":
        _weights.backward_weights(grad, x, gw, *win, groups)
    elif plan.kernel == "depthwise":
        _weights_depthwise.backward_weights(grad, x, gw, *win)
    elif plan.kernel == "few channels":
        _weights_few.backward_weights(grad, x, gw, *win, groups)
    else:
        _by_columns.backward_weights(grad, x, gw, win, groups)
    return gw


def backward_bias(grad: np.ndarray) -> np.ndarray:
    """Sum `grad`, of any number of axes, over all but the channels."""
    n, channels, *rows, columns = grad.shape
    gb = empty((channels, 1, 1, 1), grad.dtype)
    _weights_depthwise.backward_bias(grad.reshape(n, channels, math.prod(rows), columns), gb)
    return gb.reshape(-1)
