"""Neighbouring layers that learn as one: fewer passes over memory, the same results.

`Sequential` and `Graph` look for them whenever they run forward, so networks need not be written in
another way, and their layers may be replaced at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnnfast.nn.activation import ReLU, ReLU6
from cnnfast.nn.backward import Backward
from cnnfast.nn.conv import Conv2d
from cnnfast.nn.join import Add
from cnnfast.nn.module import Module
from cnnfast.nn.node import Node
from cnnfast.nn.norm import BatchNorm2d

#: Where activations that begin at 0 end.
CEILINGS: dict[type[Module], float] = {ReLU: math.inf, ReLU6: 6.0}

#: Gives two modules as one, the second of which takes the first's output and these other values;
#: None if there is no such thing.
Rule = Callable[[Module, Module, tuple[str | None, ...]], Module | None]


class Fused(Module):
    """A layer with an addition, a ReLU or both after it: what goes forward is one operation.

    Takes what the layer takes and, if it adds, what is to be added.
    """

    def __init__(self, layer: Conv2d | BatchNorm2d, ceiling: float = 0, adds: bool = False) -> None:
        self.layer = layer
        self.ceiling = ceiling  #: Of the ReLU; 0 without one.
        self.adds = adds

    def forward(self, *xs: Any) -> tuple[Any, Backward]:
        return self.layer.forward_fused(*xs, ceiling=self.ceiling)


def fused(first: Module, second: Module, others: tuple[str | None, ...] = ()) -> Module | None:
    """`first`, whose output `second` takes, and that as one: a `Rule`."""
    if type(first) is Fused and first.adds and not first.ceiling and type(second) is ReLU:
        return Fused(first.layer, CEILINGS[ReLU], adds=True)
    if type(first) is BatchNorm2d and first.training and type(second) is Add:
        return Fused(first, adds=True)
    if type(first) is BatchNorm2d and first.training and type(second) in CEILINGS:
        return Fused(first, CEILINGS[type(second)])
    if type(first) is Conv2d and type(second) is ReLU:
        return Fused(first, CEILINGS[ReLU])
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


def fuse_nodes(nodes: Iterable[Node], outputs: Sequence[str], rule: Rule = fused) -> list[Node]:
    """Fuse what can be in a graph whose nodes come in an order in which they may run.

    Two nodes as one have the place and the name of the second, and take what both took.
    """
    nodes = tuple(nodes)
    taken = [source for node in nodes for source in node.sources] + list(outputs)
    done: dict[str, Node] = {}
    for node in nodes:
        # The last source first: of the sides of an addition it is the one just computed.
        for at in range(len(node.sources) - 1, -1, -1):
            source = node.sources[at]
            before = done.get(source) if source is not None else None
            if before is None or taken.count(source) > 1:
                continue
            others = node.sources[:at] + node.sources[at + 1 :]
            both = rule(before.module, node.module, others)
            if both is not None:
                del done[before.name]
                node = Node(node.name, both, before.sources + others)
                break
        done[node.name] = node
    return list(done.values())
