"""What each layer takes: memory, and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnfast.analysis.ledger import Summary
from cnnfast.analysis.plots._style import GREY, PALE, RIGHT, WRONG, new_figure, title
from cnnfast.analysis.table import quantity
from cnnfast.analysis.times import LayerTime

_MOST = 48  # lines


class Line(NamedTuple):
    """A layer, or a block of layers: what is drawn in a row."""

    name: str
    activation_bytes: int
    parameters: int
    forward: float
    backward: float


def ledger(summary: Summary, times: Sequence[LayerTime] = ()) -> Figure:
    """Draw a network's ledger, side by side: memory, parameters and time of each layer.

    Of a network with more than 48 layers, blocks are added up, the smallest that are so few.

    Parameters
    ----------
    summary : Summary
        What `cnnfast.analysis.summary` adds up.
    times : sequence of LayerTime, optional
        What `cnnfast.analysis.layer_times` measured of the same model. Constants, of which the
        summary has no row, are passed over.

    Examples
    --------
    >>> from cnnfast import analysis, models
    >>> figure = ledger(analysis.summary(models.lenet5(), (1, 28, 28)))
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Activations', 'Parameters']
    """
    drawn = lines(summary, times)
    figure = new_figure(12 if times else 9, 0.24 * len(drawn) + 0.8)
    panels = figure.subplots(1, 3 if times else 2, sharey=True)
    names = [line.name for line in drawn]
    panels[0].set_yticks(range(len(drawn)), names, fontsize=8.5, parse_math=False)
    panels[0].set_ylim(len(drawn) - 0.5, -0.5)

    memory = quantity(summary.activation_bytes, "B")
    title(panels[0], "Activations", f"{memory} for an image, {_bytes(summary.live_bytes)} at once")
    _bars(panels[0], _bytes, {"": (RIGHT, [line.activation_bytes for line in drawn])})
    memory = quantity(summary.parameter_bytes, "B")
    title(panels[1], "Parameters", f"{summary.parameters:,}, {memory}")
    _bars(panels[1], quantity, {"": (GREY, [line.parameters for line in drawn])})
    if times:
        forward, backward = [line.forward for line in drawn], [line.backward for line in drawn]
        sums = f"{_seconds(sum(forward))} forward, {_seconds(sum(backward))} backward"
        images = times[0].images
        title(panels[2], "Time", f"{sums}, for {images} image{'s' * (images != 1)}")
        _bars(panels[2], _seconds, {"forward": (PALE, forward), "backward": (WRONG, backward)})
    return figure


def lines(summary: Summary, times: Sequence[LayerTime] = (), most: int = _MOST) -> list[Line]:
    """Sort a network's costs into lines: for each layer, or each of the smallest blocks.

    Examples
    --------
    >>> from cnnfast.analysis.ledger import Row
    >>> rows = [Row(f"block.{i}", "ReLU", (1,), 5, 1, 4, 9, (), ()) for i in range(3)]
    >>> [line.parameters for line in lines(Summary(rows, 15, 60, 3, 12))]
    [5, 5, 5]
    >>> lines(Summary(rows, 15, 60, 3, 12), most=2)
    [Line(name='block', activation_bytes=12, parameters=15, forward=0, backward=0)]
    """
    time_of = {time.name: time for time in times}
    layers = []
    for row in summary.rows:
        name, _, index = row.name.partition(":")
        # A layer's time is that of all its values together: it stands with the first.
        time = time_of.get(name) if index in ("", "0") else None
        seconds = (time.forward, time.backward) if time else (0, 0)
        layers.append(Line(row.name, row.activation_bytes, row.parameters, *seconds))
    depth = max(line.name.count(".") for line in layers) + 1
    while len(layers) > most and depth > 1:
        depth -= 1
        layers = _added_up(layers, depth)
    return layers


def _added_up(layers: Sequence[Line], depth: int) -> list[Line]:
    """Add up neighbours whose paths begin with the same `depth` names."""
    blocks = groupby(layers, lambda line: ".".join(line.name.split(".")[:depth]))
    return [
        Line(name, *map(sum, zip(*(line[1:] for line in block), strict=True)))
        for name, block in blocks
    ]


def _bars(
    axes: Axes,
    write: Callable[[float], str],
    parts: Mapping[str, tuple[str, Sequence[float]]],
) -> None:
    """Draw bars, one behind the other, and write behind them what they come to."""
    total = np.zeros(len(next(iter(parts.values()))[1]))
    for label, (color, values) in parts.items():
        axes.barh(np.arange(len(total)), values, left=total, color=color, label=label, height=0.75)
        total = total + values
    for number, value in enumerate(total.tolist()):
        if value:
            axes.annotate(
                *(write(value), (value, number)),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_xlim(0, 1.25 * total.max(initial=0) or 1)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if len(parts) > 1:
        axes.legend(frameon=False, fontsize=8, loc="lower right")


def _bytes(value: float) -> str:
    return quantity(value, "B")


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.9995 else f"{1e3 * value:.3g} ms"
