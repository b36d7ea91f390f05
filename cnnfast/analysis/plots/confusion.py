"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cnnfast.analysis.plots._style import RIGHT, WRONG, new_figure, title

_WRITTEN = 20  # classes: of more than that neither counts nor names would be legible
_NAMED = 60
_LUMINANCE = 0.2126, 0.7152, 0.0722  # of red, green and blue
_DARK = 0.18  # luminance on which white stands out more than black does
_TICKS: dict[str, Any] = {"fontsize": 9, "parse_math": False}  # a name may have a $ in it


def confusion_matrix(counts: np.ndarray, names: Sequence[str] | None = None) -> Figure:
    """Draw how many images of each class were taken for each class.

    Right ones, on the diagonal, are blue by their share of the class; wrong ones red by their
    share of the class too, the largest of these as red as can be, as they may be few.

    Parameters
    ----------
    counts : numpy.ndarray
        (classes, classes) integers, as `cnnfast.analysis.confusion_matrix` counts them.
    names : sequence of str, optional
        Of the classes, in place of their numbers.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        `counts` is not square, or there is not one name for each class.

    Examples
    --------
    >>> figure = confusion_matrix(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
    >>> figure.axes[0].get_title(loc="left")
    '1 mistake in 20 images'
    """
    if np.ndim(counts) != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ValueError(
            f"confusion_matrix: counts must be (classes, classes), got shape {np.shape(counts)}"
        )
    classes = len(counts)
    if names is None:
        names = [str(number) for number in range(classes)]
    if len(names) != classes:
        raise ValueError(
            f"confusion_matrix: {classes} classes need as many names, got {len(names)}"
        )
    inches = min(9.0, max(4.0, 0.5 * classes + 1.5))
    figure = new_figure(inches, inches)
    axes = figure.subplots()
    axes.imshow(_colours(counts), interpolation="nearest")
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    if classes <= _NAMED:
        turned = max(map(len, names)) > 3
        axes.set_xticks(range(classes), names, rotation=90 if turned else 0, **_TICKS)
        axes.set_yticks(range(classes), names, **_TICKS)
    if classes <= _WRITTEN:
        _write(axes, counts)
    wrong, total = int(counts.sum() - np.trace(counts)), int(counts.sum())
    text = f"{wrong:,} mistake{'s' * (wrong != 1)} in {total:,} images"
    title(axes, text)
    return figure


def _shares(counts: np.ndarray) -> np.ndarray:
    """Of the images of each class."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _strength(counts: np.ndarray) -> np.ndarray:
    """How strong each cell's colour is, from 0 to 1."""
    shares = _shares(counts)
    right = np.eye(len(counts), dtype=bool)
    most = shares[~right].max(initial=0) or 1
    return np.where(right, shares, shares / most)


def _colours(counts: np.ndarray) -> np.ndarray:
    hues = np.where(np.eye(len(counts), dtype=bool)[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    return 1 - _strength(counts)[..., None] * (1 - hues)


def _write(axes: Axes, counts: np.ndarray) -> None:
    luminance = _colours(counts) ** 2.2 @ _LUMINANCE
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if luminance[row, column] < _DARK else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9, color=color)
