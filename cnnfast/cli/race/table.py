"""What was measured, as text."""

from __future__ import annotations

from collections.abc import Sequence

from cnnfast.cli.race.kernels import Result


def table(results: Sequence[Result]) -> str:
    """Lay results out as plain text, a line each: how many times as fast as each competitor."""
    names = ["loops", *dict.fromkeys(name for result in results for name in result.timings)]
    names.remove("cnnfast")
    names.sort(key="copy".__eq__)  # no competitor, so last
    lines = [["kernel", "layer", "cnnfast", "rate", *(f"vs {name}" for name in names)]]
    for result in results:
        ratios = [result.ratio(name) for name in names]
        lines.append(
            [
                result.kernel,
                result.layer.name,
                f"{result.timings['cnnfast'].minimum * 1e3:.3f} ms",
                f"{result.rate:.1f} {result.unit}",
                *("" if ratio is None else times(ratio) for ratio in ratios),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for line in lines:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    text += [
        "",
        "vs: the competitor's best time over that of cnnfast. All results were checked equal",
        "first. The naive loops ran on a slice of the work, and their time is scaled up by work.",
    ]
    return "\n".join(text)


def times(ratio: float) -> str:
    """Write a ratio with as many digits as mean something: 0.92x, 3.1x, 12,300x."""
    if ratio < 1:
        return f"{ratio:.2f}x"
    return f"{ratio:.1f}x" if ratio < 100 else f"{float(f'{ratio:.3g}'):,.0f}x"
