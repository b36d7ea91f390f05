"""How all pictures look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 150
RIGHT, WRONG, GREY, FAINT, TEXT = "#2a6f97", "#d1495b", "#8d99ae", "#d9d9d9", "#555555"
PALE = "#a9c9de"  # beside RIGHT
_LETTERS = 14  # of a name that stands beneath an image


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of so many inches that finds room for its labels by itself."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def title(axes: Axes, text: str, below: str = "") -> None:
    """Write a title above axes and, in smaller letters beneath it, what it is about."""
    font: dict[str, Any] = {"fontweight": "bold", "fontsize": 11, "parse_math": False}
    axes.set_title(text, loc="left", pad=22 if below else 6, **font)
    axes.annotate(
        *(below, (0, 1)),
        xycoords="axes fraction",
        xytext=(0, 7),
        textcoords="offset points",
        fontsize=9,
        color=TEXT,
    )


def frame(axes: Axes, color: str = FAINT, width: float = 1) -> None:
    """Leave of axes nothing but a frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=color, linewidth=width)


def open_sides(axes: Axes) -> None:
    """Leave of the frame what has numbers beside it."""
    axes.spines[["top", "right"]].set_visible(False)


def class_name(names: Sequence[str] | None, number: int) -> str:
    """Give the name of a class, so short that it fits beneath an image, or its number.

    Examples
    --------
    >>> class_name(["cat", "great white shark"], 1), class_name(None, 1)
    ('great white s…', '1')
    """
    if not names:
        return str(number)
    name = names[number]
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
