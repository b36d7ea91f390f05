"""A ledger as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnfast.analysis.ledger import Row, Summary

_HEAD = (
    "layer",
    "kind",
    "output",
    "parameters",
    "activations",
    "memory",
    "multiply-adds",
    "field",
    "jump",
)
_INFERENCE = "parameters, the most activations at once"
_FORWARD = "parameters, all activations"
_TRAINING = "parameters, gradients, momentum; all activations, gradients"


def text(summary: Summary) -> str:
    """Lay a ledger out as a table, and its totals beneath. What is nothing is left blank."""
    layers = aligned([_HEAD, *map(_cells, summary.rows)], "<<<>>>>>>")
    rule = "-" * max(map(len, layers))
    return "\n".join([layers[0], rule, *layers[1:], rule, *_totals(summary)])


def _cells(row: Row) -> Sequence[str]:
    return (
        row.name,
        row.kind,
        "x".join(map(str, row.output_shape)),
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.activations:,}" if row.activations else "",
        quantity(row.activation_bytes, "B") if row.activation_bytes else "",
        quantity(row.multiply_adds) if row.multiply_adds else "",
        _along_axes(row.receptive_field),
        _along_axes(row.jump),
    )


def _totals(summary: Summary) -> list[str]:
    counts = [
        (name, f"{count:,}", human)
        for name, count, human in (
            ("parameters", summary.parameters, quantity(summary.parameter_bytes, "B")),
            ("activations, all", summary.activations, quantity(summary.activation_bytes, "B")),
            ("activations, at once", summary.live_activations, quantity(summary.live_bytes, "B")),
            ("multiply-adds", summary.multiply_adds, quantity(summary.multiply_adds)),
        )
    ]
    needs = [("memory for", "one image", "each more", "what is there")]
    for name, first, more, what in (
        ("inference", summary.inference_bytes, summary.live_bytes, _INFERENCE),
        ("forward, all kept", summary.forward_bytes, summary.activation_bytes, _FORWARD),
        ("training", summary.training_bytes, 2 * summary.activation_bytes, _TRAINING),
    ):
        needs.append((name, quantity(first, "B"), quantity(more, "B"), what))
    return [*aligned(counts, "<>>"), "", *aligned(needs, "<>><")]


def aligned(lines: Sequence[Sequence[str]], sides: str = "") -> list[str]:
    """Put cells below each other; `sides` may tell for each column which, as in a format."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = sides or "<" * len(widths)
    return [
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def quantity(value: float, unit: str = "") -> str:
    """Write a number with three digits or so and a decimal prefix: 12.8 MB, 15.5 G.

    Examples
    --------
    >>> quantity(12_845_056, "B"), quantity(117_600), quantity(840), quantity(999_999)
    ('12.8 MB', '118 k', '840', '1.00 M')
    """
    power = 0
    while value >= 999.5 and power < 4:
        value, power = value / 1000, power + 1
    digits = (value < 10) + (value < 100) if power else 0
    return f"{value:.{digits}f} {' kMGT'[power]}{unit}".replace("  ", " ").rstrip()


def _along_axes(values: Sequence[float]) -> str:
    """Write one number if all axes have the same, else "3x7"."""
    return "x".join(f"{value:g}" for value in (values[:1] if len(set(values)) == 1 else values))
