"""AlexNet."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import AdaptiveAvgPool2d, Flatten, MaxPool2d, ReLU, Sequential


def alexnet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make an AlexNet in one tower, as torchvision has it.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : float
        Probability before each of the first two fully connected layers.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 224, 224), or any from 63x63 on, to scores (N, num_classes).

    References
    ----------
    A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012. This is the variant of A. Krizhevsky, "One weird trick for parallelizing
    convolutional neural networks", 2014: fewer filters, and no normalisation.

    Examples
    --------
    >>> alexnet(10)(np.zeros((1, 3, 63, 63), np.float32)).shape
    (1, 10)
    """
    make = Layers(rng, dtype)
    features = Sequential(
        make.conv(in_channels, 64, 11, 4, 2),
        ReLU(),
        MaxPool2d(3, 2),
        make.conv(64, 192, 5, 1, 2),
        ReLU(),
        MaxPool2d(3, 2),
        make.conv(192, 384, 3, 1, 1),
        ReLU(),
        make.conv(384, 256, 3, 1, 1),
        ReLU(),
        make.conv(256, 256, 3, 1, 1),
        ReLU(),
        MaxPool2d(3, 2),
    )
    classifier = Sequential(
        make.dropout(dropout),
        make.linear(256 * 6 * 6, 4096),
        ReLU(),
        make.dropout(dropout),
        make.linear(4096, 4096),
        ReLU(),
        make.linear(4096, num_classes),
    )
    return Network(
        {
            "features": features,
            "avgpool": AdaptiveAvgPool2d(6),
            "flatten": Flatten(),
            "classifier": classifier,
        },
        head="classifier.6",
    )
