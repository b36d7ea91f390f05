"""What the filters of a layer look for."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from cnnfast.analysis.plots._images import mosaic, nearly_square
from cnnfast.analysis.plots._style import frame, new_figure, title

_COLOURS = 3


def filters(weights: np.ndarray) -> Figure:
    """Draw the filters of a convolution as a grid, usually those of the first layer.

    Filters of three channels are drawn in colour, zero as grey: they look for what they look like.
    Of any other number each channel is drawn by itself, a filter in a row if there are several.

    Parameters
    ----------
    weights : numpy.ndarray
        (K, C, R, S), such as ``model.conv1.weight.data``.

    Raises
    ------
    ValueError
        `weights` has another number of dimensions, or nothing in it.

    Examples
    --------
    >>> from cnnfast import models
    >>> figure = filters(models.lenet5().conv1.weight.data)
    >>> figure.axes[0].get_title(loc="left")
    '6 filters of 5x5'
    """
    if np.ndim(weights) != 4 or not np.size(weights):
        raise ValueError(f"filters: weights must be (K, C, R, S), got shape {np.shape(weights)}")
    count, channels, rows, columns = weights.shape
    most = float(np.abs(weights).max()) or 1.0
    if channels == _COLOURS:
        across = nearly_square(count)
        tiles = mosaic(0.5 + weights.transpose(0, 2, 3, 1) / (2 * most), across, background=1)
    else:
        across = nearly_square(count) if channels == 1 else channels
        tiles = mosaic(weights.reshape(-1, rows, columns), across)
    height, width = tiles.shape[:2]
    inches = min(9.0, max(4.0, 1.1 * across))
    figure = new_figure(inches + 1, max(1.0, inches * height / width) + 0.6)
    axes = figure.subplots()
    image = axes.imshow(tiles, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    frame(axes, "none")
    if channels != _COLOURS:
        figure.colorbar(image, ax=axes, label="weight", shrink=0.9, aspect=16)
    of = "" if channels in (1, _COLOURS) else f", {channels} channels each"
    title(axes, f"{count} filter{'s' * (count != 1)} of {rows}x{columns}{of}")
    return figure
