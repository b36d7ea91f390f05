"""The chart of the networks' run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.cli.race import times

if TYPE_CHECKING:
    from benchmarks.contests import Score
    from benchmarks.networks.linearity import Line
    from benchmarks.networks.report import Results

COLORS = {
    "cnnfast": "#c44e52",
    "torch NCHW": "#dd8452",
    "torch channels-last": "#ccb974",
    "ONNX Runtime": "#55a868",
    "OpenVINO": "#4c72b0",
    "ncnn": "#8172b3",
}


def draw(path: Path, facts: dict[str, str], results: Results) -> None:
    """Draw a panel of ratios for each group, one of memory, and one for each line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    panels: list[tuple[Any, ...]] = []
    for group in dict.fromkeys(score.group for score in results.scores):
        panels.append((_draw_ratios, group, [s for s in results.scores if s.group == group]))
    if results.memory:
        panels.append((_draw_memory, "peak memory of a training step, MB", results.memory))
    panels += [(_draw_line, f"time against {line.of}", line) for line in results.lines]
    rows = max(1, -(-len(panels) // 2))
    figure = Figure(figsize=(15, 1 + 6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for (draw_panel, title, data), axis in zip(panels, axes, strict=False):
        axis.set_title(title)
        draw_panel(axis, data)
    figure.suptitle(
        "Whole networks: how many times as fast as each competitor cnnfast is (log scale; right of "
        f"the line cnnfast is faster)\n{facts['processor']}, "
        f"{facts['instruction set'].split()[0]}, threads: {facts['threads of everyone']}, "
        f"{facts['date'][:10]}"
    )
    figure.legend(
        handles=[Patch(color=color, label=name) for name, color in COLORS.items()],
        loc="outside lower center",
        ncols=len(COLORS),
    )
    figure.savefig(path, dpi=80)


def _draw_ratios(axis: Any, scores: list[Score]) -> None:
    names = [n for n in COLORS if n != "cnnfast" and any(n in s.seconds for s in scores)]
    ratios = {
        s.name: {n: s.seconds[n] / s.seconds["cnnfast"] for n in names if n in s.seconds}
        for s in scores
    }
    _bars(axis, ratios, names, times, left=1)
    axis.set_xscale("log")
    axis.axvline(1, color="black", linewidth=1)
    axis.margins(x=0.15)


def _draw_memory(axis: Any, table: dict[str, dict[str, int]]) -> None:
    megabytes = {name: {n: size / 1e6 for n, size in row.items()} for name, row in table.items()}
    names = [n for n in COLORS if any(n in row for row in table.values())]
    _bars(axis, megabytes, names, "{:.0f}".format)
    axis.margins(x=0.1)


def _bars(
    axis: Any, table: dict[str, dict[str, float]], names: list[str], show: Any, left: float = 0
) -> None:
    """Draw a group of bars for each row, from `left` on, a bar in it for each name."""
    height = 0.85 / max(1, len(names))
    for i, name in enumerate(names):
        at = [
            (row + (i - (len(names) - 1) / 2) * height, values[name])
            for row, values in enumerate(table.values())
            if name in values
        ]
        places, lengths = zip(*at, strict=True)
        widths = [length - left for length in lengths]
        bars = axis.barh(places, widths, height, left, color=COLORS[name])
        axis.bar_label(bars, [show(length) for length in lengths], padding=3, fontsize=7)
    axis.set_yticks(range(len(table)), list(table))
    axis.invert_yaxis()


def _draw_line(axis: Any, line: Line) -> None:
    sizes = np.array([*line.seconds])
    constant, slope = line.fit
    axis.plot(sizes, 1e3 * (constant + slope * sizes), color="gray", label="least squares")
    axis.plot(sizes, [1e3 * t for t in line.seconds.values()], "o", color=COLORS["cnnfast"])
    axis.set_xlabel(line.of)
    axis.set_ylabel("ms")
    axis.set_ylim(bottom=0)
    axis.legend()
