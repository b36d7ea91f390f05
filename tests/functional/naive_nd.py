"""Convolutions and pools over any number of axes, as loops over outputs and taps.

Nothing of cnnfast is used. Everything about a window is a sequence with an entry for each axis;
`sides` has (before, after) for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

Sizes = Sequence[int]


class Geometry(NamedTuple):
    """How a window walks."""

    kernel: Sizes
    stride: Sizes
    sides: Sequence[tuple[int, int]]
    dilation: Sizes

    def out(self, size: Sizes, ceil_mode: bool = False) -> list[int]:
        """Count the positions along each axis, by trying them."""
        counts = []
        for length, k, s, (before, after), d in zip(size, *self, strict=True):
            last_fits, count = length + after - d * (k - 1), 0
            start = -before
            while start < last_fits:
                count, start = count + 1, start + s
            hangs_over = start - s + d * (k - 1) + 1 < length + after
            if ceil_mode and hangs_over and start < length:
                count += 1
            counts.append(count)
        return counts

    def meetings(self, size: Sizes, out: Sizes) -> Iterator[tuple[tuple, tuple, tuple]]:
        """Every output, tap and input position that meet, inside an input of `size`."""
        for o in product(*map(range, out)):
            for tap in product(*map(range, self.kernel)):
                at = tuple(
                    o[a] * self.stride[a] - self.sides[a][0] + tap[a] * self.dilation[a]
                    for a in range(len(o))
                )
                if all(0 <= p < length for p, length in zip(at, size, strict=True)):
                    yield o, tap, at


def parts(channels: int, groups: int) -> list[slice]:
    step = channels // groups
    return [slice(g * step, (g + 1) * step) for g in range(groups)]


def conv(x: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int) -> np.ndarray:
    out = geometry.out(x.shape[2:])
    y = np.zeros((len(x), len(w), *out))
    for o, tap, at in geometry.meetings(x.shape[2:], out):
        for c, k in zip(parts(x.shape[1], groups), parts(len(w), groups), strict=True):
            y[(slice(None), k, *o)] += x[(slice(None), c, *at)] @ w[(k, slice(None), *tap)].T
    return y


def conv_backward(
    grad: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gx, gw = np.zeros(x.shape), np.zeros(w.shape)
    for o, tap, at in geometry.meetings(x.shape[2:], grad.shape[2:]):
        for c, k in zip(parts(x.shape[1], groups), parts(len(w), groups), strict=True):
            g = grad[(slice(None), k, *o)]
            gx[(slice(None), c, *at)] += g @ w[(k, slice(None), *tap)]
            gw[(k, slice(None), *tap)] += g.T @ x[(slice(None), c, *at)]
    return gx, gw, grad.sum((0, *range(2, grad.ndim)))


def conv_transpose(
    x: np.ndarray, w: np.ndarray, geometry: Geometry, output_padding: Sizes, groups: int
) -> np.ndarray:
    size = [
        (length - 1) * s - sum(sides) + d * (k - 1) + extra + 1
        for length, k, s, sides, d, extra in zip(
            x.shape[2:], *geometry, output_padding, strict=True
        )
    ]
    channels = w.shape[1] * groups
    y = np.zeros((len(x), channels, *size))
    for o, tap, at in geometry.meetings(size, x.shape[2:]):
        for c, k in zip(parts(len(w), groups), parts(channels, groups), strict=True):
            y[(slice(None), k, *at)] += x[(slice(None), c, *o)] @ w[(c, slice(None), *tap)]
    return y


def conv_transpose_backward(
    grad: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gx, gw = np.zeros(x.shape), np.zeros(w.shape)
    for o, tap, at in geometry.meetings(grad.shape[2:], x.shape[2:]):
        for c, k in zip(parts(len(w), groups), parts(grad.shape[1], groups), strict=True):
            g = grad[(slice(None), k, *at)]
            gx[(slice(None), c, *o)] += g @ w[(c, slice(None), *tap)].T
            gw[(c, slice(None), *tap)] += x[(slice(None), c, *o)].T @ g
    return gx, gw, grad.sum((0, *range(2, grad.ndim)))


def locally_connected(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    out = geometry.out(x.shape[2:])
    y = np.zeros((len(x), w.shape[len(out)], *out))
    for o, tap, at in geometry.meetings(x.shape[2:], out):
        y[(slice(None), slice(None), *o)] += (
            x[(slice(None), slice(None), *at)] @ w[(*o, slice(None), slice(None), *tap)].T
        )
    return y


def locally_connected_backward(
    grad: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gx, gw, everything = np.zeros(x.shape), np.zeros(w.shape), slice(None)
    for o, tap, at in geometry.meetings(x.shape[2:], grad.shape[2:]):
        g = grad[(everything, everything, *o)]
        gx[(everything, everything, *at)] += g @ w[(*o, everything, everything, *tap)]
        gw[(*o, everything, everything, *tap)] += g.T @ x[(everything, everything, *at)]
    return gx, gw, grad.sum(0)


def windows(x: np.ndarray, geometry: Geometry, ceil_mode: bool) -> dict[tuple, list[tuple]]:
    """The positions inside `x` that each window covers, in row-major order."""
    size = x.shape[2:]
    covered: dict[tuple, list[tuple]] = {}
    for o, _, at in geometry.meetings(size, geometry.out(size, ceil_mode)):
        covered.setdefault(o, []).append(at)
    return covered


def max_pool(
    x: np.ndarray, geometry: Geometry, ceil_mode: bool
) -> tuple[np.ndarray, np.ndarray, list[tuple[tuple, tuple]]]:
    """Maxima, their flat positions, and pairs of an output's and its winner's index."""
    shape = (*x.shape[:2], *geometry.out(x.shape[2:], ceil_mode))
    y, indices, routes = np.zeros(shape), np.zeros(shape, int), []
    for o, covered in windows(x, geometry, ceil_mode).items():
        for image in product(range(shape[0]), range(shape[1])):
            winner = covered[0]
            for at in covered:
                value, best = x[(*image, *at)], x[(*image, *winner)]
                if value > best or (math.isnan(value) and not math.isnan(best)):
                    winner = at
            y[(*image, *o)] = x[(*image, *winner)]
            indices[(*image, *o)] = np.ravel_multi_index(winner, x.shape[2:])
            routes.append(((*image, *o), (*image, *winner)))
    return y, indices, routes


def avg_pool(
    x: np.ndarray,
    geometry: Geometry,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> tuple[np.ndarray, list[tuple[tuple, tuple, float]]]:
    """Averages, and what share of each input is in which output."""
    size = x.shape[2:]
    y, shares = np.zeros((*x.shape[:2], *geometry.out(size, ceil_mode))), []
    for o, covered in windows(x, geometry, ceil_mode).items():
        divisor = len(covered)
        if count_include_pad:
            divisor = 1
            for i, length, k, s, (before, after) in zip(o, size, *geometry[:3], strict=True):
                start = i * s - before
                divisor *= min(start + k, length + after) - start
        divisor = divisor_override or divisor
        for at in covered:
            y[(slice(None), slice(None), *o)] += x[(slice(None), slice(None), *at)] / divisor
            shares.append((o, at, 1 / divisor))
    return y, shares


def lp_pool(x: np.ndarray, p: float, geometry: Geometry, ceil_mode: bool) -> np.ndarray:
    y = np.zeros((*x.shape[:2], *geometry.out(x.shape[2:], ceil_mode)))
    for o, covered in windows(x, geometry, ceil_mode).items():
        total = sum(np.abs(x[(slice(None), slice(None), *at)]) ** p for at in covered)
        y[(slice(None), slice(None), *o)] = total ** (1 / p)
    return y
