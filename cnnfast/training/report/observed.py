"""What a network makes of the validation images, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from operator import length_hint
from typing import NamedTuple

import numpy as np

from cnnfast.analysis import worst_mistakes
from cnnfast.nn import Module
from cnnfast.training.bar import bar

EXAMPLES = 8
MISTAKES = 24


class Images(NamedTuple):
    """Some images, with what they are and the scores they have."""

    images: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def take(self, indices: np.ndarray) -> Images:
        return Images(*(part[indices] for part in self))

    def __add__(self, other: tuple) -> Images:  # one after the other
        return Images(*map(np.concatenate, zip(self, other, strict=True)))


class Observed(NamedTuple):
    """Labels and scores of all images, and those images that are to be shown.

    Attributes
    ----------
    labels, scores : numpy.ndarray
        (N,) and (N, classes).
    examples : Images
        The first of each of the first 8 classes that come.
    mistakes : Images
        The 24 that are most wrong, the worst first.
    """

    labels: np.ndarray
    scores: np.ndarray
    examples: Images
    mistakes: Images


def observe(model: Module, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Observed:
    """Show a network the validation images once, and keep only those that will be shown."""
    labels, scores = [], []
    examples = mistakes = None
    with bar(length_hint(batches) or None, "validation", " batches") as shown:
        for x, y in batches:
            if shown is not None:
                shown.update()
            if not len(x):
                continue
            batch = Images(x, y, model(x))
            labels.append(batch.labels)
            scores.append(batch.scores)
            first, worst = _first(batch), _worst(batch)
            examples = first if examples is None else _first(examples + first)
            mistakes = worst if mistakes is None else _worst(mistakes + worst)
    if examples is None or mistakes is None:
        raise ValueError("write_report: there are no validation images")
    return Observed(np.concatenate(labels), np.concatenate(scores), examples, mistakes)


def _first(found: Images) -> Images:
    _, first = np.unique(found.labels, return_index=True)
    return found.take(np.sort(first)[:EXAMPLES])


def _worst(found: Images) -> Images:
    return found.take(worst_mistakes(found.scores, found.labels, MISTAKES).indices)
