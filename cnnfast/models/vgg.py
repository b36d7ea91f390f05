"""VGG networks: 3x3 convolutions and 2x2 pools, nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import AdaptiveAvgPool2d, Flatten, MaxPool2d, Module, ReLU, Sequential

_FILTERS = (64, 128, 256, 512, 512)
# Convolutions of so many filters each, by the layers with weights in all.
_CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def _vgg(
    depth: int,
    batch_norm: bool,
    num_classes: int,
    in_channels: int,
    dropout: float,
    rng: np.random.Generator | None,
    dtype: DTypeLike,
) -> Network:
    make = Layers(rng, dtype)
    features: list[Module] = []
    for convolutions, filters in zip(_CONVOLUTIONS[depth], _FILTERS, strict=True):
        for _ in range(convolutions):
            features.append(make.conv(in_channels, filters, 3, 1, 1))
            if batch_norm:
                features.append(make.norm(filters))
            features.append(ReLU())
            in_channels = filters
        features.append(MaxPool2d(2))
    classifier = Sequential(
        make.linear(512 * 7 * 7, 4096),
        ReLU(),
        make.dropout(dropout),
        make.linear(4096, 4096),
        ReLU(),
        make.dropout(dropout),
        make.linear(4096, num_classes),
    )
    return Network(
        {
            "features": Sequential(*features),
            "avgpool": AdaptiveAvgPool2d(7),
            "flatten": Flatten(),
            "classifier": classifier,
        },
        head="classifier.6",
    )


def vgg11(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG network with 11 layers that have weights, configuration A of the paper.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : float
        Probability after each of the first two fully connected layers.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 224, 224), or any from 32x32 on, to scores (N, num_classes).

    References
    ----------
    K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image
    recognition", 2014, arXiv:1409.1556.

    Examples
    --------
    >>> vgg11(10)(np.zeros((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """
    return _vgg(11, False, num_classes, in_channels, dropout, rng, dtype)


def vgg11_bn(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG-11 with batch normalisation after every convolution; see `vgg11`."""
    return _vgg(11, True, num_classes, in_channels, dropout, rng, dtype)


def vgg13(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG network with 13 layers, configuration B; see `vgg11`."""
    return _vgg(13, False, num_classes, in_channels, dropout, rng, dtype)


def vgg13_bn(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG-13 with batch normalisation after every convolution; see `vgg11`."""
    return _vgg(13, True, num_classes, in_channels, dropout, rng, dtype)


def vgg16(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG network with 16 layers, configuration D; see `vgg11`."""
    return _vgg(16, False, num_classes, in_channels, dropout, rng, dtype)


def vgg16_bn(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG-16 with batch normalisation after every convolution; see `vgg11`."""
    return _vgg(16, True, num_classes, in_channels, dropout, rng, dtype)


def vgg19(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG network with 19 layers, configuration E; see `vgg11`."""
    return _vgg(19, False, num_classes, in_channels, dropout, rng, dtype)


def vgg19_bn(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a VGG-19 with batch normalisation after every convolution; see `vgg11`."""
    return _vgg(19, True, num_classes, in_channels, dropout, rng, dtype)
