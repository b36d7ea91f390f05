"""What is kept of the networks' run: figures, chart, section of the page; what misses its aim."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

from benchmarks.contests import Score
from benchmarks.networks import chart, cold_start, linearity, memory
from benchmarks.networks.contests import BATCH, ONE_IMAGE, TRAINING
from benchmarks.networks.linearity import Line
from benchmarks.report import heading, short_name
from cnnfast.cli.race import times

GROUPS = ONE_IMAGE, BATCH, TRAINING
# The least ratios over the best competitor, in the order of GROUPS.
AIMS = {
    "LeNet-5": (1.0, 1.2, 2.0),
    "AlexNet": (1.0, 1.2, 1.7),
    "VGG16": (1.3, 1.7, 2.3),
    "GoogLeNet": (1.2, 1.3, 1.8),
    "ResNet-18": (1.4, 1.6, 1.9),
    "ResNet-50": (1.1, 1.2, 1.6),
    "SqueezeNet 1.1": (1.0, 1.0, 1.5),
    "MobileNetV2": (1.0, 1.0, 1.5),
}
# Of the ratios of these, and no less than this.
MEAN_OF = ("LeNet-5", "AlexNet", "VGG16", "GoogLeNet", "ResNet-18", "ResNet-50")
MEAN_AIMS = (1.15, 1.35, 1.9)
# The most that cnnfast is to take of what another takes.
COLD_START_AIMS = {"ONNX Runtime": 0.7, "torch NCHW": 0.2}
MEMORY_AIM = 0.8


class Results(NamedTuple):
    """All that a run measured; what it left out is empty.

    Parameters
    ----------
    scores : list of Score
    cold_start : dict
        Seconds by library.
    memory : dict of dict
        Bytes by network and competitor.
    lines : list of Line
    """

    scores: list[Score]
    cold_start: dict[str, float]
    memory: dict[str, dict[str, int]]
    lines: list[Line]

    def ratio(self, group: str, network: str) -> float | None:
        """The ratio over the best competitor; None if nobody competed there."""
        found = (s.ratio for s in self.scores if (s.group, s.name) == (group, network))
        return next(found, None)

    def mean(self, group: str) -> float | None:
        """The geometric mean over the networks of MEAN_OF; None if one is missing."""
        ratios = [self.ratio(group, network) for network in MEAN_OF]
        return geometric_mean(ratios) if all(ratios) else None


def save(folder: Path, name: str, facts: dict[str, str], results: Results) -> list[Path]:
    """Write the JSON file and the chart; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{facts['date'][:10]}-{short_name(facts['processor'])}"
    figures, picture = folder / f"{stem}.json", folder / f"{stem}.png"
    data = {
        "facts": facts,
        "scores": [{**score._asdict(), "ratio": score.ratio} for score in results.scores],
        cold_start.GROUP: results.cold_start,
        memory.GROUP: results.memory,
        linearity.GROUP: [
            {**line._asdict(), "fit": line.fit, "deviation": line.deviation}
            for line in results.lines
        ],
    }
    figures.write_text(json.dumps(data, indent=1) + "\n")
    chart.draw(picture, facts, results)
    return [figures, picture]


def section(
    command: str, facts: dict[str, str], results: Results, kept: Sequence[str]
) -> list[str]:
    """The section of the page, as Markdown."""
    figures, picture = kept
    return [
        "## Whole networks",
        "",
        f"Written by `{command}`. A ratio is the best competitor's time over",
        "that of cnnfast, the median over the processes. Inference is `cnnfast.compile`; a step of",
        "training is the layers' own `forward`, loss, `backward(..., input_grad=False)`, and SGD",
        "with momentum. All begin with the same weights, and gave equal results first: scores to",
        "1e-4 of the largest, gradients to 0.1 of their length, all together (with batch",
        "normalisation PyTorch's two memory formats are 0.03 apart). Dropout is off.",
        "PyTorch competes in both memory formats; not with torch.compile, which takes minutes to",
        "make a network ready. ncnn knows no batches. Seconds of every competitor are in",
        f"[{Path(figures).name}]({figures}).",
        "",
        "```",
        heading(facts),
        "```",
        "",
        f"![Ratios by network and competitor]({picture})",
        "",
        *tables(results),
    ]


def tables(results: Results) -> list[str]:
    """The figures as Markdown."""
    lines = []
    if results.scores:
        lines = ["### Against the aims", "", "Reached, and in brackets the aim.", ""]
        lines += [*aims_table(results), ""]
    lines += ["### Below the aims", "", *(shortfalls(results) or ["Nothing."])]
    titled = {
        "Milliseconds": times_table(results.scores),
        "Cold start: from a process's start to its end, with one ResNet-18 prediction": (
            cold_start_table(results.cold_start)
        ),
        "Peak memory of a process that takes two training steps": memory_table(results.memory),
        "Time against images and pixels": linearity_table(results.lines),
    }
    for title, table in titled.items():
        if table:
            lines += ["", f"### {title}", "", *table]
    return lines


def aims_table(results: Results) -> list[str]:
    """A Markdown table: the ratio of each network in each group, and its aim."""
    rows = [f"| network | {' | '.join(GROUPS)} |", "|---" * (len(GROUPS) + 1) + "|"]
    for network, aims in AIMS.items():
        cells = [
            _cell(results.ratio(group, network), aim)
            for group, aim in zip(GROUPS, aims, strict=True)
        ]
        if any(cells):
            rows.append(f"| {network} | {' | '.join(cells)} |")
    means = [_cell(results.mean(group), aim) for group, aim in zip(GROUPS, MEAN_AIMS, strict=True)]
    if any(means):
        rows.append(f"| geometric mean of the first {len(MEAN_OF)} | {' | '.join(means)} |")
    return rows


def _cell(ratio: float | None, aim: float) -> str:
    if ratio is None:
        return ""
    text = f"{ratio:.2f}x"
    return f"{text if ratio >= aim else f'**{text}**'} ({aim}x)"


def shortfalls(results: Results) -> list[str]:
    """A Markdown list of all that is below its aim."""
    return [f"- {what}" for what in (*_slow(results), *_heavy(results))]


def _slow(results: Results) -> Iterator[str]:
    for i, group in enumerate(GROUPS):
        for network, aims in AIMS.items():
            ratio = results.ratio(group, network)
            if ratio is not None and ratio < aims[i]:
                best = _best(
                    next(s for s in results.scores if (s.group, s.name) == (group, network))
                )
                yield f"{group}, {network}: {ratio:.2f}x of {best}, aim {aims[i]}x"
        mean = results.mean(group)
        if mean is not None and mean < MEAN_AIMS[i]:
            yield f"{group}, geometric mean: {mean:.2f}x, aim {MEAN_AIMS[i]}x"


def _heavy(results: Results) -> Iterator[str]:
    for peer, aim in COLD_START_AIMS.items():
        if peer in results.cold_start:
            part = results.cold_start["cnnfast"] / results.cold_start[peer]
            if part > aim:
                yield f"cold start: {part:.2f} of the time of {peer}, aim {aim}"
    for network, row in results.memory.items():
        part = _memory_part(row)
        if part is not None and part > MEMORY_AIM:
            yield f"peak memory, {network}: {part:.2f} of PyTorch's, aim {MEMORY_AIM}"


def _memory_part(row: dict[str, int]) -> float | None:
    """cnnfast's part of what the more frugal of PyTorch's formats takes."""
    others = [size for name, size in row.items() if name != "cnnfast"]
    return row["cnnfast"] / min(others) if others else None


def _best(score: Score) -> str:
    """Who of the others was fastest."""
    others = {name: time for name, time in score.seconds.items() if name != "cnnfast"}
    return min(others, key=others.__getitem__)


def times_table(scores: Sequence[Score]) -> list[str]:
    """A Markdown table of the milliseconds of everyone."""
    names = list(dict.fromkeys(name for score in scores for name in score.seconds))
    rows = [f"| | images | {' | '.join(names)} | ratio |", "|---" * (len(names) + 3) + "|"]
    for score in scores:
        cells = [f"{score.seconds[n] * 1e3:.3g}" if n in score.seconds else "" for n in names]
        ratio = "" if score.ratio is None else times(score.ratio)
        what = f"{score.group}, {score.name} | {score.work:.0f}"
        rows.append(f"| {what} | {' | '.join(cells)} | {ratio} |")
    return rows if scores else []


def cold_start_table(seconds: dict[str, float]) -> list[str]:
    """A Markdown table: seconds, and the part of them that cnnfast takes."""
    rows = ["| | seconds | cnnfast's part | aim |", "|---|---|---|---|"]
    for name, time in seconds.items():
        aim = COLD_START_AIMS.get(name)
        part = "" if aim is None else f"{seconds['cnnfast'] / time:.2f}"
        rows.append(f"| {name} | {time:.2f} | {part} | {aim or ''} |")
    return rows if seconds else []


def memory_table(table: dict[str, dict[str, int]]) -> list[str]:
    """A Markdown table of megabytes, and cnnfast's part of PyTorch's lower figure."""
    if not table:
        return []
    names = list(next(iter(table.values())))
    head = " | ".join(f"{name}, MB" for name in names)
    rows = [f"| network | {head} | part |", "|---" * (len(names) + 2) + "|"]
    for network, row in table.items():
        part = _memory_part(row)
        cells = " | ".join(f"{row[name] / 1e6:.0f}" for name in names)
        rows.append(f"| {network} | {cells} | {'' if part is None else f'{part:.2f}'} |")
    return rows


def linearity_table(lines: Sequence[Line]) -> list[str]:
    """A Markdown table: the line through the times, and how far the furthest is from it."""
    rows = [
        f"| {linearity.NETWORK}, against | milliseconds by size | line | furthest from it |",
        "|---|---|---|---|",
    ]
    for line in lines:
        constant, slope = line.fit
        found = ", ".join(f"{n}: {t * 1e3:.3g}" for n, t in line.seconds.items())
        fit = f"{constant * 1e3:.3g} ms + {slope * 1e6:.3g} us each"
        rows.append(f"| {line.of} | {found} | {fit} | {line.deviation:.0%} |")
    return rows if lines else []
