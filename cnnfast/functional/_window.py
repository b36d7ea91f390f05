"""The geometry of a sliding window, for convolution, pooling, im2col and col2im alike.

In the notes' symbols an axis of W elements, padded by P on each side and read by a filter of F
taps at stride S, gives (W - F + 2P)/S + 1 outputs. Dilation D spreads the taps: the filter then
spans D(F - 1) + 1 elements. (In the notes dilation 0 means no gap; here, as in torch, that is 1.)
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any, NamedTuple, cast

Pair = int | tuple[int, int]
Padding = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]

# No index and no size of a scratch buffer that a kernel computes from these can leave 64 bits.
LARGEST = 2**31 - 1
LARGEST_IMAGE = 2**40


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


class Window(NamedTuple):
    """A window's two axes."""

    rows: Axis
    columns: Axis

    @property
    def out(self) -> tuple[int, int]:
        return self.rows.out, self.columns.out

    @property
    def strides(self) -> tuple[int, int]:
        return self.rows.stride, self.columns.stride

    @property
    def dilations(self) -> tuple[int, int]:
        return self.rows.dilation, self.columns.dilation


def pair(function: str, name: str, value: Pair, minimum: int) -> tuple[int, int]:
    """Turn an int, or two, into a pair of ints not below `minimum`."""
    if type(value) is int and minimum <= value <= LARGEST:
        return value, value
    values = (value, value) if not isinstance(value, (tuple, list)) else tuple(value)
    if len(values) != 2:
        raise ValueError(f"{function}: {name} must be an int or a pair of ints, got {value!r}")
    return _integer(function, name, values[0], minimum, value), _integer(
        function, name, values[1], minimum, value
    )


def _integer(function: str, name: str, item: Any, minimum: int, whole: object) -> int:
    if type(item) is not int:
        try:
            if isinstance(item, bool):
                raise TypeError
            item = operator.index(item)
        except TypeError:
            raise TypeError(
                f"{function}: {name} must be an int or a pair of ints, got {whole!r}"
            ) from None
    if not minimum <= item <= LARGEST:
        bound = f"at least {minimum}" if item < minimum else f"at most {LARGEST}"
        raise ValueError(f"{function}: {name} must be {bound}, got {whole!r}")
    return item


def _sides(
    function: str,
    padding: Padding,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding in any accepted form as ((top, bottom), (left, right))."""
    if type(padding) is int and 0 <= padding <= LARGEST:
        return (padding, padding), (padding, padding)
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding != "same":
            raise ValueError(f'{function}: padding must be "same" or "valid", got {padding!r}')
        if stride != (1, 1):
            raise ValueError(f'{function}: padding "same" needs stride 1, got stride {stride}')
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return (total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2)
    if isinstance(padding, (tuple, list)) and any(isinstance(p, (tuple, list)) for p in padding):
        if len(padding) != 2:
            raise ValueError(
                f"{function}: padding must be ((top, bottom), (left, right)), got {padding!r}"
            )
        return pair(function, "padding", padding[0], 0), pair(function, "padding", padding[1], 0)
    vertical, horizontal = pair(function, "padding", cast(Pair, padding), 0)
    return (vertical, vertical), (horizontal, horizontal)


def window(
    function: str,
    size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding = 0,
    dilation: Pair = 1,
    *,
    ceil_mode: bool = False,
    strict: bool = False,
    pooling: bool = False,
) -> Window:
    """Check a window's arguments and place it over an input of `size` (H, W).

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
    kernel = pair(function, "kernel_size", kernel_size, 1)
    strides = pair(function, "stride", stride, 1)
    dilations = pair(function, "dilation", dilation, 1)
    sides = _sides(function, padding, kernel, strides, dilations)
    return _place(
        function, size, kernel, strides, sides, dilations, ceil_mode, bool(strict), pooling
    )


@lru_cache(maxsize=1024)
def _place(function, size, kernel, strides, sides, dilations, ceil_mode, strict, pooling) -> Window:
    axes = []
    for i, (what, extent) in enumerate((("rows", "height"), ("columns", "width"))):
        before, after = sides[i]
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
    if axes[0].padded * axes[1].padded > LARGEST_IMAGE:
        raise ValueError(
            f"{function}: the padded input has {axes[0].padded} x {axes[1].padded} elements, "
            f"more than {LARGEST_IMAGE}"
        )
    return Window(*axes)


def _check_pool_padding(function: str, axis: Axis, kernel: tuple[int, int], what: str) -> None:
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
