"""What an element of a value sees of the image: how much, and how far beside its neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from cnnfast.nn import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    MaxUnpool2d,
    Module,
    Upsample,
)

_ADAPTIVE = (AdaptiveAvgPool2d, AdaptiveMaxPool2d)
_TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


class Field(NamedTuple):
    """A receptive field, axis by axis; without axes for what is no image.

    Attributes
    ----------
    size : tuple of Fraction
        Pixels that an element depends on, from the first to the last, padding included.
    jump : tuple of Fraction
        Pixels from the first one of an element to the first one of the next.
    extent : tuple of int
        Elements side by side: the map's height and width. Features, which have no place, keep that
        of the map they were.
    """

    size: tuple[Fraction, ...]
    jump: tuple[Fraction, ...]
    extent: tuple[int, ...]


def of_input(shape: Sequence[int]) -> Field:
    """Give the field of an input (N, C, ...): every pixel sees itself."""
    one = (Fraction(1),) * len(shape[2:])
    return Field(one, one, tuple(shape[2:]))


def of_output(layer: Module, fields: Sequence[Field], y_shape: Sequence[int]) -> Field:
    """Give the field of what a layer makes of inputs with these fields: where they meet, the most.

    An element that sees n of the layer's input, `step` beside what its neighbour sees, has a field
    of ``size + (n - 1) * jump`` and a jump of ``step * jump``. Normalisation does not count, though
    the moments of some kinds depend on the whole image.
    """
    size, jump, extent = _meeting(fields)
    after = tuple(y_shape[2:]) if len(y_shape) - 2 == len(size) else extent
    if isinstance(layer, Linear):
        after = (1,) * len(size)
    windows = [_window(layer, axis, n, after[axis]) for axis, n in enumerate(extent)]
    return Field(
        tuple(s + (n - 1) * j for s, (n, _), j in zip(size, windows, jump, strict=True)),
        tuple(step * j for (_, step), j in zip(windows, jump, strict=True)),
        after,
    )


def _meeting(fields: Sequence[Field]) -> Field:
    axes = max((len(field.size) for field in fields), default=0)
    images = [field for field in fields if len(field.size) == axes]
    if axes == 0:
        return Field((), (), ())
    return Field(
        tuple(map(max, *(f.size for f in images), (0,) * axes)),
        tuple(map(max, *(f.jump for f in images), (0,) * axes)),
        images[0].extent,
    )


def _window(layer: Module, axis: int, n: int, out: int) -> tuple[int, Fraction]:
    """How many elements a layer's windows see along an axis from `n` to `out`, and their step."""
    if isinstance(layer, MaxUnpool2d):
        return 1, Fraction(n, out)
    if isinstance(layer, Upsample):
        return 2 if layer.mode == "bilinear" else 1, Fraction(n, out)
    if hasattr(layer, "kernel_size"):
        kernel, stride, dilation = (
            _along(getattr(layer, name, 1), axis) for name in ("kernel_size", "stride", "dilation")
        )
        span = dilation * (kernel - 1) + 1
        if isinstance(layer, _TRANSPOSED):  # it spreads an input over `span` outputs
            return -(-span // stride), Fraction(1, stride)
        return span, Fraction(stride)
    if out == 1 and n > 1:  # all at once: fully connected, or a global pool
        return n, Fraction(1)
    if isinstance(layer, _ADAPTIVE):
        # Window o begins at floor(o n / out) and ends before ceil((o + 1) n / out).
        widths = [-(-(o + 1) * n // out) - o * n // out for o in range(out)]
        return max(widths), Fraction(n, out)
    return 1, Fraction(1)


def _along(value: Any, axis: int) -> int:
    return value if isinstance(value, int) else value[axis]
