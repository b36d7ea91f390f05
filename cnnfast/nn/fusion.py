"""Neighbouring layers that learn as one: fewer passes over memory, the same results.

`Sequential` and `Graph` look for them whenever they run forward, so networks need not be written in
another way, and their layers may be replaced at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cnnfast.nn.activation import ReLU
from cnnfast.nn.backward import Backward
from cnnfast.nn.conv import Conv2d
from cnnfast.nn.join import Add
from cnnfast.nn.module import Module
from cnnfast.nn.norm import BatchNorm2d


class Fused(Module):
    """A layer with an addition, a ReLU or both after it: what goes forward is one operation.

    Takes what the layer takes and, if it adds, what is to be added.
    """

    def __init__(self, layer: Conv2d | BatchNorm2d, adds: bool = False) -> None:
        self.layer = layer
        self.adds = adds
        self.rectifies = False

    def forward(self, *xs: Any) -> tuple[Any, Backward]:
        return self.layer.forward_fused(*xs, relu=self.rectifies)


def fused(first: Module, second: Module) -> Fused | None:
    """`first`, whose output `second` takes, and that as one, if there is such a thing."""
    if type(first) is Fused and not first.rectifies and type(second) is ReLU:
        both = Fused(first.layer, first.adds)
        both.rectifies = True
        return both
    learns_moments = type(first) is BatchNorm2d and first.training
    if learns_moments and type(second) is Add:
        return Fused(first, adds=True)  # type: ignore[arg-type]
    if (learns_moments or type(first) is Conv2d) and type(second) is ReLU:
        both = Fused(first)  # type: ignore[arg-type]
        both.rectifies = True
        return both
    return None


def fuse_row(layers: Iterable[Module]) -> list[Module]:
    """Fuse what can be in a row of layers."""
    row: list[Module] = []
    for layer in layers:
        both = fused(row[-1], layer) if row else None
        if both is not None:
            row[-1] = both
        else:
            row.append(layer)
    return row


class Node(NamedTuple):
    """One module of a `Graph`, and the values it takes."""

    name: str
    module: Module
    sources: tuple[str | None, ...]


def fuse_nodes(nodes: Iterable[Node], outputs: Sequence[str]) -> list[Node]:
    """Fuse what can be in a graph whose nodes come in an order in which they may run."""
    nodes = tuple(nodes)
    taken = [source for node in nodes for source in node.sources] + list(outputs)
    fused_nodes: dict[str, Node] = {}
    for node in nodes:
        # The last source first: of the sides of an addition it is the one just computed.
        for at in range(len(node.sources) - 1, -1, -1):
            source = node.sources[at]
            before = fused_nodes.get(source) if source is not None else None
            both = fused(before.module, node.module) if before is not None else None
            if before is not None and both is not None and taken.count(source) == 1:
                others = node.sources[:at] + node.sources[at + 1 :]
                del fused_nodes[before.name]
                node = Node(node.name, both, before.sources + others)
                break
        fused_nodes[node.name] = node
    return list(fused_nodes.values())
