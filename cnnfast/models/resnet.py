"""Residual networks for ImageNet."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import Add, Flatten, GlobalAvgPool2d, Graph, MaxPool2d, Module, ReLU, Sequential

# Blocks in each of the four stages.
_BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_BOTTLENECK_FROM = 50


def _resnet(
    depth: int,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator | None,
    dtype: DTypeLike,
) -> Network:
    make = Layers(rng, dtype)
    block, expansion = (_bottleneck, 4) if depth >= _BOTTLENECK_FROM else (basic_block, 1)
    stages, channels = {}, 64
    for stage, blocks in enumerate(_BLOCKS[depth]):
        width, layers = 64 * 2**stage, []
        for stride in (1 if stage == 0 else 2, *[1] * (blocks - 1)):
            shortcut = _projection(make, channels, width * expansion, stride)
            layers.append(block(make, channels, width, stride, shortcut))
            channels = width * expansion
        stages[f"layer{stage + 1}"] = Sequential(*layers)
    return Network(
        {
            "conv1": make.conv(in_channels, 64, 7, 2, 3, bias=False),
            "bn1": make.norm(64),
            "relu": ReLU(),
            "maxpool": MaxPool2d(3, 2, 1),
            **stages,
            "avgpool": GlobalAvgPool2d(),
            "flatten": Flatten(),
            "fc": make.linear(channels, num_classes),
        },
        head="fc",
    )


def basic_block(
    make: Layers, channels: int, width: int, stride: int, shortcut: Module | None
) -> Graph:
    """Make a block of two 3x3 convolutions; a shortcut is needed where the shape changes."""
    body: dict[str, tuple] = {
        "conv1": (make.conv(channels, width, 3, stride, 1, bias=False), "input"),
        "bn1": (make.norm(width), "conv1"),
        "relu1": (ReLU(), "bn1"),
        "conv2": (make.conv(width, width, 3, 1, 1, bias=False), "relu1"),
        "bn2": (make.norm(width), "conv2"),
    }
    return _joined(body, shortcut)


def _bottleneck(
    make: Layers, channels: int, width: int, stride: int, shortcut: Module | None
) -> Graph:
    """Make a block of a 3x3 convolution between two 1x1 ones; the last gives four times the width.

    The stride is the 3x3 convolution's, as in torchvision; the paper has it in the first.
    """
    body: dict[str, tuple] = {
        "conv1": (make.conv(channels, width, 1, bias=False), "input"),
        "bn1": (make.norm(width), "conv1"),
        "relu1": (ReLU(), "bn1"),
        "conv2": (make.conv(width, width, 3, stride, 1, bias=False), "relu1"),
        "bn2": (make.norm(width), "conv2"),
        "relu2": (ReLU(), "bn2"),
        "conv3": (make.conv(width, 4 * width, 1, bias=False), "relu2"),
        "bn3": (make.norm(4 * width), "conv3"),
    }
    return _joined(body, shortcut)


def _projection(make: Layers, channels: int, filters: int, stride: int) -> Sequential | None:
    """Make the shortcut of a block that changes the shape: option B of the paper."""
    if stride == 1 and channels == filters:
        return None
    return Sequential(make.conv(channels, filters, 1, stride, bias=False), make.norm(filters))


def _joined(body: dict[str, tuple], shortcut: Module | None) -> Graph:
    """Make a block: what the body gives plus its input, which may take a shortcut, and a ReLU."""
    last, around = list(body)[-1], "input"
    nodes = dict(body)
    if shortcut is not None:
        around = "downsample"
        nodes[around] = (shortcut, "input")
    return Graph({**nodes, "add": (Add(), last, around), "relu": (ReLU(), "add")})


def resnet18(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a residual network with 18 layers that have weights, as torchvision has it.

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
        From images (N, in_channels, 224, 224), or of any size, to scores (N, num_classes).

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015,
    arXiv:1512.03385.

    Examples
    --------
    >>> resnet18(10)(np.zeros((1, 3, 64, 64), np.float32)).shape
    (1, 10)
    """
    return _resnet(18, num_classes, in_channels, rng, dtype)


def resnet34(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a residual network with 34 layers; see `resnet18`."""
    return _resnet(34, num_classes, in_channels, rng, dtype)


def resnet50(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a residual network with 50 layers in bottleneck blocks; see `resnet18`."""
    return _resnet(50, num_classes, in_channels, rng, dtype)


def resnet101(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a residual network with 101 layers in bottleneck blocks; see `resnet18`."""
    return _resnet(101, num_classes, in_channels, rng, dtype)


def resnet152(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a residual network with 152 layers in bottleneck blocks; see `resnet18`."""
    return _resnet(152, num_classes, in_channels, rng, dtype)
