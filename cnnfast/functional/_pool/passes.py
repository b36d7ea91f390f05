"""Pools and their gradients over any number of axes, arguments checked."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._pool import averages, dimensions, maxima, norms
from cnnfast.functional._pool.arguments import matching_grad, pool_arguments, pool_gradient
from cnnfast.functional._window import Numbers, Sides, Window


def max_pool(
    function: str,
    count: int,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Sides,
    dilation: Numbers,
    ceil_mode: bool,
    return_indices: bool,
    strict: bool,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Take the maxima, and if asked for their positions."""
    window = (kernel_size, stride, padding, dilation, ceil_mode, strict)
    x, win = pool_arguments(function, count, x, *window)
    if return_indices:
        return dimensions.positions(x, win, is_channels_last(x))
    return dimensions.forward(maxima.pooled, x, win, is_channels_last(x))


def max_pool_routed(
    function: str,
    count: int,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Sides,
    dilation: Numbers,
    ceil_mode: bool,
    strict: bool,
) -> tuple[np.ndarray, maxima.Route]:
    """Take the maxima, and what takes a gradient back: `gx = route(grad)`, which checks it."""
    window = (kernel_size, stride, padding, dilation, ceil_mode, strict)
    x, win = pool_arguments(function, count, x, *window)
    y, route = dimensions.routed(maxima.routed, x, win, is_channels_last(x))
    shape, dtype = y.shape, y.dtype

    def checked(grad: np.ndarray) -> np.ndarray:
        return route(matching_grad(f"{function}_backward", grad, shape, dtype))

    return y, checked


def avg_pool(
    function: str,
    count: int,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Sides,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    strict: bool,
) -> np.ndarray:
    """Take the averages."""
    window = (kernel_size, stride, padding, 1, ceil_mode, strict)
    x, win = pool_arguments(function, count, x, *window)
    override = averages.override_of(function, divisor_override)

    def pool(images: np.ndarray, part: Window, channels_last: bool) -> np.ndarray:
        divisor = 1 if override else averages.extents(part, bool(count_include_pad), x.dtype)
        return averages.averaged(images, part, divisor, channels_last)

    y = dimensions.forward(pool, x, win, is_channels_last(x))
    if override:
        y /= override
    return y


def avg_pool_backward(
    function: str,
    count: int,
    grad: np.ndarray,
    x: np.ndarray,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Sides,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Spread a gradient over the windows of `x`, whose values do not matter."""
    x, win = pool_arguments(function, count, x, kernel_size, stride, padding, 1, ceil_mode)
    grad = pool_gradient(function, grad, x, win)
    override = averages.override_of(function, divisor_override)
    if override:
        grad = grad / override

    def spread(
        grad: np.ndarray, shape: tuple[int, ...], part: Window, channels_last: bool
    ) -> np.ndarray:
        divisor = 1 if override else averages.extents(part, bool(count_include_pad), grad.dtype)
        return averages.spread(grad, shape, part, divisor, channels_last)

    return dimensions.backward(spread, grad, x.shape, win, is_channels_last(x))


def lp_pool(
    function: str,
    count: int,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None,
    ceil_mode: bool,
    strict: bool,
) -> np.ndarray:
    """Take the norms."""
    x, win = pool_arguments(function, count, x, kernel_size, stride, 0, 1, ceil_mode, strict)
    p = norms.norm_type_of(function, norm_type)

    def pool(images: np.ndarray, part: Window, channels_last: bool) -> np.ndarray:
        return norms.normed(images, p, part, channels_last)

    return dimensions.forward(pool, x, win, is_channels_last(x))


def lp_pool_backward(
    function: str,
    count: int,
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None,
    ceil_mode: bool,
) -> np.ndarray:
    """Compute the gradient of `x`."""
    x, win = pool_arguments(function, count, x, kernel_size, stride, 0, 1, ceil_mode)
    p = norms.norm_type_of(function, norm_type)
    grad = pool_gradient(function, grad, x, win)

    def pool(
        images: np.ndarray, part: Window, channels_last: bool
    ) -> tuple[np.ndarray, maxima.Route]:
        y = norms.normed(images, p, part, channels_last)
        return y, lambda g: norms.gradient(g, images, y, p, part, channels_last)

    _, route = dimensions.routed(pool, x, win, is_channels_last(x))
    return route(grad)
