"""What a classifier takes for what."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnnfast.functional._arguments import float_array
from cnnfast.functional.loss._arguments import class_labels
from cnnfast.functional.softmax import log_softmax


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Count the images of each class that were taken for each class.

    Parameters
    ----------
    labels, predictions : numpy.ndarray
        (N,) integers in 0..classes-1: what the images are, and what they were taken for.
    classes : int

    Returns
    -------
    numpy.ndarray
        int64 (classes, classes): in row i and column j the images of class i taken for class j.

    Raises
    ------
    TypeError, ValueError
        Labels or predictions are no such arrays.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    name = "confusion_matrix"
    labels = class_labels(name, labels, np.shape(labels)[:1], classes)
    if np.shape(predictions) != labels.shape:
        raise ValueError(
            f"{name}: predictions must have shape {labels.shape}, one for each label, got "
            f"{np.shape(predictions)}"
        )
    predictions = class_labels(f"{name}: predictions", predictions, labels.shape, classes)
    cells = labels.astype(np.int64) * classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


class Mistakes(NamedTuple):
    """Images taken for what they are not.

    Attributes
    ----------
    indices, labels, predictions : numpy.ndarray
        Which images, what they are, and what they were taken for: (M,) integers.
    losses : numpy.ndarray
        (M,): minus the logarithm of the probability given to the label.
    """

    indices: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    losses: np.ndarray


def worst_mistakes(scores: np.ndarray, labels: np.ndarray, count: int | None = None) -> Mistakes:
    """Find the wrongly classified images, that with the highest loss first.

    Parameters
    ----------
    scores : numpy.ndarray
        (N, classes), before softmax.
    labels : numpy.ndarray
        (N,) integers in 0..classes-1.
    count : int, optional
        How many at most; by default all.

    Returns
    -------
    Mistakes

    Raises
    ------
    TypeError, ValueError
        Scores or labels are no such arrays, or `count` is negative.

    Examples
    --------
    >>> scores = np.array([[9.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    >>> worst_mistakes(scores, np.array([0, 1, 1])).indices.tolist()
    [2, 1]
    """
    name = "worst_mistakes"
    scores = float_array(name, "scores", scores, 2)
    labels = class_labels(name, labels, scores.shape[:1], scores.shape[1])
    if count is not None and count < 0:
        raise ValueError(f"{name}: count must be at least 0, got {count}")
    predictions = scores.argmax(axis=1)
    losses = -log_softmax(scores, 1)[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(predictions != labels)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:count]
    return Mistakes(worst, labels[worst], predictions[worst], losses[worst])
