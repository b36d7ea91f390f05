"""What a layer within a network gives."""

from __future__ import annotations

import numpy as np

from cnnfast.nn import Module
from cnnfast.nn.trace import replay, trace


def activations(model: Module, images: np.ndarray, layer: str) -> np.ndarray:
    """Give what a layer makes of images, in inference.

    Parameters
    ----------
    model : Module
        A `Sequential`, a `Graph`, or these in each other, with one input.
    images : numpy.ndarray
        (N, C, H, W), what `model` takes.
    layer : str
        The layer's path, such as "conv1" or "layer1.0.relu": `summary` lists them.

    Returns
    -------
    numpy.ndarray
        (N, ...); of several values of a layer, the first.

    Raises
    ------
    ValueError
        There is no such layer, or the model has several inputs.

    Examples
    --------
    >>> from cnnfast import models
    >>> activations(models.lenet5(), np.zeros((2, 1, 28, 28), np.float32), "pool1").shape
    (2, 6, 14, 14)
    """
    traced = trace(model)
    if len(traced.inputs) != 1:
        raise ValueError(f"activations: the model must have one input, has {traced.inputs}")
    names = [call.name for call in traced.calls]
    if layer not in names:
        raise ValueError(f"activations: layer must be one of {', '.join(names)}, got {layer!r}")
    found = (given for call, _, given in replay(traced, [images]) if call.name == layer)
    return next(iter(next(found).values()))
