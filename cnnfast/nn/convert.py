"""Fully connected heads as convolutions, so that a network slides over larger images."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfast.nn.activation import PReLU
from cnnfast.nn.containers import Sequential
from cnnfast.nn.conv import Conv2d
from cnnfast.nn.linear import Flatten, Linear
from cnnfast.nn.module import Module
from cnnfast.nn.node import Node
from cnnfast.nn.norm import BatchNorm1d, BatchNorm2d
from cnnfast.nn.parameter import Parameter
from cnnfast.nn.pool import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    MaxPool2d,
)
from cnnfast.nn.softmax import LogSoftmax, Softmax
from cnnfast.nn.trace import ELEMENTWISE, replay, trace

# Pools whose windows grow with the image, and those whose windows do not.
_FIXED_POOLS: dict[type[Module], type[AvgPool2d | MaxPool2d]] = {
    AdaptiveAvgPool2d: AvgPool2d,
    AdaptiveMaxPool2d: MaxPool2d,
    GlobalAvgPool2d: AvgPool2d,
    GlobalMaxPool2d: MaxPool2d,
}


def convert_linear_to_conv(model: Module, input_shape: Sequence[int]) -> Module:
    """Turn a network's fully connected head into convolutions, and so let it take larger images.

    It gives scores (N, classes, OH, OW): one position where the image has `input_shape`, and on a
    larger one a map of what the network says at every step of its stride, computed at once. So a
    VGG network for images of 224x224, whose maps shrink 32 times, gives 6x6 positions on 384x384.

    Parameters
    ----------
    model : Module
        `Sequential`, `Graph`, or these in each other. It stays as it is.
    input_shape : sequence of int
        (C, H, W) of the images that the head is made for.

    Returns
    -------
    Module
        A copy of the model with other layers under the same names: the first `Linear` after a
        `Flatten` becomes a convolution whose filter is as large as the map there, the others
        convolutions of 1x1, all with the weights they had; `BatchNorm1d` becomes `BatchNorm2d`, and
        `Softmax` goes along the channels. A pool before the `Flatten` that adapts to its input
        (`AdaptiveAvgPool2d`, `GlobalAvgPool2d`, ...) keeps the window that it has for
        `input_shape`, and slides at stride 1 if it gives one position. What then does nothing
        (`Flatten`, an adaptive pool that pools nothing) is an empty `Sequential`.

    Raises
    ------
    ValueError
        There is no `Flatten` of images, a `Linear` takes something else, or the head has a layer
        of which no convolution can be made; the message names it.

    Notes
    -----
    Without padding every position is exactly what `model` says about the crop of the image under
    it. With padding (VGG) it is what the head says about its part of the map: a crop is surrounded
    by zeros, and a part of the map by what is beside it in the image.

    Only what ``model(x)`` runs is converted, so not GoogLeNet's auxiliary classifiers.

    Examples
    --------
    >>> from cnnfast.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
    >>> model = Sequential(Conv2d(3, 4, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(36, 10))
    >>> sliding = convert_linear_to_conv(model, (3, 8, 8))
    >>> sliding[-1]
    Conv2d(4, 10, kernel_size=(3, 3), stride=(1, 1))
    >>> sliding(np.zeros((1, 3, 8, 8), np.float32)).shape
    (1, 10, 1, 1)
    >>> sliding(np.zeros((1, 3, 12, 16), np.float32)).shape
    (1, 10, 3, 5)
    """
    traced = trace(model)
    if len(traced.inputs) != 1:
        raise ValueError(
            f"convert_linear_to_conv: the model must take one input, it takes {len(traced.inputs)}"
        )
    dtype = next((p.dtype for p in model.parameters()), np.float32)
    head = _Head()
    for call, taken, given in replay(traced, [np.zeros((1, *input_shape), dtype)]):
        if taken and call.name in given:  # takes something, gives one value
            head.see(call, np.shape(taken[0])[1:], np.shape(given[call.name])[1:])
    if not head.maps:
        raise ValueError("convert_linear_to_conv: the model has no Flatten of images")
    return copy.deepcopy(model, _replacements(traced.calls, head.instead))


class _Pooled(NamedTuple):
    """A pool that adapts to its input, and what it does for `input_shape`."""

    call: Node
    before: tuple[int, ...]
    after: tuple[int, ...]


class _Head:
    """Follows the values of a network, and notes which layers need others in their place.

    Attributes
    ----------
    maps : dict of str to tuple
        Values that are features now and will be images, and the shapes (C, H, W) of these.
    pooled : dict of str to _Pooled
        Values that come from a pool that adapts to its input, with nothing but elementwise layers
        between.
    instead : dict of str to Module
        By the names of calls, what replaces their layers.
    """

    def __init__(self) -> None:
        self.maps: dict[str | None, tuple[int, ...]] = {}
        self.pooled: dict[str | None, _Pooled] = {}
        self.instead: dict[str, Module] = {}

    def see(self, call: Node, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """Take notice of a call, and of the shapes of what it takes first and gives."""
        layer, source = call.module, call.sources[0]
        if isinstance(layer, Flatten) and (source in self.maps or len(before) == 3):
            self.instead[call.name] = Sequential()
            self.maps[call.name] = self.maps.get(source, before)
            if source in self.pooled:
                pooled = self.pooled[source]
                self.instead[pooled.call.name] = _fixed_pool(pooled)
        elif any(value in self.maps for value in call.sources):
            new = _on_images(call, self.maps.get(source, ()))
            if new is not layer:
                self.instead[call.name] = new
            reduced = (*after, 1, 1)
            self.maps[call.name] = reduced if isinstance(layer, Linear) else self.maps[source]
        elif isinstance(layer, Linear):
            raise _error(call, "which takes something else than flattened images")
        elif isinstance(layer, tuple(_FIXED_POOLS)):
            self.pooled[call.name] = _Pooled(call, before, after)
        elif isinstance(layer, ELEMENTWISE) and source in self.pooled:
            self.pooled[call.name] = self.pooled[source]


def _on_images(call: Node, shape: tuple[int, ...]) -> Module:
    """Give what does to images that start with `shape` what the layer does to their features."""
    layer = call.module
    if isinstance(layer, Linear):
        return _convolution(layer, shape)
    one_position = shape[1:] == (1, 1)
    if isinstance(layer, ELEMENTWISE) and (
        one_position or not isinstance(layer, PReLU) or layer.num_parameters == 1
    ):
        return layer
    if isinstance(layer, (Softmax, LogSoftmax)) and one_position and layer.dim in (-1, 1):
        return type(layer)(dim=1)
    if isinstance(layer, BatchNorm1d) and one_position:
        norm = BatchNorm2d(layer.num_features)
        vars(norm).update(vars(copy.deepcopy(layer)))
        return norm
    raise _error(call, "of which no layer for images can be made")


def _convolution(layer: Linear, shape: tuple[int, ...]) -> Conv2d:
    channels, rows, columns = shape
    weight = layer.weight.data.reshape(layer.out_features, *shape)
    # Made small at first: it would draw as many random weights only to drop them.
    conv = Conv2d(1, 1, (rows, columns), dtype=weight.dtype)
    conv.in_channels, conv.out_channels = channels, layer.out_features
    conv.weight = Parameter(weight, layer.weight.requires_grad)
    conv.bias = copy.deepcopy(layer.bias)
    conv.training = layer.training
    return conv


def _fixed_pool(pooled: _Pooled) -> Module:
    """Give the pool with the windows that an adaptive one has now."""
    size, out = pooled.before[1:], pooled.after[1:]
    if any(n % o for n, o in zip(size, out, strict=True)):
        raise _error(pooled.call, f"whose windows on a map of {size} differ in size or overlap")
    window = (size[0] // out[0], size[1] // out[1])
    if window == (1, 1):
        return Sequential()
    stride = tuple(1 if o == 1 else w for o, w in zip(out, window, strict=True))
    return _FIXED_POOLS[type(pooled.call.module)](window, (stride[0], stride[1]))


def _replacements(calls: Sequence[Node], instead: dict[str, Module]) -> dict[int, Module]:
    """Give the new layers by the identity of the old ones, as `copy.deepcopy` takes them."""
    wanted: dict[int, Module] = {}
    for call in calls:
        new = instead.get(call.name, call.module)
        if repr(wanted.setdefault(id(call.module), new)) != repr(new):
            raise _error(call, "which serves elsewhere too and cannot become two different layers")
    return {id(call.module): wanted[id(call.module)] for call in calls if call.name in instead}


def _error(call: Node, reason: str) -> ValueError:
    name = call.name or "the model"
    return ValueError(f"convert_linear_to_conv: {name} is {call.module!r}, {reason}")
