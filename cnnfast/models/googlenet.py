"""GoogLeNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import GraphNetwork
from cnnfast.nn import (
    AdaptiveAvgPool2d,
    Backward,
    Concat,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)

# Table 1 of the paper: filters of the 1x1 branch, of the 3x3 branch and of its reduction, of the
# "5x5" branch and of its reduction, and of the projection behind the pool.
_INCEPTION = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    aux_logits: bool = False,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> GraphNetwork:
    """Make a GoogLeNet, as torchvision has it: with batch normalisation, and 3x3 for 5x5.

    torchvision's file of weights holds the auxiliary classifiers, too (not trained), so load it
    with `aux_logits`, or into the plain network with ``strict=False``. Those weights are for images
    scaled to [-1, 1], 2 * x - 1 for x in [0, 1], which is what its `transform_input` is about.

    Parameters
    ----------
    num_classes, in_channels : int
    aux_logits : bool
        Whether there are two more classifiers halfway, `aux1` and `aux2`, to learn with: in
        training, ``forward`` gives ``(logits, aux_logits2, aux_logits1)``. ``model(x)`` gives the
        logits alone. Their last layers are ``aux1.fc2`` and ``aux2.fc2``; `head` is not among them.
    dropout, dropout_aux : float
        Probabilities before the head, and before the last layers of the two.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    GraphNetwork
        From images (N, in_channels, 224, 224), or any from 15x15 on, to scores (N, num_classes).

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", 2014, arXiv:1409.4842.

    Examples
    --------
    >>> model = googlenet(10, aux_logits=True)
    >>> x = np.zeros((2, 3, 64, 64), np.float32)
    >>> model(x).shape
    (2, 10)
    >>> (logits, aux2, aux1), backward = model.forward(x)
    >>> logits.shape, aux2.shape, aux1.shape
    ((2, 10), (2, 10), (2, 10))
    """
    make = Layers(rng, dtype)
    trunk = _trunk(make, in_channels)
    top = {
        "avgpool": GlobalAvgPool2d(),
        "flatten": Flatten(),
        "dropout": make.dropout(dropout),
        "fc": make.linear(1024, num_classes),
    }
    nodes = _in_a_row(trunk | top)
    if not aux_logits:
        return GraphNetwork(nodes, head="fc")
    auxiliaries = {
        "aux1": (_auxiliary(make, 512, num_classes, dropout_aux), "inception4a"),
        "aux2": (_auxiliary(make, 528, num_classes, dropout_aux), "inception4d"),
    }
    # In the order in which torchvision's weights are listed.
    nodes = {**{name: nodes.pop(name) for name in trunk}, **auxiliaries, **nodes}
    return _WithAuxiliaries(nodes, head="fc", outputs=("fc",))


class _WithAuxiliaries(GraphNetwork):
    """Gives the scores of the auxiliary classifiers, too, when it learns."""

    def __init__(self, nodes: Mapping[str, tuple], head: str, outputs: tuple[str, ...]) -> None:
        super().__init__(nodes, head, outputs)
        self.training_outputs = (*outputs, "aux2", "aux1")
        self._training_steps = self.plan(self.training_outputs)

    def forward(self, *inputs: np.ndarray) -> tuple[Any, Backward]:
        if self.training:
            return self.learn(inputs, self.training_outputs, self._training_steps)
        return super().forward(*inputs)


def _trunk(make: Layers, in_channels: int) -> dict[str, Module]:
    """Make all layers up to the last inception module."""
    layers: dict[str, Module] = {
        "conv1": _basic_conv(make, in_channels, 64, 7, 2),
        "maxpool1": MaxPool2d(3, 2, ceil_mode=True),
        "conv2": _basic_conv(make, 64, 64, 1),
        "conv3": _basic_conv(make, 64, 192, 3),
        "maxpool2": MaxPool2d(3, 2, ceil_mode=True),
    }
    channels = 192
    for name, filters in _INCEPTION.items():
        layers[name] = _inception(make, channels, *filters)
        channels = filters[0] + filters[2] + filters[4] + filters[5]
        if name == "inception3b":
            layers["maxpool3"] = MaxPool2d(3, 2, ceil_mode=True)
        elif name == "inception4e":
            layers["maxpool4"] = MaxPool2d(2, 2, ceil_mode=True)
    return layers


def _inception(
    make: Layers, channels: int, c1: int, reduce3: int, c3: int, reduce5: int, c5: int, pooled: int
) -> Concat:
    """Make an inception module; its third branch has 3x3 filters, not the paper's 5x5."""
    return Concat(
        {
            "branch1": _basic_conv(make, channels, c1, 1),
            "branch2": Sequential(
                _basic_conv(make, channels, reduce3, 1), _basic_conv(make, reduce3, c3, 3)
            ),
            "branch3": Sequential(
                _basic_conv(make, channels, reduce5, 1), _basic_conv(make, reduce5, c5, 3)
            ),
            "branch4": Sequential(
                MaxPool2d(3, 1, 1, ceil_mode=True), _basic_conv(make, channels, pooled, 1)
            ),
        }
    )


def _auxiliary(make: Layers, channels: int, num_classes: int, dropout: float) -> Sequential:
    return Sequential(
        {
            "avgpool": AdaptiveAvgPool2d(4),
            "conv": _basic_conv(make, channels, 128, 1),
            "flatten": Flatten(),
            "fc1": make.linear(2048, 1024),
            "relu": ReLU(),
            "dropout": make.dropout(dropout),
            "fc2": make.linear(1024, num_classes),
        }
    )


def _basic_conv(
    make: Layers, channels: int, filters: int, kernel_size: int, stride: int = 1
) -> Sequential:
    padding = kernel_size // 2
    return Sequential(
        {
            "conv": make.conv(channels, filters, kernel_size, stride, padding, bias=False),
            "bn": make.norm(filters, eps=0.001),
            "relu": ReLU(),
        }
    )


def _in_a_row(layers: Mapping[str, Module]) -> dict[str, tuple]:
    """Make nodes of a graph, each of which takes what the one before gives."""
    sources = ("input", *layers)
    return {
        name: (layer, source)
        for (name, layer), source in zip(layers.items(), sources, strict=False)
    }
