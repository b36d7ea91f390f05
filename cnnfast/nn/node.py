"""A layer in a network, and what everything that runs networks layer by layer shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnfast.nn.module import Module


class Node(NamedTuple):
    """One layer of a network, and the values it takes: inputs, or what other nodes give.

    A value has the name of the node that gives it; the second of several is called "name:1". None
    stands for an optional argument left out.
    """

    name: str
    module: Module
    sources: tuple[str | None, ...]


def schedule(nodes: Sequence[Node], outputs: Sequence[str]) -> list[tuple[Node, tuple[str, ...]]]:
    """Say for each node which values nothing needs after it."""
    steps: list[tuple[Node, tuple[str, ...]]] = []
    seen = set(outputs)
    for node in reversed(nodes):
        last_used = tuple({s: None for s in node.sources if s is not None and s not in seen})
        seen.update(last_used)
        steps.append((node, last_used))
    return steps[::-1]


def take(values: dict[str, Any], node: Node, done_with: Sequence[str]) -> list[Any]:
    """What a node takes; nobody else holds then what it is the last to need."""
    taken = [None if source is None else values[source] for source in node.sources]
    for value in done_with:
        values.pop(value, None)
    return taken


def named(node: Node, result: Any) -> dict[str, Any]:
    """What a node gives, by the names of the values."""
    if isinstance(result, tuple):
        return {f"{node.name}:{i}": part for i, part in enumerate(result)}
    return {node.name: result}
