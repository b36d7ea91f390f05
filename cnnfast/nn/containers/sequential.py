"""Layers in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, overload

import numpy as np

from cnnfast.nn.backward import Backward
from cnnfast.nn.fusion import fuse_row
from cnnfast.nn.module import Module
from cnnfast.nn.recompute import forward_recomputing


class Sequential(Module):
    """Layers applied one after the other.

    Parameters
    ----------
    *layers : Module, or one mapping of names to modules
        Without names they are called "0", "1", ... Names become attributes. A layer may occur
        more than once.
    recompute : bool
        Keep only the input of ``forward``, and compute again on the way back what its layers need:
        more time for less memory, with the same gradients to the bit.

    Examples
    --------
    >>> from cnnfast.nn import Flatten, Linear
    >>> model = Sequential({"flatten": Flatten(), "fc": Linear(4, 2)})
    >>> model
    Sequential(
      (flatten): Flatten()
      (fc): Linear(4, 2)
    )
    >>> model(np.zeros((3, 1, 2, 2), np.float32)).shape
    (3, 2)
    >>> model[1] is model.fc, len(model[:1])
    (True, 1)
    """

    #: See the parameter.
    recompute: bool = False

    def __init__(self, *layers: Module | Mapping[str, Module], recompute: bool = False) -> None:
        self.recompute = recompute
        for name, layer in named_layers(layers).items():
            check_layer("Sequential", self, name, layer)
            setattr(self, name, layer)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for layer in self:
            x = layer(x)
        return x

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        if self.recompute:
            return forward_recomputing(self, partial(self._learn, x))
        y, backward = self._learn(x)
        assert backward is not None
        return y, backward

    def _learn(self, x: np.ndarray, keep: bool = True) -> tuple[np.ndarray, Backward | None]:
        layers = fuse_row(self)
        backwards = []
        for layer in layers:
            x, backward = layer.forward(x)
            if keep:
                backwards.append(backward)
        if not keep:
            return x, None

        def learns(index: int) -> bool:
            return any(p.requires_grad for p in layers[index].parameters())

        def run(grad: Any, input_grad: bool) -> np.ndarray | None:
            # Without an input gradient to find, the way back ends at the first layer that learns.
            first = 0 if input_grad else next(filter(learns, range(len(layers))), len(layers))
            for index in range(len(layers) - 1, first - 1, -1):
                # What the layer kept is let go of as soon as its part has run.
                grad = backwards.pop()(grad, input_grad or index > first)
            return grad if input_grad else None

        return x, Backward(run)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        for _, layer in self.named_children():
            yield layer

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        """Give a layer, or several (shared, not copied) under the names they have here."""
        children = list(self.named_children())
        if isinstance(index, slice):
            return Sequential(dict(children[index]))
        return children[index][1]


def named_layers(layers: tuple[Module | Mapping[str, Module], ...]) -> Mapping[str, Module]:
    """Name layers "0", "1", ... unless they come as one mapping."""
    if len(layers) == 1 and isinstance(layers[0], Mapping):
        return layers[0]
    return {str(i): layer for i, layer in enumerate(layers)}  # type: ignore[misc]


def check_layer(container: str, owner: Module, name: object, layer: object) -> None:
    """Check that `layer` can become the attribute `name` of `owner`."""
    if (
        not isinstance(name, str)
        or not name
        or any(mark in name for mark in ".:")
        or hasattr(owner, name)
    ):
        raise ValueError(f"{container}: a layer cannot be named {name!r}")
    if not isinstance(layer, Module):
        raise TypeError(f"{container}: layer {name} must be a Module, got {layer!r}")
