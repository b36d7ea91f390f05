"""MobileNet V2."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import Add, Flatten, GlobalAvgPool2d, Graph, Module, ReLU6, Sequential

# Table 2 of the paper: by how much a block expands its channels, the channels it gives, how many
# such blocks there are, and the stride of the first.
_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.2,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a MobileNet V2: depthwise convolutions between narrow ends, added up.

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
        From images (N, in_channels, 224, 224), or of any size, to scores (N, num_classes).

    References
    ----------
    M. Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks", 2018,
    arXiv:1801.04381.

    Examples
    --------
    >>> mobilenet_v2(10)(np.zeros((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """
    make = Layers(rng, dtype)
    channels = 32
    features: list[Module] = [_conv_norm_relu(make, in_channels, channels, 3, stride=2)]
    for expansion, filters, blocks, first_stride in _BLOCKS:
        for stride in (first_stride, *[1] * (blocks - 1)):
            features.append(_inverted_residual(make, channels, filters, stride, expansion))
            channels = filters
    features.append(_conv_norm_relu(make, channels, 1280, 1))
    return Network(
        {
            "features": Sequential(*features),
            "avgpool": GlobalAvgPool2d(),
            "flatten": Flatten(),
            "classifier": Sequential(make.dropout(dropout), make.linear(1280, num_classes)),
        },
        head="classifier.1",
    )


def _inverted_residual(
    make: Layers, channels: int, filters: int, stride: int, expansion: int
) -> Sequential | Graph:
    """Make a block: wider by a 1x1 convolution, then depthwise, then narrow without ReLU.

    Where it keeps the shape, the input is added to the result.
    """
    width = channels * expansion
    layers: list[Module] = []
    if expansion != 1:
        layers.append(_conv_norm_relu(make, channels, width, 1))
    layers += [
        _conv_norm_relu(make, width, width, 3, stride, groups=width),
        make.conv(width, filters, 1, bias=False),
        make.norm(filters),
    ]
    body = Sequential(*layers)
    if stride != 1 or channels != filters:
        return Sequential({"conv": body})
    return Graph({"conv": (body, "input"), "add": (Add(), "input", "conv")})


def _conv_norm_relu(
    make: Layers, channels: int, filters: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> Sequential:
    padding = kernel_size // 2
    return Sequential(
        make.conv(channels, filters, kernel_size, stride, padding, groups=groups, bias=False),
        make.norm(filters),
        ReLU6(),
    )
