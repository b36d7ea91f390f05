"""What a layer makes of an image."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnfast.analysis.activations import activations as activations_of
from cnnfast.analysis.plots._images import mosaic, nearly_square, visible
from cnnfast.analysis.plots._style import RIGHT, frame, new_figure, open_sides, title
from cnnfast.nn import Module

_MOST = 256  # maps: of more than that none could be made out


def activations(model: Module, image: np.ndarray, layer: str) -> Figure:
    """Draw an image, and what a layer makes of it: a map for each channel, or a bar if it has none.

    Parameters
    ----------
    model, layer
        As `cnnfast.analysis.activations` takes them.
    image : numpy.ndarray
        (C, H, W), in the dtype of the model.

    Returns
    -------
    matplotlib.figure.Figure
        With the first 256 maps.

    Raises
    ------
    ValueError
        `image` has another number of dimensions, or there is no such layer.

    Examples
    --------
    >>> from cnnfast import models
    >>> figure = activations(models.lenet5(), np.zeros((1, 28, 28), np.float32), "pool1")
    >>> figure.axes[1].get_title(loc="left")
    'pool1: 6 maps of 14x14'
    """
    if np.ndim(image) != 3:
        raise ValueError(f"activations: image must be (C, H, W), got shape {np.shape(image)}")
    shown = visible("activations", image[None])[0]
    values = activations_of(model, image[None], layer)[0]
    if values.ndim == 3:
        tiles = _tiles(values)
        height = max(2.4, 7 * len(tiles) / tiles.shape[1]) + 0.5
    else:
        height = 2.9
    figure = new_figure(10, height)
    left, right = figure.subplots(1, 2, width_ratios=[1, 3], subplot_kw={"anchor": "N"})
    left.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    frame(left)
    title(left, "Image")
    if values.ndim == 3:
        drawn = right.imshow(tiles, cmap="viridis", interpolation="nearest")
        frame(right, "none")
        figure.colorbar(drawn, ax=right, shrink=0.8, aspect=16, panchor=False)
    else:
        _draw_bars(right, values.ravel())
    title(right, f"{layer}: {_described(values)}")
    return figure


def _tiles(maps: np.ndarray) -> np.ndarray:
    """Lay maps out about twice as wide as high."""
    count = min(len(maps), _MOST)
    return mosaic(maps[:count], count if count <= 8 else 2 * nearly_square(count))


def _draw_bars(axes: Axes, values: np.ndarray) -> None:
    axes.bar(np.arange(len(values)), values, color=RIGHT)
    axes.axhline(0, color="black", linewidth=0.8)
    open_sides(axes)


def _described(values: np.ndarray) -> str:
    count = len(values) if values.ndim == 3 else values.size
    s = "s" * (count != 1)
    if values.ndim != 3:
        return f"{count} value{s}"
    size = f"{values.shape[1]}x{values.shape[2]}"
    return f"{count} map{s} of {size}" + (f", the first {_MOST}" if count > _MOST else "")
