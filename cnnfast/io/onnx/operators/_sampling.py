"""Resampling along any axes: where the elements of a result come from, and how they are weighed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from cnnfast.functional._arguments import FLOATS
from cnnfast.functional._memory import is_channels_last
from cnnfast.functional._resampling import Plan, gather, plan, resample


class Line(NamedTuple):
    """What resizing does to one axis.

    Attributes
    ----------
    size, out : int
        Before and after.
    length, scale : float
        What the model asks for: `out` is that length, rounded.
    start, end : float
        The part of the axis that is resized, of 0 to 1; only "tf_crop_and_resize" knows parts.
    """

    size: int
    out: int
    length: float
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def stays(self) -> bool:
        return (self.out, self.scale, self.start, self.end) == (self.size, 1, 0, 1)


# Where the element at `place` of the result lies in the input, by the standard's names.


def _half_pixel(line: Line, place: np.ndarray) -> np.ndarray:
    return (place + 0.5) / line.scale - 0.5


def _half_pixel_symmetric(line: Line, place: np.ndarray) -> np.ndarray:
    """The centres of both axes lie on each other, even where `out` has been rounded."""
    return line.size / 2 * (1 - line.out / line.length) + _half_pixel(line, place)


def _pytorch_half_pixel(line: Line, place: np.ndarray) -> np.ndarray:
    return _half_pixel(line, place) if line.out > 1 else 0 * place


def _align_corners(line: Line, place: np.ndarray) -> np.ndarray:
    return place * ((line.size - 1) / (line.length - 1)) if line.length != 1 else place


def _asymmetric(line: Line, place: np.ndarray) -> np.ndarray:
    return place / line.scale


def _tf_half_pixel_for_nn(line: Line, place: np.ndarray) -> np.ndarray:
    return (place + 0.5) / line.scale


def _tf_crop_and_resize(line: Line, place: np.ndarray) -> np.ndarray:
    if line.out == 1:
        return 0 * place + (line.start + line.end) / 2 * (line.size - 1)
    step = (line.end - line.start) / (line.out - 1)
    return (line.start + place * step) * (line.size - 1)


COORDINATES: dict[str, Callable[[Line, np.ndarray], np.ndarray]] = {
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_crop_and_resize": _tf_crop_and_resize,
    "tf_half_pixel_for_nn": _tf_half_pixel_for_nn,
}

NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
}


def triangle(distance: np.ndarray) -> np.ndarray:
    """What linear interpolation weighs an element by that is so far away."""
    return np.maximum(0, 1 - np.abs(distance))


def keys(distance: np.ndarray, a: float) -> np.ndarray:
    """What cubic interpolation weighs it by.

    R. Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4.
    """
    t = np.abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def nearest(place: np.ndarray, size: int, rounding: str, dtype: np.dtype) -> Plan:
    """Take the element nearest to each place, by one of `NEAREST`."""
    return gather(np.clip(NEAREST[rounding](place), 0, size - 1).astype(np.intp), dtype)


def interpolated(
    place: np.ndarray,
    size: int,
    kernel: Callable[[np.ndarray], np.ndarray],
    radius: float,
    exclude_outside: bool,
    dtype: np.dtype,
) -> Plan:
    """Weigh the elements around each place by a kernel, which is 0 beyond its radius.

    Outside lies what the edge has, or else nothing.
    """
    reach = math.ceil(radius)
    index = np.floor(place[:, None]).astype(np.intp) + np.arange(1 - reach, reach + 1)
    weight = kernel(index - place[:, None])
    if exclude_outside:
        weight[(index < 0) | (index >= size)] = 0
    # A kernel that is stretched, or cut off, does not add up to 1 by itself.
    total = weight.sum(axis=1, keepdims=True)
    return plan(np.clip(index, 0, size - 1), weight / np.where(total == 0, 1, total), dtype)


def apply(plans: Mapping[int, Plan], x: np.ndarray) -> np.ndarray:
    """Resample an array of any dimensions along the axes that have plans.

    If `x` is of other types than float32 and float64, each target must be one source.
    """
    shape = tuple(plans[i].targets if i in plans else size for i, size in enumerate(x.shape))
    if x.size == 0 or 0 in shape:
        return np.zeros(shape, x.dtype)
    if x.ndim == 4 and x.dtype in FLOATS and min(plans, default=0) >= 2:
        h, w = (plans.get(i) or gather(np.arange(x.shape[i]), x.dtype) for i in (2, 3))
        return resample(x, h, w, is_channels_last(x))
    for axis, along in plans.items():
        if x.dtype not in FLOATS:
            x = np.take(x, along.sources, axis)
            continue
        before, behind = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        images = x.reshape(before, 1, x.shape[axis], behind)
        y = resample(images, along, gather(np.arange(behind), x.dtype), False)
        x = y.reshape(*x.shape[:axis], along.targets, *x.shape[axis + 1 :])
    return x
