"""The course notes' rules for the sizes of layers, and what in a network breaks them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

from cnnfast.analysis.ledger import Summary
from cnnfast.analysis.steps import CONVOLUTIONS, POOLS, Step
from cnnfast.functional._window import Axis
from cnnfast.nn import AdaptiveAvgPool2d, AdaptiveMaxPool2d, Conv2d

LARGEST_POOL = 3
LARGEST_FILTER = 3


class Finding(NamedTuple):
    """A rule that something in a network breaks.

    Attributes
    ----------
    layer : str
        Path of the layer, or the name of an input.
    rule : str
        "input", "shrinks", "stride", "fit", "pool" or "filter".
    figure : str
        By which it does so.
    advice : str
    """

    layer: str
    rule: str
    figure: str
    advice: str


def broken(steps: Sequence[Step], ledger: Summary) -> list[Finding]:
    """List what breaks the rules, from the first layer to the last."""
    found = list(_inputs(ledger))
    first = next((s.name for s in steps if isinstance(s.layer, CONVOLUTIONS)), None)
    for step in steps:
        for rule in _RULES:
            found += rule(step)
        if step.name != first:
            found += _filter(step)
    return found


def _inputs(ledger: Summary) -> Iterator[Finding]:
    """Sides can be halved as often as the network halves them."""
    for row in ledger.rows:
        if row.kind != "Input" or len(row.output_shape) < 2:
            continue
        totals = [
            max(int(other.jump[axis]) for other in ledger.rows if _whole(other.jump, axis))
            for axis in range(len(row.jump))
        ]
        bad = [(side, n) for side, n in zip(row.output_shape[1:], totals, strict=True) if side % n]
        for side, n in dict.fromkeys(bad):
            smaller, larger = side // n * n, (side // n + 1) * n
            sizes = f"{smaller} or {larger}" if smaller else str(larger)
            yield Finding(
                row.name,
                "input",
                f"{side} / {n} = {side / n:g}",
                f"a pixel of the last map is {n} wide; {sizes} would divide evenly",
            )


def _whole(jump: tuple[float, ...], axis: int) -> bool:
    """Whether neighbours see pixels a whole number apart: adaptive pools may divide otherwise."""
    return len(jump) > axis and isinstance(jump[axis], int)


def _shrinks(step: Step) -> Iterator[Finding]:
    """Convolutions of stride 1 keep the size: P = (F - 1)/2."""
    axes = _axes(step, CONVOLUTIONS)
    if any(a.stride == 1 and a.out < a.size for a in axes):
        keeping = tuple((a.span - 1) // 2 for a in axes)
        even = any(a.span % 2 == 0 for a in axes)
        text = "padding='same'" if even else f"padding={_one_or_all(keeping)}"
        yield Finding(step.name, "shrinks", _change(step), f"{text} keeps the size of the map")


def _stride(step: Step) -> Iterator[Finding]:
    """Convolutions have stride 1: the pools make maps smaller."""
    axes = _axes(step, CONVOLUTIONS)
    if any(a.stride > 1 for a in axes):
        stride = _one_or_all([a.stride for a in axes])
        yield Finding(
            step.name,
            "stride",
            _change(step),
            f"stride {stride} in a convolution; with stride 1 a pool can make the map smaller",
        )


def _fit(step: Step) -> Iterator[Finding]:
    """Windows fit: (W - F + 2P)/S + 1 is a whole number."""
    for axis in dict.fromkeys(_axes(step, CONVOLUTIONS + POOLS)):
        rest = (axis.padded - axis.span) % axis.stride
        if rest:
            padding = axis.before + axis.after
            whole = (axis.padded - axis.span) / axis.stride + 1
            figure = f"({axis.size} - {axis.span} + {padding})/{axis.stride} + 1 = {whole:g}"
            yield Finding(step.name, "fit", figure, _rest(axis, rest))


def _rest(axis: Axis, rest: int) -> str:
    if axis.out > (axis.padded - axis.span) // axis.stride + 1:
        return f"the last window of {axis.span} hangs over the edge by {axis.stride - rest}"
    if rest > axis.after:
        return f"leaves out the last {rest - axis.after} of {axis.size} rows or columns"
    return f"leaves out the last {rest} of {axis.after} rows or columns of padding"


def _pool(step: Step) -> Iterator[Finding]:
    """Pools have windows of 2, at most 3."""
    sizes = tuple(a.kernel for a in _axes(step, POOLS))
    if isinstance(step.layer, (AdaptiveAvgPool2d, AdaptiveMaxPool2d)):
        pairs = zip(step.x_shape[2:], step.y_shape[2:], strict=True)
        sizes = tuple(math.ceil(n / out) if out > 1 else 1 for n, out in pairs)
    if max(sizes, default=0) > LARGEST_POOL:
        kept = math.prod(step.y_shape[1:]) / math.prod(step.x_shape[1:])
        yield Finding(
            step.name,
            "pool",
            f"{_by(sizes)} windows",
            f"leaves {kept:.1%} of the values, which is too lossy; 2x2 leaves 25 %",
        )


def _filter(step: Step) -> Iterator[Finding]:
    """Behind the first layer a stack of 3x3 filters takes the place of larger ones."""
    axes = _axes(step, CONVOLUTIONS)
    sizes = [axis.kernel for axis in axes]
    if max(sizes, default=0) <= LARGEST_FILTER:
        return
    conv = cast("Conv2d", step.layer)
    out, into = conv.weight.shape[:2]
    depth = max(math.ceil((size - 1) / 2) for size in sizes)
    taps = [math.prod(3 if size - 1 > 2 * i else 1 for size in sizes) for i in range(depth)]
    stack = out * into * taps[0] + out * (out // conv.groups) * sum(taps[1:])
    single = conv.weight.size
    if stack < single:
        yield Finding(
            step.name,
            "filter",
            f"{single:,} weights instead of {stack:,}",
            f"{_by(sizes)} filters; {depth} layers of 3x3 with as many filters see as much",
        )


_RULES: tuple[Callable[[Step], Iterator[Finding]], ...] = (_shrinks, _stride, _fit, _pool)


def _axes(step: Step, kinds: tuple[type, ...]) -> tuple[Axis, ...]:
    """Give the axes of a layer's window, if it is of these kinds and there are several windows.

    A single one that is as large as the map is a fully connected layer, or a global pool.
    """
    if step.window is None or step.window.is_global or not isinstance(step.layer, kinds):
        return ()
    return tuple(step.window)


def _change(step: Step) -> str:
    return f"{_by(step.x_shape[2:])} becomes {_by(step.y_shape[2:])}"


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _one_or_all(values: Sequence[int]) -> str:
    return str(values[0] if len(set(values)) == 1 else tuple(values))
