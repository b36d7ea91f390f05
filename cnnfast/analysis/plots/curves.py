"""How a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cnnfast.analysis.plots._style import GREY, WRONG, new_figure, open_sides, title

_MEASURES = ("loss", "accuracy")
# What names in a history begin with, and what the curves are called.
_CURVES = (("train_", "training", GREY), ("validation_", "validation", WRONG))


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Plot loss and accuracy over the epochs, of training and of validation.

    Parameters
    ----------
    history : mapping of str to sequence of float
        A value for each epoch: "train_loss", "train_accuracy", "validation_loss" and
        "validation_accuracy" (0 to 1), or some of them. What else there is is passed over, and so
        is what is NaN in every epoch: a `cnnfast.training.History` without validation, say.

    Raises
    ------
    ValueError
        There is none of these, no epoch, or there are more epochs of one than of another.

    Examples
    --------
    >>> figure = training_curves({"train_loss": [1.2, 0.5], "validation_accuracy": [0.7, 0.9]})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Loss', 'Accuracy']
    """
    names = [prefix + measure for measure in _MEASURES for prefix, _, _ in _CURVES]
    there = {name: np.asarray(history[name], float) for name in names if name in history}
    curves = {name: values for name, values in there.items() if not np.isnan(values).all()}
    lengths = {len(values) for values in curves.values()}
    if len(lengths) != 1:
        found = ", ".join(f"{name}: {len(values)}" for name, values in there.items())
        raise ValueError(
            f"training_curves: history must have as many epochs, 1 or more, of some of "
            f"{', '.join(names)}, has {found or ', '.join(history) or 'nothing'}"
        )
    shown = [m for m in _MEASURES if any(prefix + m in curves for prefix, _, _ in _CURVES)]
    figure = new_figure(4.5 * len(shown), 3.6)
    for axes, measure in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _draw(axes, measure, curves)
    return figure


def _draw(axes: Axes, measure: str, curves: Mapping[str, np.ndarray]) -> None:
    last = {}
    for prefix, label, color in _CURVES:
        values = curves.get(prefix + measure)
        if values is not None:
            epochs = np.arange(1, len(values) + 1)
            marker = "o-" if len(values) <= 50 else "-"
            axes.plot(epochs, values, marker, color=color, markersize=4, label=label)
            last[label] = values[-1]
    if measure == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    elif min(np.nanmin(values) for name, values in curves.items() if name.endswith("loss")) > 0:
        axes.set_yscale("log")
    write = "{:.2%}" if measure == "accuracy" else "{:.4g}"
    text = ", ".join(f"{label} {write.format(value)}" for label, value in last.items())
    title(axes, measure.capitalize(), f"in the end: {text}")
    axes.legend(frameon=False)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25)
    open_sides(axes)
