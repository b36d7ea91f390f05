"""One epoch of learning, and what a network makes of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np

from cnnfast.nn import Module
from cnnfast.nn.moment import Moment
from cnnfast.optim import Optimizer
from cnnfast.training.non_finite import blame, spoilt_gradient
from cnnfast.training.ranks import Ranks, mean_of_all

Criterion = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]
Batches = Iterable[tuple[np.ndarray, np.ndarray]]


class Progress(NamedTuple):
    """How an epoch went so far: means over its images, each as it was when its turn came."""

    loss: float = 0.0
    accuracy: float = 0.0
    images: int = 0
    batches: int = 0

    def after(self, loss: float, accuracy: float, images: int) -> Progress:
        """Give the progress after one more batch, of which these are the means."""
        total = self.images + images
        # Rounded, what are whole numbers stay so.
        right = round(self.accuracy * self.images, 6) + round(accuracy * images, 6)
        return Progress(
            self.loss + (loss - self.loss) * images / total,
            right / total,
            total,
            self.batches + 1,
        )


_NONE = Progress(math.nan, math.nan)


def train_epoch(
    model: Module,
    loader: Batches,
    criterion: Criterion,
    optimizer: Optimizer,
    on_batch: Callable[[Progress], None] | None = None,
    *,
    before_step: Callable[[], None] | None = None,
    progress: Progress | None = None,
    world: Ranks | None = None,
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
    before_step : callable, optional
        Called before each step, when the gradients are there: to clip them, for instance.
    progress : Progress, optional
        Of an epoch that was interrupted, of which `loader` gives the rest.
    world : distributed.World, optional
        The ranks that train together: losses and accuracies are those of all.

    Returns
    -------
    Progress
        Of the whole epoch. The accuracy is NaN if the labels are not integers, one for each
        image (or pixel); loss and accuracy are NaN if there were no images.

    Raises
    ------
    FloatingPointError
        The loss or a gradient is infinite or NaN; the message says in which layer that began.
        Parameters, statistics and random generators are those of the step before.

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
    progress = progress or Progress()
    for images, labels in loader:
        if not len(images):
            continue
        before = Moment(model)
        scores, backward = model.forward(images)
        loss, gradient = criterion(scores, labels)
        accuracy = _accuracy(scores, labels)
        loss, accuracy, count = mean_of_all(world, float(loss), accuracy, len(images))
        if math.isfinite(loss):
            backward(gradient, input_grad=False)
            if before_step is not None:
                before_step()
            spoilt = spoilt_gradient(model)
        else:
            spoilt = f"the loss is {loss}"
        if spoilt:
            optimizer.zero_grad()
            cause = blame(model, images, before)
            raise FloatingPointError(
                f"train_epoch: batch {progress.batches + 1}: {spoilt}{cause}; the parameters are "
                "those of the step before; with a smaller learning rate it may stay finite"
            )
        optimizer.step()
        optimizer.zero_grad()
        progress = progress.after(loss, accuracy, count)
        if on_batch is not None:
            on_batch(progress)
    return progress if progress.images else _NONE


def validate(
    model: Module,
    loader: Batches,
    criterion: Criterion,
    on_batch: Callable[[Progress], None] | None = None,
    *,
    world: Ranks | None = None,
) -> Progress:
    """Give the mean loss and accuracy over the batches of a loader, without learning.

    Parameters
    ----------
    model, loader, criterion
        As for `train_epoch`.
    on_batch : callable, optional
        Called after each batch with the `Progress` so far.
    world : distributed.World, optional
        The ranks that share the work: each takes every so many-th batch of the same `loader`.

    Returns
    -------
    Progress
        As of `train_epoch`.

    Examples
    --------
    >>> from cnnfast import nn
    >>> batches = [(np.array([[1.0, 0.0]]), np.array([0])), (np.array([[1.0, 0.0]]), np.array([1]))]
    >>> validate(nn.Flatten(), batches, nn.HingeLoss())
    Progress(loss=1.0, accuracy=0.5, images=2, batches=2)
    """
    progress = Progress()
    mine = loader if world is None else islice(loader, world.rank, None, world.size)
    for images, labels in mine:
        if len(images):
            scores = model(images)
            loss, _ = criterion(scores, labels)
            progress = progress.after(float(loss), _accuracy(scores, labels), len(images))
            if on_batch is not None:
                on_batch(progress)
    if world is not None:
        batches = int(world.sum(np.array([progress.batches]))[0])
        progress = Progress(*mean_of_all(world, *progress[:3]), batches)
    return progress if progress.images else _NONE


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Give the share of labels that have the highest score, or NaN if they are not classes."""
    if labels.dtype.kind not in "iu" or labels.shape != (len(scores), *scores.shape[2:]):
        return math.nan
    return float((scores.argmax(axis=1) == labels).mean())


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
