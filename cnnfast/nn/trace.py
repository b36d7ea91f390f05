"""A network as one flat list of its layers, whatever containers hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from cnnfast.nn.activation import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from cnnfast.nn.containers import Graph, Sequential
from cnnfast.nn.dropout import Dropout
from cnnfast.nn.module import Module
from cnnfast.nn.node import Node, named, schedule, take
from cnnfast.nn.wrapper import unwrapped

#: Layers that make each element of their output of the same one of their input.
ELEMENTWISE = (
    ELU,
    GELU,
    SELU,
    Dropout,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)


class Trace(NamedTuple):
    """Every layer of a network in the order of running, and the values that go in and out."""

    calls: list[Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


# The value that a module gives or, if it is known to give several, all of them.
Given = str | None | tuple[str | None, ...]


def trace(model: Module) -> Trace:
    """Flatten a network: the containers in it (`Sequential`, `Graph` and its kinds) disappear.

    Any other module is one layer, whatever is inside. A call has the path of its layer, as in
    `Module.named_modules`; a layer that serves twice is called under both of its names.

    Examples
    --------
    >>> from cnnfast.nn import Linear, ReLU, Residual
    >>> model = Sequential({"fc": Linear(4, 4), "block": Residual(ReLU())})
    >>> for call in trace(model).calls:
    ...     print(call.name, call.sources)
    fc ('input',)
    block.body ('fc',)
    block.add ('block.body', 'fc')
    """
    model = unwrapped(model)
    inputs = model.inputs if isinstance(model, Graph) else ("input",)
    calls: list[Node] = []
    given = _follow(model, "", inputs, calls)
    outputs = given if isinstance(given, tuple) else (given,)
    return Trace(calls, inputs, tuple(value or "" for value in outputs))


def replay(
    traced: Trace, inputs: Sequence[np.ndarray]
) -> Iterator[tuple[Node, list[Any], dict[str, Any]]]:
    """Run a network for inference; yield each call with what it took and, by name, what it gave.

    A value is let go of as soon as no call needs it, if the caller does so too.
    """
    values: dict[str, Any] = dict(zip(traced.inputs, inputs, strict=True))
    for call, done_with in schedule(traced.calls, traced.outputs):
        taken = take(values, call, done_with)
        given = named(call, call.module(*taken))
        values |= given
        yield call, taken, given


def _follow(module: Module, path: str, sources: Sequence[str | None], calls: list[Node]) -> Given:
    """Append the calls of `module` on `sources`; return what it gives."""
    kind = type(module)
    if isinstance(module, Sequential) and kind.__call__ is Sequential.__call__:
        given: Given = sources[0]
        for name, layer in module.named_children():
            # Only the last layer can give several values: none takes a tuple.
            given = _follow(layer, _join(path, name), (cast(str, given),), calls)
        return given
    if isinstance(module, Graph) and kind.__call__ is Graph.__call__:
        known: dict[str, Given] = dict(zip(module.inputs, sources, strict=True))
        for node in module.nodes():
            taken = [_find(known, source) for source in node.sources]
            known[node.name] = _follow(node.module, _join(path, node.name), taken, calls)
        found = tuple(_find(known, output) for output in module.outputs)
        return found if len(found) > 1 else found[0]
    calls.append(Node(path, module, tuple(sources)))
    return path


def _find(known: dict[str, Given], source: str | None) -> str | None:
    """The outer name of what a graph calls `source`."""
    if source is None:
        return None
    name, several, index = source.partition(":")
    given = known[name]
    if isinstance(given, tuple):
        return given[int(index)]
    return f"{given}{several}{index}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
