"""Which pixels a score depends on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from cnnfast.analysis.plots._images import visible
from cnnfast.analysis.plots._style import class_name, frame, new_figure
from cnnfast.analysis.saliency import saliency as saliency_of
from cnnfast.nn import Module

_ACROSS = 8


def saliency(
    model: Module,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw images, and below each how much the score of a class changes with its pixels.

    Parameters
    ----------
    model, images, labels
        As `cnnfast.analysis.saliency` takes them. By default it is the class with the highest
        score.
    names : sequence of str, optional
        Of the classes, to write beneath the maps in place of their numbers.

    Returns
    -------
    matplotlib.figure.Figure
        Bright where the score depends most on a pixel, each map on a scale of its own.

    Raises
    ------
    TypeError, ValueError
        As `cnnfast.analysis.saliency` does, or there are no images.

    Examples
    --------
    >>> from cnnfast import models
    >>> len(saliency(models.lenet5(), np.ones((3, 1, 28, 28), np.float32)).axes)
    6
    """
    shown = visible("saliency", images)
    if labels is None:
        labels = model(images).argmax(axis=1)
    maps = saliency_of(model, images, labels)
    across = min(_ACROSS, len(images))
    rows = -(-len(images) // across)
    figure = new_figure(9.6 * across / _ACROSS, 2.7 * rows)
    grid = figure.subplots(2 * rows, across, squeeze=False)
    pairs = grid.reshape(rows, 2, across).transpose(0, 2, 1).reshape(-1, 2)
    for upper, lower in pairs[len(images) :]:
        upper.remove()
        lower.remove()
    for (upper, lower), image, heat, label in zip(pairs, shown, maps, labels, strict=False):
        upper.imshow(image, cmap="gray", vmin=0, vmax=1)
        lower.imshow(heat, cmap="inferno", vmin=0)
        lower.set_xlabel(class_name(names, label), fontsize=9, parse_math=False)
        frame(upper)
        frame(lower)
    return figure
