"""What is kept of the contests on the layers: figures, chart, section of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

from benchmarks.contests import Score
from benchmarks.report import files, heading
from cnnfast.cli.race import times


class Aim(NamedTuple):
    """The least that a group's ratios are to come to."""

    group: str
    of: str
    least: float

    def value(self, ratios: Sequence[float]) -> float:
        return (geometric_mean if self.of == "geometric mean" else min)(ratios)


AIMS = (
    Aim("forward", "geometric mean", 1.8),
    Aim("forward", "worst", 0.93),
    Aim("forward, batch 1", "geometric mean", 1.6),
    Aim("gradient of the input", "geometric mean", 1.5),
    Aim("gradient of the weights", "geometric mean", 1.4),
    Aim("all gradients", "worst", 0.9),
    Aim("forward, C order in and out", "geometric mean", 1.4),
    Aim("forward, AVX2", "geometric mean", 1.3),
    Aim("two threads over one", "geometric mean", 1.85),
    Aim("one small call", "worst", 1.0),
    Aim("operations", "geometric mean", 1.5),
    Aim("operations", "worst", 1.0),
    Aim("linear", "worst", 1.0),
)
# The groups that share the table of layers, and the heads of their columns.
COLUMNS = {
    "forward": "forward",
    "forward, batch 1": "batch 1",
    "forward, C order in and out": "C order",
    "forward, AVX2": "AVX2",
    "gradient of the input": "dX",
    "gradient of the weights": "dW",
    "all gradients": "all gradients",
    "two threads over one": "2 threads / 1",
}
# PyTorch's time there goes into page faults of a large output.
FAULTY_ROW = "4 "


def groups(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """The scores by group."""
    result: dict[str, list[Score]] = {}
    for score in scores:
        result.setdefault(score.group, []).append(score)
    return result


def save(folder: Path, name: str, facts: dict[str, str], scores: Sequence[Score]) -> list[Path]:
    """Write the JSON file and the chart; return their paths."""
    figures, chart = files(folder, name, facts)
    data = [{**score._asdict(), "ratio": score.ratio, "rate": score.rate} for score in scores]
    figures.write_text(json.dumps({"facts": facts, "scores": data}, indent=1) + "\n")
    draw(chart, facts, scores)
    return [figures, chart]


def section(
    command: str, facts: dict[str, str], scores: Sequence[Score], kept: Sequence[str]
) -> list[str]:
    """The section of the page, as Markdown."""
    figures, chart = kept
    return [
        "## Layers and operations against PyTorch",
        "",
        f"Written by `{command}`. A ratio is the better time of PyTorch in",
        "NCHW and in channels-last order over that of cnnfast, the median over five processes.",
        "Forward is `nn.Conv2d` on channels-last images, whose filters are packed once; gradients",
        "are `functional.conv2d_backward` with all it does. Seconds of every competitor are in",
        f"[{Path(figures).name}]({figures}).",
        "",
        "```",
        heading(facts),
        "```",
        "",
        f"![Ratios by group and row]({chart})",
        "",
        "### Against the aims",
        "",
        *aims_table(scores),
        "",
        "### The table of layers",
        "",
        "GFLOP/s are those of the direct method, whatever the algorithm: 2 N K C R S OH OW over",
        "the time.",
        "",
        *layers_table(scores),
        "",
        "### Operations and matrix products",
        "",
        *operations_table(scores),
        "",
        "### Slower than PyTorch here",
        "",
        *slower(scores),
    ]


def aims_table(scores: Sequence[Score]) -> list[str]:
    """Each aim, what was reached, and what that is without the row of PyTorch's page faults."""
    by_group = groups(scores)
    rows = [
        "| group | of the ratios | aim | reached | without row 4 | |",
        "|---|---|---|---|---|---|",
    ]
    for aim in AIMS:
        if aim.group not in by_group:
            continue
        found = by_group[aim.group]
        reached = aim.value([score.ratio for score in found])
        others = [score.ratio for score in found if not score.name.startswith(FAULTY_ROW)]
        without = times(aim.value(others)) if 0 < len(others) < len(found) else ""
        verdict = "" if reached >= aim.least else "**below**"
        rows.append(
            f"| {aim.group} | {aim.of} | {aim.least}x | {reached:.2f}x | {without} | {verdict} |"
        )
    return rows


def layers_table(scores: Sequence[Score]) -> list[str]:
    """A line for each layer: the rate, and the ratio in every group."""
    by_group = groups(scores)
    present = [group for group in COLUMNS if group in by_group]
    names = list(dict.fromkeys(score.name for group in present for score in by_group[group]))
    rows = [
        f"| layer | GFLOP/s | {' | '.join(COLUMNS[group] for group in present)} |",
        "|---" * (len(present) + 2) + "|",
    ]
    for name in names:
        cells = [_cell(by_group.get("forward", []), name, lambda score: f"{score.rate:.0f}")]
        cells += [
            _cell(by_group[group], name, lambda score: times(score.ratio)) for group in present
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _cell(scores: Sequence[Score], name: str, show: Callable[[Score], str]) -> str:
    return next((show(score) for score in scores if score.name == name), "")


def operations_table(scores: Sequence[Score]) -> list[str]:
    """A line for each contest outside the table of layers."""
    rows = ["| | on | cnnfast | PyTorch | ratio |", "|---|---|---|---|---|"]
    for score in scores:
        if score.group not in COLUMNS:
            mine, *others = score.seconds.values()
            rows.append(
                f"| {score.group} | {score.name} | {mine * 1e3:.3f} ms | "
                f"{min(others) * 1e3:.3f} ms | {times(score.ratio)} |"
            )
    return rows


def slower(scores: Sequence[Score]) -> list[str]:
    """A Markdown list of the contests that a competitor wins."""
    behind = [score for score in scores if score.ratio < 1]
    return [f"- {score.group}, {score.name}: {times(score.ratio)}" for score in behind] or [
        "Nothing."
    ]


def draw(path: Path, facts: dict[str, str], scores: Sequence[Score]) -> None:
    """Draw a panel for each group, with a bar for each row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(groups(scores).items())
    pairs = [panels[i : i + 2] for i in range(0, len(panels), 2)]
    heights = [1 + 0.25 * max(len(found) for _, found in pair) for pair in pairs]
    figure = Figure(figsize=(15, 1 + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(pairs), 2, squeeze=False, gridspec_kw={"height_ratios": heights}
    ).ravel()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for (group, found), axis in zip(panels, axes, strict=False):
        ratios = [score.ratio for score in found]
        colors = ["#55a868" if ratio >= 1 else "#c44e52" for ratio in ratios]
        bars = axis.barh(range(len(found)), [r - 1 for r in ratios], left=1, color=colors)
        axis.bar_label(bars, [times(ratio) for ratio in ratios], padding=3, fontsize=7)
        axis.axvline(1, color="black", linewidth=1)
        axis.set_xlim(min(0.8, *ratios) * 0.9, max(1.2, *ratios) * 1.1)
        axis.set_yticks(range(len(found)), [score.name for score in found], fontsize=7)
        axis.invert_yaxis()
        axis.set_title(f"{group}: geometric mean {geometric_mean(ratios):.2f}x", fontsize=10)
    figure.suptitle(
        "How many times as fast as PyTorch (the better of NCHW and channels-last) cnnfast is\n"
        f"{facts['processor']}, {facts['instruction set'].split()[0]}, "
        f"threads: {facts['threads of everyone']}, {facts['date'][:10]}"
    )
    figure.savefig(path, dpi=80)
