"""One epoch of learning, and what a network makes of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from cnnfast.nn import Module
from cnnfast.optim import Optimizer

Criterion = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


class Progress(NamedTuple):
    """How an epoch went so far: means over its images, each as it was when its turn came.

    The accuracy is NaN where labels are no classes.
    """

    loss: float
    accuracy: float
    images: int
    batches: int


def train_epoch(
    model: Module,
    loader: Iterable[tuple[np.ndarray, np.ndarray]],
    criterion: Criterion,
    optimizer: Optimizer,
    on_batch: Callable[[Progress], None] | None = None,
) -> Progress:
    """Take one optimizer step for each batch.

    Parameters
    ----------
    model : Module
        Gives scores (N, classes). Whether it trains or not (dropout) is as it was set.
    loader : iterable of (images, labels)
        For instance a `cnnfast.data.DataLoader`. Empty batches are passed over.
    criterion : callable
        ``loss, gradient = criterion(scores, labels)``, the mean over the batch; for instance
        `cnnfast.nn.CrossEntropyLoss`.
    optimizer : Optimizer
        Over the parameters of `model`.
    on_batch : callable, optional
        Called after each step with the `Progress` so far. What it raises ends the epoch.

    Returns
    -------
    Progress
        Of the whole epoch; loss and accuracy are NaN if there were no images.

    Raises
    ------
    FloatingPointError
        The loss is infinite or NaN. The parameters are those of the step before.

    Examples
    --------
    >>> from cnnfast import data, nn, optim
    >>> rng = np.random.default_rng(0)
    >>> images = rng.random((64, 2), np.float32)
    >>> loader = data.DataLoader(images, (images[:, 0] > images[:, 1]).astype(int), batch_size=8)
    >>> model = nn.Linear(2, 2, rng=rng)
    >>> optimizer = optim.SGD(model.parameters(), lr=1.0)
    >>> first = train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    >>> second = train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    >>> second.loss < first.loss, second.images, second.batches
    (True, 64, 8)
    """
    total, right, images, batches = 0.0, 0.0, 0, 0
    for x, labels in loader:
        if not len(x):
            continue
        scores, backward = model.forward(x)
        loss, gradient = criterion(scores, labels)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"train_epoch: the loss of batch {batches + 1} is {loss}; with a smaller learning "
                "rate it may stay finite"
            )
        backward(gradient, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()

        total += loss * len(x)
        right += _right(scores, labels)
        images += len(x)
        batches += 1
        if on_batch is not None:
            on_batch(Progress(total / images, right / images, images, batches))
    if not images:
        return Progress(math.nan, math.nan, 0, 0)
    return Progress(total / images, right / images, images, batches)


def _right(scores: np.ndarray, labels: np.ndarray) -> float:
    """Count the labels that have the highest score; NaN if they are numbers to predict."""
    if labels.dtype.kind == "f":
        return math.nan
    return int((scores.argmax(axis=1) == labels).sum())


def predict_scores(model: Module, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Give the scores of many images, computed batch by batch to bound the memory it takes.

    Parameters
    ----------
    model : Module
        Gives scores (N, classes).
    images : numpy.ndarray
        (N, ...), what `model` takes.
    batch_size : int
        1 or more.

    Returns
    -------
    numpy.ndarray
        (N, classes).

    Examples
    --------
    >>> from cnnfast import nn
    >>> predict_scores(nn.Flatten(), np.zeros((1000, 1, 2, 2))).shape
    (1000, 4)
    """
    if batch_size < 1:
        raise ValueError(f"predict_scores: batch_size must be at least 1, got {batch_size}")
    # No images are one empty batch: its scores have the right shape.
    starts = range(0, max(len(images), 1), batch_size)
    return np.concatenate([model(images[start : start + batch_size]) for start in starts])


def evaluate(model: Module, images: np.ndarray, labels: np.ndarray, batch_size: int = 256) -> float:
    """Give the share of images whose highest score is that of their label.

    Parameters
    ----------
    model, images, batch_size
        As for `predict_scores`.
    labels : numpy.ndarray
        (N,) integers.

    Returns
    -------
    float
        From 0 to 1; NaN if there are no images.

    Raises
    ------
    ValueError
        There is not one label for each image.

    Examples
    --------
    >>> from cnnfast import nn
    >>> evaluate(nn.Flatten(), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    0.5
    """
    if labels.shape != (len(images),):
        raise ValueError(
            f"evaluate: labels must have shape ({len(images)},), one for each image, got "
            f"{labels.shape}"
        )
    if not len(images):
        return math.nan
    scores = predict_scores(model, images, batch_size)
    return float((scores.argmax(axis=1) == labels).mean())
