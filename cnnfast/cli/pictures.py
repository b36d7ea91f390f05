"""Pictures of a training run; matplotlib is imported with this module, and only with it.

Figures are made without pyplot, which keeps a global state and may look for a screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

DPI = 150
RIGHT, WRONG, GREY = "#2a6f97", "#d1495b", "#8d99ae"
SHOWN = 24  # digits taken as they come
MISTAKES = 8


def training_curve(losses: Sequence[float], accuracies: Mapping[str, Sequence[float]]) -> Figure:
    """Plot the loss and the accuracies, 0 to 1, of each epoch."""
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(losses) + 1)

    left.plot(epochs, losses, "o-", color=RIGHT, markersize=4)
    left.set_yscale("log")
    _title(left, "Loss", "cross-entropy, mean over the epoch")

    for (name, values), color in zip(accuracies.items(), (GREY, WRONG), strict=True):
        right.plot(epochs, values, "o-", color=color, markersize=4, label=name)
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.legend(frameon=False, loc="lower right")
    _title(right, "Accuracy", f"{values[-1]:.2%} in the end, {name}")

    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def filters(weights: np.ndarray) -> Figure:
    """Draw the filters (K, 1, R, S) of a first layer in a row, on one scale of colours."""
    count = len(weights)
    figure = Figure(figsize=(1.3 * count + 1.2, 2.2), dpi=DPI, layout="constrained")
    figure.suptitle("The filters of the first layer", fontsize=11)
    row = figure.subplots(1, count, squeeze=False)[0]
    most = float(np.abs(weights).max())
    for number, (axes, taps) in enumerate(zip(row, weights[:, 0], strict=True), 1):
        image = axes.imshow(taps, cmap="RdBu_r", vmin=-most, vmax=most)
        _frame(axes, GREY)
        axes.set_xlabel(str(number), fontsize=8)
    figure.colorbar(image, ax=row, label="weight", shrink=0.8)
    return figure


def predictions(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw the first images with what they were taken for, and below the worst mistakes.

    The worst are those with the least probability for the right class. Wrong ones have a red
    frame.
    """
    guesses = probabilities.argmax(axis=1)
    mistakes = np.flatnonzero(guesses != labels)
    of_label = probabilities[mistakes, labels[mistakes]]
    worst = mistakes[np.argsort(of_label, kind="stable")][:MISTAKES]
    chosen = np.arange(min(SHOWN, len(images)))

    figure = Figure(figsize=(9, 6.2), dpi=DPI, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[3, 1.2], hspace=0.04)
    upper, lower = parts
    upper.suptitle("Some test digits, and what the network takes them for", fontsize=11)
    many = f"{len(mistakes)} mistake{'s' * (len(mistakes) != 1)} in {len(images):,} digits"
    worse = "" if len(mistakes) == len(worst) else f", the worst {len(worst)}"
    lower.suptitle(f"{many}{worse}", fontsize=11, color=WRONG)
    for part, rows, indices in ((upper, 3, chosen), (lower, 1, worst)):
        grid = part.subplots(rows, 8, squeeze=False).ravel()
        for axes in grid[len(indices) :]:
            axes.set_visible(False)
        for axes, index in zip(grid, indices, strict=False):
            _digit(axes, images[index, 0], labels[index], guesses[index], probabilities[index])
    return figure


def _digit(axes: Axes, image: np.ndarray, label: int, guess: int, chances: np.ndarray) -> None:
    right = guess == label
    color = RIGHT if right else WRONG
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    _frame(axes, "#d9d9d9" if right else WRONG, 1 if right else 2.5)
    text = f"{guess}  ({chances[guess]:.0%})" if right else f"{guess}, is {label}"
    axes.set_xlabel(text, fontsize=9, color=color, labelpad=3)


def _frame(axes: Axes, color: str, width: float = 1) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=color, linewidth=width)


def _title(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold", pad=20)
    axes.text(0, 1.03, below, transform=axes.transAxes, fontsize=9, color="#555555")
