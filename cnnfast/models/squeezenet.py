"""SqueezeNet."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import Concatenate, Flatten, GlobalAvgPool2d, Graph, MaxPool2d, ReLU, Sequential


def squeezenet1_1(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a SqueezeNet 1.1: AlexNet's accuracy with a fiftieth of its parameters.

    Its head is a 1x1 convolution, and the scores are the averages of its maps.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : float
        Probability before the head.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 224, 224), or any from 17x17 on, to scores (N, num_classes).

    References
    ----------
    F. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
    model size", 2016, arXiv:1602.07360; version 1.1 is of the authors' repository.

    Examples
    --------
    >>> model = squeezenet1_1(10)
    >>> model(np.zeros((1, 3, 64, 64), np.float32)).shape, model.head.kernel_size
    ((1, 10), (1, 1))
    """
    make = Layers(rng, dtype)
    features = Sequential(
        make.conv(in_channels, 64, 3, 2),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
        _fire(make, 64, 16, 64),
        _fire(make, 128, 16, 64),
        MaxPool2d(3, 2, ceil_mode=True),
        _fire(make, 128, 32, 128),
        _fire(make, 256, 32, 128),
        MaxPool2d(3, 2, ceil_mode=True),
        _fire(make, 256, 48, 192),
        _fire(make, 384, 48, 192),
        _fire(make, 384, 64, 256),
        _fire(make, 512, 64, 256),
    )
    classifier = Sequential(
        make.dropout(dropout), make.conv(512, num_classes, 1), ReLU(), GlobalAvgPool2d()
    )
    return Network(
        {"features": features, "classifier": classifier, "flatten": Flatten()},
        head="classifier.1",
    )


def _fire(make: Layers, channels: int, squeezed: int, expanded: int) -> Graph:
    """Make a fire module: few 1x1 filters, then as many 1x1 as 3x3 ones side by side."""
    return Graph(
        {
            "squeeze": (make.conv(channels, squeezed, 1), "input"),
            "squeeze_activation": (ReLU(), "squeeze"),
            "expand1x1": (make.conv(squeezed, expanded, 1), "squeeze_activation"),
            "expand1x1_activation": (ReLU(), "expand1x1"),
            "expand3x3": (make.conv(squeezed, expanded, 3, 1, 1), "squeeze_activation"),
            "expand3x3_activation": (ReLU(), "expand3x3"),
            "concat": (Concatenate(), "expand1x1_activation", "expand3x3_activation"),
        }
    )
