"""Images with what they were taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnfast.analysis.mistakes import worst_mistakes as worst_mistakes_of
from cnnfast.analysis.plots._images import visible
from cnnfast.analysis.plots._style import FAINT, RIGHT, WRONG, class_name, frame, new_figure
from cnnfast.functional import softmax
from cnnfast.functional._arguments import float_array
from cnnfast.functional.loss._arguments import class_labels

_ACROSS = 8
_BESIDE = 8  # letters of two names, at most, for both to be in one line


def predictions(
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str] | None = None,
    count: int = 24,
) -> Figure:
    """Draw the first images with what they were taken for; wrong ones have a red frame.

    Parameters
    ----------
    images : numpy.ndarray
        (N, C, H, W).
    labels : numpy.ndarray
        (N,) integers.
    scores : numpy.ndarray
        (N, classes), before softmax.
    names : sequence of str, optional
        Of the classes, in place of their numbers.
    count : int
        How many images.

    Raises
    ------
    TypeError, ValueError
        An array is no such array, or there are no images.

    Examples
    --------
    >>> images = np.zeros((2, 1, 4, 4))
    >>> figure = predictions(images, np.array([0, 1]), np.array([[9.0, 0.0], [5.0, 5.0]]))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['0  (100%)', '0, is 1']
    """
    _check("predictions", images, labels, scores)
    chances = softmax(scores[:count])
    guesses = chances.argmax(axis=1)
    texts = [
        f"{class_name(names, guess)}  ({chance[guess]:.0%})"
        if guess == label
        else _verdict(names, guess, label)
        for chance, guess, label in zip(chances, guesses, labels, strict=False)
    ]
    figure, grid = _grid(texts)
    shown = visible("predictions", images[:count])
    for axes, image, text, right in zip(grid, shown, texts, guesses == labels[:count], strict=True):
        _draw(axes, image, text, bool(right))
    return figure


def worst_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str] | None = None,
    count: int = 24,
) -> Figure:
    """Draw the wrongly classified images with the highest loss, the worst first.

    Beneath each is what it was taken for, what it is, and its loss.

    Parameters
    ----------
    images, labels, scores, names
        As for `predictions`.
    count : int
        How many images at most.

    Raises
    ------
    TypeError, ValueError
        As for `predictions`.

    Examples
    --------
    >>> images, labels = np.zeros((2, 1, 4, 4)), np.array([0, 1])
    >>> figure = worst_mistakes(images, labels, np.array([[9.0, 0.0], [5.0, 5.0]]))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['0, is 1\\nloss 0.693']
    """
    _check("worst_mistakes", images, labels, scores)
    found = worst_mistakes_of(scores, labels, count)
    texts = [
        f"{_verdict(names, guess, label)}\nloss {loss:.3g}"
        for label, guess, loss in zip(*found[1:], strict=True)
    ]
    figure, grid = _grid(texts)
    if not len(found.indices):
        figure.text(0.5, 0.5, "no mistakes", ha="center", va="center", fontsize=11)
        return figure
    shown = visible("worst_mistakes", images[found.indices])
    for axes, image, text in zip(grid, shown, texts, strict=True):
        _draw(axes, image, text, right=False)
    return figure


def _check(function: str, images: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> None:
    scores = float_array(function, "scores", scores, 2)
    class_labels(function, labels, scores.shape[:1], scores.shape[1])
    if len(images) != len(labels):
        raise ValueError(f"{function}: {len(labels)} labels, but {len(images)} images")


def _grid(texts: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Make room for images with these texts beneath, and for one if there are none."""
    count, lines = len(texts), 1 + max((text.count("\n") for text in texts), default=0)
    rows = max(1, -(-count // _ACROSS))
    figure = new_figure(9.6, (1.25 + 0.16 * lines) * rows)
    grid = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def _draw(axes: Axes, image: np.ndarray, text: str, right: bool) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    frame(axes, FAINT if right else WRONG, 1 if right else 2)
    color = RIGHT if right else WRONG
    axes.set_xlabel(text, fontsize=8.5, color=color, labelpad=3, parse_math=False)


def _verdict(names: Sequence[str] | None, guess: int, label: int) -> str:
    guess_name, label_name = class_name(names, guess), class_name(names, label)
    between = ", " if len(guess_name + label_name) <= _BESIDE else ",\n"
    return f"{guess_name}{between}is {label_name}"
