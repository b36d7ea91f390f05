"""Linear maps along the two axes of images: which source elements each target sums, and how.

Resizing, padding by reflection and averages over uneven windows are all of this kind, and so are
their gradients: each is the adjoint of a plan, which is a plan again. A new kind of resampling is
one function that returns a plan for one axis.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cnnfast._ext import resample as _kernels
from cnnfast.functional._memory import empty_image, in_order


class Plan(NamedTuple):
    """What becomes of one axis.

    Target i is the sum of weights[k] * x[sources[k]] over k = starts[i] .. starts[i + 1] - 1, or 0
    if there is none. `starts` has one entry more than there are targets, the number of all k.
    """

    starts: np.ndarray
    sources: np.ndarray
    weights: np.ndarray

    @property
    def targets(self) -> int:
        return len(self.starts) - 1


def plan(sources: ArrayLike, weights: ArrayLike, dtype: np.dtype) -> Plan:
    """Plan with the same number of taps for each target: `sources` and `weights` (targets, taps).

    Weights are used in `dtype`, that of the images.
    """
    at = np.ascontiguousarray(sources, np.intp)
    starts = np.arange(len(at) + 1, dtype=np.intp) * at.shape[1]
    return Plan(starts, at.ravel(), np.broadcast_to(weights, at.shape).astype(dtype).ravel())


def gather(sources: np.ndarray, dtype: np.dtype) -> Plan:
    """Plan of targets that are each a copy of one source."""
    return plan(sources[:, None], 1, dtype)


def adjoint(forward: Plan, size: int) -> Plan:
    """Plan of the gradient with respect to the `size` sources of a plan."""
    targets = np.repeat(np.arange(forward.targets), np.diff(forward.starts))
    order = np.argsort(forward.sources, kind="stable")
    starts = np.zeros(size + 1, np.intp)
    np.cumsum(np.bincount(forward.sources, minlength=size), out=starts[1:])
    return Plan(starts, targets[order], forward.weights[order])


def resample(x: np.ndarray, rows: Plan, columns: Plan, channels_last: bool) -> np.ndarray:
    """Apply a plan for the rows and one for the columns to checked images (N, C, H, W).

    The result is in channels-last memory or else in C order.
    """
    y = empty_image((*x.shape[:2], rows.targets, columns.targets), x.dtype, channels_last)
    _kernels.apply(in_order(x, channels_last), y, rows, columns, channels_last)
    return y


# ---------------------------------------------------------------------------- kinds of plans


@lru_cache(maxsize=256)
def spans(bounds: tuple[tuple[int, int], ...], dtype: np.dtype) -> Plan:
    """Plan of sums over neighbours: over start..stop-1 for each (start, stop)."""
    sources = [np.arange(*bound, dtype=np.intp) for bound in bounds]
    starts = np.cumsum([0, *map(len, sources)], dtype=np.intp)
    return Plan(starts, np.concatenate(sources), np.ones(starts[-1], dtype))


@lru_cache(maxsize=256)
def nearest(size: int, out: int, scale: float | None, dtype: np.dtype) -> Plan:
    """Plan of the source element that target i begins in: floor(i * size / out).

    `scale`, where it is given, stands for out / size, save where that is 1 or 2: torch's rule, and
    its single precision too, or now and then another element would be taken.
    """
    if scale is None or out in (size, 2 * size):
        step = np.float32(size) / np.float32(out)
    else:
        step = np.float32(1 / scale)
    positions = np.arange(out, dtype=np.float32) * step
    return gather(np.minimum(positions.astype(np.intp), size - 1), dtype)


@lru_cache(maxsize=256)
def linear(size: int, out: int, scale: float | None, align_corners: bool, dtype: np.dtype) -> Plan:
    """Plan of linear interpolation between the two nearest elements.

    The centre of target i lies at (i + 1/2) * size / out - 1/2, but not before element 0; with
    `align_corners` at i * (size - 1) / (out - 1). `scale`, where it is given, stands for out / size
    in the first.
    """
    if align_corners:
        positions = np.arange(out) * ((size - 1) / max(out - 1, 1))
    elif size == out:
        positions = np.arange(out, dtype=np.float64)
    else:
        step = size / out if scale is None else 1 / scale
        positions = np.maximum((np.arange(out) + 0.5) * step - 0.5, 0)
    left = np.minimum(positions.astype(np.intp), size - 1)
    right = np.minimum(left + 1, size - 1)
    share = np.minimum(positions - left, 1)
    return plan(np.stack([left, right], 1), np.stack([1 - share, share], 1), dtype)
