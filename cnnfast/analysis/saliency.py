"""Which pixels a class's score depends on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cnnfast.functional._arguments import float_array
from cnnfast.functional.loss._arguments import class_labels
from cnnfast.nn import Module


def saliency(model: Module, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    r"""Give, for each pixel, how fast the score of a class changes with it.

    With s the score of an image's class before softmax and x the image, that is

    .. math:: M_{ij} = \max_c \left| \frac{\partial s}{\partial x_{cij}} \right|

    Parameters
    ----------
    model : Module
        Gives scores (N, classes). It is taken as it is for inference, and left as it was:
        neither gradients nor running statistics change.
    images : numpy.ndarray
        (N, C, H, W), what `model` takes.
    labels : numpy.ndarray, optional
        (N,) integers: the class whose score it is, for each image. By default the highest.

    Returns
    -------
    numpy.ndarray
        (N, H, W), the dtype of `images`.

    Raises
    ------
    TypeError, ValueError
        The images are no such array, or there is not one existing class for each.

    References
    ----------
    K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising image
    classification models and saliency maps", 2013, arXiv:1312.6034, section 3.

    Examples
    --------
    >>> from cnnfast.nn import Flatten, Linear, Sequential
    >>> model = Sequential(Flatten(), Linear(4, 2, dtype=np.float64))
    >>> maps = saliency(model, np.ones((1, 1, 2, 2)), np.array([1]))
    >>> np.array_equal(maps.ravel(), np.abs(model[1].weight.data[1]))
    True
    """
    images = float_array("saliency", "images", images, 4)
    with _frozen(model):
        scores, backward = model.forward(images)
        if scores.ndim != 2:
            raise ValueError(f"saliency: the model must give (N, classes), gave {scores.shape}")
        if labels is None:
            labels = scores.argmax(axis=1)
        labels = class_labels("saliency", labels, scores.shape[:1], scores.shape[1])
        # In inference no image's scores depend on another image: one pass does for all.
        chosen = np.zeros_like(scores)
        chosen[np.arange(len(scores)), labels] = 1
        gradient = backward(chosen)
    return np.abs(gradient).max(axis=1)


@contextmanager
def _frozen(model: Module) -> Iterator[None]:
    """Let a model neither train nor learn for a while."""
    training = [(module, module.training) for module in model.modules()]
    learning = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in learning:
            parameter.requires_grad = flag
