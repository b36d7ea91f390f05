"""Where windows stand over an image, as tables of indices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Pair = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
Sides = tuple[tuple[int, int], tuple[int, int]]


def two(value: Pair) -> tuple[int, int]:
    """Spread an int over both axes."""
    first, second = np.broadcast_to(value, 2).tolist()
    return first, second


def sides(padding: Padding) -> Sides:
    """Give padding as ((top, bottom), (left, right))."""
    pads = np.asarray(padding)
    if pads.ndim == 1:
        pads = pads[:, None]
    (top, bottom), (left, right) = np.broadcast_to(pads, (2, 2)).tolist()
    return (top, bottom), (left, right)


def output_size(
    size: int,
    kernel: int,
    stride: int,
    pad: tuple[int, int],
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Count window positions along one axis, by trying them."""
    span = dilation * (kernel - 1) + 1
    starts = np.arange(-pad[0], size + pad[1], stride)
    fits = starts + span <= size + pad[1]
    count = int(fits.sum())
    if ceil_mode and not (fits & (starts + span == size + pad[1])).any():
        # One window may hang over the end, if it starts on the input or on the padding before it.
        count += int((starts[count : count + 1] < size).sum())
    return count


class Windows(NamedTuple):
    """Where the taps of every window read, as tables of shape (OH, OW, taps)."""

    flat: np.ndarray  # position in the H*W plane; any valid position where inside is False
    inside: np.ndarray  # whether the tap reads the input rather than padding


def windows(
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Windows:
    """Tabulate the windows over planes of `shape` (..., H, W)."""
    positions, inside = [], []
    for size, kernel, step, pad, gap in zip(
        shape[-2:], two(kernel_size), two(stride), sides(padding), two(dilation), strict=True
    ):
        count = output_size(size, kernel, step, pad, gap, ceil_mode)
        at = (np.arange(count) * step - pad[0])[:, None] + np.arange(kernel) * gap
        positions.append(at.clip(0, size - 1))
        inside.append((at >= 0) & (at < size))
    rows, columns = positions
    flat = rows[:, None, :, None] * shape[-1] + columns[None, :, None, :]
    valid = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    table = (*flat.shape[:2], flat.shape[2] * flat.shape[3])
    return Windows(flat.reshape(table), valid.reshape(table))


def gather(x: np.ndarray, at: Windows, fill: float) -> np.ndarray:
    """Read every window of `x` (N, C, H, W) as (N, C, OH, OW, taps), with `fill` for padding."""
    n, c, h, w = x.shape
    return np.where(at.inside, x.reshape(n, c, h * w)[:, :, at.flat], fill)


def scatter(values: np.ndarray, at: Windows, shape: tuple[int, ...]) -> np.ndarray:
    """Add (N, C, OH, OW, taps) back to where `gather` read them."""
    out = np.zeros((*shape[:2], shape[2] * shape[3]))
    for tap in range(values.shape[-1]):
        # One tap of different windows never reads one position twice, so += loses nothing.
        inside = at.inside[..., tap]
        out[:, :, at.flat[inside, tap]] += values[..., tap][:, :, inside]
    return out.reshape(shape)


def f64(*arrays: ArrayLike) -> list[np.ndarray]:
    return [np.asarray(array, np.float64) for array in arrays]
