"""Residual networks for CIFAR."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.models.resnet import basic_block
from cnnfast.nn import Flatten, GlobalAvgPool2d, MaxPool2d, ReLU, Sequential, ZeroPadChannels


def _cifar_resnet(
    depth: int,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator | None,
    dtype: DTypeLike,
) -> Network:
    make = Layers(rng, dtype)
    blocks = (depth - 2) // 6  # of two layers, in each of three stages
    stages, channels = {}, 16
    for stage, width in enumerate((16, 32, 64), 1):
        layers = []
        for stride in (1 if stage == 1 else 2, *[1] * (blocks - 1)):
            shortcut = None if stride == 1 else _subsampled(width - channels)
            layers.append(basic_block(make, channels, width, stride, shortcut))
            channels = width
        stages[f"layer{stage}"] = Sequential(*layers)
    return Network(
        {
            "conv1": make.conv(in_channels, 16, 3, 1, 1, bias=False),
            "bn1": make.norm(16),
            "relu": ReLU(),
            **stages,
            "avgpool": GlobalAvgPool2d(),
            "flatten": Flatten(),
            "fc": make.linear(64, num_classes),
        },
        head="fc",
    )


def _subsampled(missing: int) -> Sequential:
    """Make a shortcut without parameters: pooling windows of a single element pick every second."""
    return Sequential(MaxPool2d(1, 2), ZeroPadChannels(missing // 2, missing // 2))


def cifar_resnet20(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make the residual network of 20 layers for CIFAR's images of 32x32.

    Three stages of 16, 32 and 64 filters. Where they meet, the shortcut has no parameters, option A
    of the paper: every second row and column, and half of the missing channels as zeros on either
    side.

    Parameters
    ----------
    num_classes, in_channels : int
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 32, 32), or of any size, to scores (N, num_classes).

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015,
    arXiv:1512.03385, section 4.2. On which side the zeros are, it does not say.

    Examples
    --------
    >>> cifar_resnet20()(np.zeros((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """
    return _cifar_resnet(20, num_classes, in_channels, rng, dtype)


def cifar_resnet32(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make the residual network of 32 layers for CIFAR; see `cifar_resnet20`."""
    return _cifar_resnet(32, num_classes, in_channels, rng, dtype)


def cifar_resnet44(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make the residual network of 44 layers for CIFAR; see `cifar_resnet20`."""
    return _cifar_resnet(44, num_classes, in_channels, rng, dtype)


def cifar_resnet56(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make the residual network of 56 layers for CIFAR; see `cifar_resnet20`."""
    return _cifar_resnet(56, num_classes, in_channels, rng, dtype)
