"""Where a resized axis takes its elements from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnnfast.io.onnx.operators._arrays import scatter_add


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
    return _half_pixel(line, place) if line.length > 1 else 0 * place


def _align_corners(line: Line, place: np.ndarray) -> np.ndarray:
    return place * ((line.size - 1) / (line.length - 1)) if line.length != 1 else place


def _asymmetric(line: Line, place: np.ndarray) -> np.ndarray:
    return place / line.scale


def _tf_half_pixel_for_nn(line: Line, place: np.ndarray) -> np.ndarray:
    return (place + 0.5) / line.scale


def _tf_crop_and_resize(line: Line, place: np.ndarray) -> np.ndarray:
    if line.length <= 1:
        return 0 * place + (line.start + line.end) / 2 * (line.size - 1)
    step = (line.end - line.start) / (line.length - 1)
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
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
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


class Taps(NamedTuple):
    """Which elements of an axis make those of the result, and how they are weighed.

    Attributes
    ----------
    places : numpy.ndarray
        (taps, out).
    weight : numpy.ndarray or None
        (taps, out); None if the only tap is the result.
    """

    places: np.ndarray
    weight: np.ndarray | None = None

    def apply(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Make the result."""
        if self.weight is None:
            return np.take(x, self.places[0], axis)
        y = np.take(x, self.places[0], axis) * self._behind(0, axis, x)
        for tap in range(1, len(self.places)):
            y += np.take(x, self.places[tap], axis) * self._behind(tap, axis, x)
        return y

    def back(self, grad: np.ndarray, axis: int, size: int) -> np.ndarray:
        """Take the result's gradient back to the `size` elements of the axis."""
        if self.weight is None:
            return scatter_add(grad, self.places[0], axis, size)
        gx = scatter_add(grad * self._behind(0, axis, grad), self.places[0], axis, size)
        for tap in range(1, len(self.places)):
            gx += scatter_add(grad * self._behind(tap, axis, grad), self.places[tap], axis, size)
        return gx

    def _behind(self, tap: int, axis: int, x: np.ndarray) -> np.ndarray:
        """The weights of a tap, shaped to be broadcast along the axis of `x`."""
        assert self.weight is not None
        shape = [-1 if i == axis else 1 for i in range(x.ndim)]
        return self.weight[tap].astype(x.dtype).reshape(shape)


def nearest(place: np.ndarray, size: int, mode: str) -> Taps:
    """Take the element nearest to each place, by one of `NEAREST`."""
    index = NEAREST[mode](place).astype(np.intp)
    return Taps(np.clip(index, 0, size - 1)[None])


def interpolated(
    place: np.ndarray,
    size: int,
    kernel: Callable[[np.ndarray], np.ndarray],
    radius: float,
    exclude_outside: bool,
) -> Taps:
    """Weigh the elements around each place by a kernel, which is 0 beyond its radius.

    Outside lies what the edge has, or else nothing.
    """
    reach = math.ceil(radius)
    index = np.floor(place).astype(np.intp) + np.arange(1 - reach, reach + 1)[:, None]
    weight = kernel(index - place)
    if exclude_outside:
        weight[(index < 0) | (index >= size)] = 0
    # A kernel that is stretched, or cut off, does not add up to 1 by itself.
    total = weight.sum(axis=0)
    return Taps(np.clip(index, 0, size - 1), weight / np.where(total == 0, 1, total))
