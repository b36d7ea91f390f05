"""The geometry of a sliding window, for convolution, pooling, im2col and col2im alike.

In the notes' symbols an axis of W elements, padded by P on each side and read by a filter of F
taps at stride S, gives (W - F + 2P)/S + 1 outputs. Dilation D spreads the taps: the filter then
spans D(F - 1) + 1 elements. (In the notes dilation 0 means no gap; here, as in torch, that is 1.)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple, cast

Pair = int | tuple[int, int]
Padding = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
# The same for any number of axes.
Numbers = int | tuple[int, ...]
Sides = int | str | tuple[int, ...] | tuple[tuple[int, int], ...]

# No index and no size of a scratch buffer that a kernel computes from these can leave 64 bits.
LARGEST = 2**31 - 1
LARGEST_IMAGE = 2**40

# By the number of axes: what arguments look like, and what each axis is called.
FORMS = {1: "an int", 2: "an int or a pair of ints", 3: "an int or three ints"}
SIDES = {
    1: "((left, right),)",
    2: "((top, bottom), (left, right))",
    3: "((front, back), (top, bottom), (left, right))",
}
AXES = {
    1: (("elements", "length"),),
    2: (("rows", "height"), ("columns", "width")),
    3: (("slices", "depth"), ("rows", "height"), ("columns", "width")),
}


class Axis(NamedTuple):
    """One spatial axis of a window: everything a kernel needs to walk it."""

    size: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int
    out: int

    @property
    def span(self) -> int:
        """Elements from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        return self.before + self.size + self.after


def plain_axis(size: int) -> Axis:
    """An axis along which nothing happens: one tap at every position."""
    return Axis(size, 1, 1, 0, 0, 1, size)


class Window(tuple[Axis, ...]):
    """A window's axes: one, two or three of them.

    Attributes
    ----------
    rows, columns : Axis
        The last two; of a sequence, which is one row, the first is plain.
    out, strides, dilations : tuple of int
    is_global : bool
        Whether there is one position, and its taps are just the input.
    """

    rows: Axis
    columns: Axis
    out: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    is_global: bool

    def __new__(cls, axes: Iterable[Axis]) -> Window:
        self = super().__new__(cls, axes)
        # Found once: windows are looked up far more often than made.
        self.rows, self.columns = self[-2:] if len(self) > 1 else (plain_axis(1), self[0])
        self.out = tuple([axis.out for axis in self])
        self.strides = tuple([axis.stride for axis in self])
        self.dilations = tuple([axis.dilation for axis in self])
        self.is_global = all(
            a.out == 1 and a.before == 0 and a.kernel == a.size and a.span == a.kernel for a in self
        )
        return self

    def of_one_row(self) -> Window:
        """That over an image of one row, instead of a sequence."""
        return Window((plain_axis(1), *self))


def numbers(function: str, name: str, value: Numbers, minimum: int, count: int) -> tuple[int, ...]:
    """Turn an int, or one for each axis, into `count` ints not below `minimum`."""
    if type(value) is int and minimum <= value <= LARGEST:
        return (value,) * count
    values = (value,) * count if not isinstance(value, (tuple, list)) else tuple(value)
    if len(values) != count:
        raise ValueError(f"{function}: {name} must be {FORMS[count]}, got {value!r}")
    return tuple([_integer(function, name, item, minimum, value, FORMS[count]) for item in values])


def pair(function: str, name: str, value: Pair, minimum: int) -> tuple[int, int]:
    """Turn an int, or two, into a pair of ints not below `minimum`."""
    first, second = numbers(function, name, value, minimum, 2)
    return first, second


def _integer(function: str, name: str, item: Any, minimum: int, whole: object, form: str) -> int:
    if type(item) is not int:
        try:
            if isinstance(item, bool):
                raise TypeError
            item = operator.index(item)
        except TypeError:
            raise TypeError(f"{function}: {name} must be {form}, got {whole!r}") from None
    if not minimum <= item <= LARGEST:
        bound = f"at least {minimum}" if item < minimum else f"at most {LARGEST}"
        raise ValueError(f"{function}: {name} must be {bound}, got {whole!r}")
    return item


def sides(
    function: str,
    padding: Sides,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    """Padding in any accepted form as (before, after) for each axis."""
    count = len(kernel)
    if type(padding) is int and 0 <= padding <= LARGEST:
        return ((padding, padding),) * count
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * count
        if padding != "same":
            raise ValueError(f'{function}: padding must be "same" or "valid", got {padding!r}')
        if any(step != 1 for step in stride):
            raise ValueError(f'{function}: padding "same" needs stride 1, got stride {stride}')
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple([(t // 2, t - t // 2) for t in total])
    if isinstance(padding, (tuple, list)) and any(isinstance(p, (tuple, list)) for p in padding):
        if len(padding) != count:
            raise ValueError(f"{function}: padding must be {SIDES[count]}, got {padding!r}")
        return tuple([pair(function, "padding", cast(Pair, side), 0) for side in padding])
    return tuple([(p, p) for p in numbers(function, "padding", cast(Numbers, padding), 0, count)])


def window(
    function: str,
    size: tuple[int, ...],
    kernel_size: Numbers,
    stride: Numbers,
    padding: Sides = 0,
    dilation: Numbers = 1,
    *,
    ceil_mode: bool = False,
    strict: bool = False,
    pooling: bool = False,
) -> Window:
    """Check a window's arguments and place it over an input of `size`, e.g. (H, W).

    Parameters
    ----------
    function : str
        The public function's name, for the messages.
    ceil_mode : bool
        Keep a last window that runs past the end, by less than a stride, if it starts inside the
        input or its padding before it (torch's rule).
    strict : bool
        Raise where the windows do not fit the padded input exactly, as the notes demand.
    pooling : bool
        Apply the pools' rule too: no window may lie wholly in the padding.

    Raises
    ------
    TypeError, ValueError
        With a message that names the function, the argument, its value and the rule.
    """
    count = len(size)
    kernel = numbers(function, "kernel_size", kernel_size, 1, count)
    strides = numbers(function, "stride", stride, 1, count)
    dilations = numbers(function, "dilation", dilation, 1, count)
    pads = sides(function, padding, kernel, strides, dilations)
    return _place(
        function, size, kernel, strides, pads, dilations, ceil_mode, bool(strict), pooling
    )


@lru_cache(maxsize=1024)
def _place(function, size, kernel, strides, pads, dilations, ceil_mode, strict, pooling) -> Window:
    axes = []
    for i, (what, extent) in enumerate(AXES[len(size)]):
        before, after = pads[i]
        axis = Axis(size[i], kernel[i], strides[i], before, after, dilations[i], 0)
        room = axis.padded - axis.span
        overhangs = ceil_mode and not strict and room > -axis.stride
        if room < 0 and not overhangs:
            dilated = f" with dilation {axis.dilation}" if axis.dilation > 1 else ""
            raise ValueError(
                f"{function}: kernel_size {kernel}{dilated} spans {axis.span} {what}, "
                f"more than the {axis.padded} of the padded input"
            )
        if strict and room % axis.stride:
            fits = axis.size - room % axis.stride
            raise ValueError(
                f"{function}: strict: {extent} {axis.size} leaves {room % axis.stride} {what} over "
                f"for kernel_size {axis.kernel}, stride {axis.stride}, padding "
                f"{(axis.before, axis.after)}, dilation {axis.dilation}; the nearest {extent}s "
                f"that fit are {fits} and {fits + axis.stride}"
            )
        out = room // axis.stride + 1
        if ceil_mode and room % axis.stride and out * axis.stride < axis.size + axis.before:
            out += 1
        axis = axis._replace(out=out)
        if pooling:
            _check_pool_padding(function, axis, kernel, what)
        axes.append(axis)
    padded = [axis.padded for axis in axes]
    if math.prod(padded) > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: the padded input has {' x '.join(map(str, padded))} elements, "
            f"more than {LARGEST_IMAGE}"
        )
    return Window(axes)


def _check_pool_padding(function: str, axis: Axis, kernel: tuple[int, ...], what: str) -> None:
    if max(axis.before, axis.after) > axis.span // 2:
        raise ValueError(
            f"{function}: padding {(axis.before, axis.after)} must be at most half of the "
            f"{axis.span} {what} that kernel_size {kernel} spans"
        )
    # Dilated taps can step over a small input, so the rule above is not enough.
    for o in range(axis.out):
        first = o * axis.stride - axis.before
        skipped = -(first // axis.dilation) if first < 0 else 0
        if skipped >= axis.kernel or first + skipped * axis.dilation >= axis.size:
            raise ValueError(
                f"{function}: window {o} over the {what} holds nothing but padding "
                f"(kernel_size {kernel}, dilation {axis.dilation}, size {axis.size})"
            )
        if skipped == 0:
            break
