"""What is kept of a run: the figures as JSON, a chart as PNG, and what falls short of the aims."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from cnnfast import _config
from cnnfast.cli.race import Result, table, times

# Name and colour in the chart.
BARS = {
    "loops": ("naive loops (a slice, scaled)", "#c4c4c4"),
    "NumPy": ("vectorised NumPy", "#4c72b0"),
    "PyTorch": ("PyTorch", "#dd8452"),
    "ONNX Runtime": ("ONNX Runtime", "#55a868"),
    "copy": ("plain copy of the columns", "#8172b3"),
}
# How many times as fast as each peer cnnfast is to be, at least.
AIMS = {
    "im2col": {"copy": 0.5},
    "col2im": {"copy": 0.5},
    "conv2d": {"loops": 1000, "NumPy": 1},
    "conv2d_backward": {"loops": 1000, "NumPy": 1},
    "max_pool2d": {"loops": 200, "NumPy": 1},
    "max_pool2d_backward": {"loops": 200, "NumPy": 1},
}


def facts(threads: int, peers: Sequence[Any]) -> dict[str, str]:
    """Say where and with what a run is made."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        **_config.config(),
        "threads of everyone": str(threads),
        **{peer.name: peer.version for peer in peers},
    }


def heading(facts: dict[str, str]) -> str:
    """Lay out the facts, a line each."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}} : {value}" for name, value in facts.items())


def shortfalls(results: Sequence[Result]) -> list[str]:
    """Name every result that is below the project's aims, or say that there is none."""
    lines = []
    for result in results:
        for name, aim in AIMS[result.kernel].items():
            ratio = result.ratio(name)
            if ratio is not None and ratio < aim:
                lines.append(f"  {result.task}: {times(ratio)} of {name}, aim {aim:,}x")
    return ["Below the aims:", *lines] if lines else ["No result is below the aims."]


def files(folder: Path, name: str, facts: dict[str, str]) -> tuple[Path, Path]:
    """Where to write the figures and the chart of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{facts['date'][:10]}-{short_name(facts['processor'])}"
    return folder / f"{stem}.json", folder / f"{stem}.png"


def save(folder: Path, name: str, facts: dict[str, str], results: Sequence[Result]) -> list[Path]:
    """Write the JSON file and the chart; return their paths."""
    figures, chart = files(folder, name, facts)
    figures.write_text(json.dumps({"facts": facts, "results": as_data(results)}, indent=1) + "\n")
    draw(chart, facts, results)
    return [figures, chart]


def section(
    command: str, facts: dict[str, str], results: Sequence[Result], kept: Sequence[str]
) -> list[str]:
    """The section of the page, as Markdown."""
    figures, chart = kept
    return [
        "## Kernels against naive loops, NumPy and other libraries",
        "",
        f"Written by `{command}`, from one run; arrays in C order. Times are",
        f"the best of many; medians too are in [{Path(figures).name}]({figures}).",
        "",
        "```",
        heading(facts),
        "```",
        "",
        f"![Ratios by kernel, layer and peer]({chart})",
        "",
        "### Geometric means",
        "",
        *means(results),
        "",
        "### Slower than a peer here",
        "",
        *slower(results),
        "",
        "### Every layer",
        "",
        "```",
        table(results),
        "```",
        "",
        "### Against these aims",
        "",
        "```",
        *shortfalls(results),
        "```",
    ]


def means(results: Sequence[Result]) -> list[str]:
    """A Markdown table: for each kernel and peer the geometric mean of the ratios."""
    names = list(BARS)
    rows = [f"| kernel | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for kernel in dict.fromkeys(result.kernel for result in results):
        cells = []
        for name in names:
            ratios = [r.ratio(name) for r in results if r.kernel == kernel]
            known = [ratio for ratio in ratios if ratio]
            cells.append(times(geometric_mean(known)) if known else "")
        rows.append(f"| {kernel} | {' | '.join(cells)} |")
    return rows


def slower(results: Sequence[Result]) -> list[str]:
    """A Markdown list of the layers on which a competitor is faster."""
    lines = []
    for result in results:
        behind = {name: result.ratio(name) for name in result.timings if name in BARS}
        text = [f"{times(ratio)} of {name}" for name, ratio in behind.items() if 0 < ratio < 1]
        if text:
            lines.append(f"- {result.task}: {', '.join(text)}")
    return lines or ["Nothing."]


def short_name(processor: str) -> str:
    """Reduce a processor's name to what fits a file name.

    Examples
    --------
    >>> short_name("Intel(R) Core(TM) i7-1185G7 CPU @ 3.00GHz")
    'intel-core-i7-1185g7'
    """
    plain = re.sub(r"\((R|TM)\)| CPU| Processor|@.*| \d+-Core", "", processor, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "unknown"


def as_data(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Turn results into plain lists and dictionaries; times in seconds, ratios over cnnfast."""
    data = []
    for result in results:
        competitors = {
            name: {
                **timing._asdict(),
                "rate": result.work / timing.minimum / 1e9,
                "ratio": result.ratio(name),
            }
            for name, timing in result.timings.items()
        }
        loops = {**result.loops._asdict(), "ratio": result.ratio("loops")}
        data.append(
            {
                "kernel": result.kernel,
                "layer": asdict(result.layer),
                "work": result.work,
                "rate unit": result.unit,
                "competitors": competitors,
                "naive loops": loops,
            }
        )
    return data


def draw(path: Path, facts: dict[str, str], results: Sequence[Result]) -> None:
    """Draw a panel for each kernel, with a bar for each layer and peer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    kernels = list(dict.fromkeys(result.kernel for result in results))
    panels = [[result for result in results if result.kernel == kernel] for kernel in kernels]
    # Panels stand in two columns; a row of them is as high as its longer list of layers.
    heights = [1.2 + 0.5 * max(map(len, panels[i : i + 2])) for i in range(0, len(panels), 2)]
    figure = Figure(figsize=(15, 1.5 + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(heights), 2, squeeze=False, gridspec_kw={"height_ratios": heights}
    ).ravel()
    for kernel, panel, axis in zip(kernels, panels, axes, strict=False):
        axis.set_title(kernel)
        draw_panel(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.suptitle(
        "How many times as fast cnnfast is (log scale; right of the line cnnfast is faster)\n"
        f"{facts['processor']}, {facts['instruction set'].split()[0]}, "
        f"threads: {facts['threads of everyone']}, {facts['date'][:10]}"
    )
    figure.legend(
        handles=[Patch(color=color, label=label) for label, color in BARS.values()],
        loc="outside lower center",
        ncols=len(BARS),
    )
    figure.savefig(path, dpi=100)


def draw_panel(axis: Any, results: Sequence[Result]) -> None:
    """Draw one kernel's bars, from 1x to the left or right."""
    names = [name for name in BARS if any(result.ratio(name) for result in results)]
    height = 0.85 / len(names)
    for row, result in enumerate(results):
        for i, name in enumerate(names):
            ratio = result.ratio(name)
            if ratio is None:
                continue
            at = row + (i - (len(names) - 1) / 2) * height
            axis.barh(at, ratio - 1, height, left=1, color=BARS[name][1])
            right = ratio >= 1
            axis.annotate(
                times(ratio),
                (ratio, at),
                (3 if right else -3, 0),
                textcoords="offset points",
                fontsize=6,
                ha="left" if right else "right",
                va="center",
            )
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,g}x")
    ratios = [ratio for result in results for name in names if (ratio := result.ratio(name))]
    axis.set_xlim(min(1, *ratios) / 2.5, max(1, *ratios) * 4)  # room for the numbers at the ends
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set_yticks(range(len(results)), [result.layer.name for result in results], fontsize=8)
