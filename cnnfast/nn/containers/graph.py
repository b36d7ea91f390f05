"""Networks of any shape without cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from cnnfast.functional.combine import add
from cnnfast.nn.backward import Backward
from cnnfast.nn.containers.sequential import check_layer
from cnnfast.nn.fusion import fuse_nodes
from cnnfast.nn.module import Module
from cnnfast.nn.node import Node, named, schedule, take
from cnnfast.nn.recompute import forward_recomputing


class Graph(Module):
    """Modules that take each other's outputs, in any way that has no cycle.

    Parameters
    ----------
    nodes : mapping of str to (Module, str, ...)
        For each name a module and the values it takes, in order: names of inputs or of other
        nodes, ``"name:1"`` for the second output of a node that has several (gives a tuple), None
        for an optional argument left out. The order of the nodes does not matter. Names become
        attributes, and a module may serve several nodes.
    inputs : sequence of str
        Names of what the graph itself takes.
    outputs : sequence of str, optional
        The values it gives, the last node's by default; if there are several, as a tuple.
    recompute : bool
        Keep only the inputs of ``forward``, as in `Sequential`.

    Raises
    ------
    ValueError
        A name that cannot be one, that nothing gives, or a cycle (which one, it says).
    TypeError
        A node that is no such tuple.

    Notes
    -----
    ``forward`` runs the nodes in topological order, ``backward`` in the reverse; where several
    nodes take a value its gradients are summed. Every value is let go of as soon as no node needs
    it. Backward passes are run only where a parameter, or the input, wants a gradient.

    Examples
    --------
    >>> from cnnfast.nn import Add, ReLU
    >>> graph = Graph({"relu": (ReLU(), "input"), "sum": (Add(), "relu", "input")})
    >>> y, backward = graph.forward(np.array([-1.0, 2.0]))
    >>> y.tolist(), backward(np.ones(2)).tolist()
    ([-1.0, 4.0], [1.0, 2.0])
    """

    def __init__(
        self,
        nodes: Mapping[str, tuple],
        inputs: Sequence[str] = ("input",),
        outputs: Sequence[str] | None = None,
        *,
        recompute: bool = False,
    ) -> None:
        self.recompute = recompute
        self.inputs = tuple(inputs)
        self._sources: dict[str, tuple[str | None, ...]] = {}
        for name, node in nodes.items():
            if not isinstance(node, tuple) or not node:
                raise TypeError(
                    f"Graph: node {name} must be a tuple of a module and the names of what it "
                    f"takes, got {node!r}"
                )
            module, *sources = node
            if name in self.inputs:
                raise ValueError(f"Graph: {name!r} names both an input and a node")
            check_layer("Graph", self, name, module)
            setattr(self, name, module)
            self._sources[name] = tuple(sources)
        if outputs is None:
            outputs = tuple(self._sources)[-1:] or self.inputs
        self.outputs = tuple(outputs)
        self._order = self.plan(self.outputs)

    def nodes(self, order: Sequence[str] | None = None) -> list[Node]:
        """Give the nodes that the outputs need, in the order in which they run."""
        order = self._order if order is None else order
        return [Node(name, getattr(self, name), self._sources[name]) for name in order]

    def plan(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """Order the nodes that `outputs` need."""
        try:
            return tuple(TopologicalSorter(self._needed(outputs)).static_order())
        except CycleError as error:
            raise ValueError(f"Graph: there is a cycle: {' -> '.join(error.args[1])}") from None

    def _needed(self, outputs: Sequence[str]) -> dict[str, list[str]]:
        """The nodes that `outputs` depend on, each with those that it takes something from."""
        needed: dict[str, list[str]] = {}
        pending = [("output", output) for output in outputs]
        while pending:
            taker, value = pending.pop()
            name = _node_of(value)
            if name in self.inputs or name in needed:
                continue
            if name not in self._sources:
                raise ValueError(f"Graph: {taker} takes {value!r}, which nothing gives")
            values = [v for v in self._sources[name] if v is not None]
            needed[name] = [_node_of(v) for v in values if _node_of(v) not in self.inputs]
            pending += [(name, v) for v in values]
        # In the order given, so that a graph that is sorted already stays as it is.
        return {name: needed[name] for name in self._sources if name in needed}

    # ------------------------------------------------------------------ running

    def __call__(self, *inputs: np.ndarray) -> Any:
        values = self._bound(inputs)
        for node, done_with in schedule(self.nodes(), self.outputs):
            arguments = take(values, node, done_with)
            values |= named(node, node.module(*arguments))
        return _one_or_all(values[output] for output in self.outputs)

    def forward(self, *inputs: np.ndarray) -> tuple[Any, Backward]:
        return self.learn(inputs, self.outputs, self._order)

    def learn(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[str], order: Sequence[str]
    ) -> tuple[Any, Backward]:
        """Run nodes in an `order` for `outputs`, and give what takes the gradients back."""
        learn = partial(self._learn, inputs, outputs, order)
        if self.recompute:
            return forward_recomputing(self, learn)
        y, backward = learn()
        assert backward is not None
        return y, backward

    def _learn(
        self,
        inputs: Sequence[np.ndarray],
        outputs: Sequence[str],
        order: Sequence[str],
        keep: bool = True,
    ) -> tuple[Any, Backward | None]:
        nodes = fuse_nodes(self.nodes(order), outputs)
        values = self._bound(inputs)
        backwards = []
        for node, done_with in schedule(nodes, outputs):
            arguments = take(values, node, done_with)
            result, backward = node.module.forward(*arguments)
            if keep:
                backwards.append((backward, len(result) if isinstance(result, tuple) else None))
            values |= named(node, result)
            del arguments, result, backward
        y = _one_or_all(values[output] for output in outputs)
        if not keep:
            return y, None

        def run(grad: Any, input_grad: bool) -> Any:
            wanted = _wanted(nodes, self.inputs if input_grad else ())
            sums = _Sums()
            for output, gradient in zip(
                outputs, grad if len(outputs) > 1 else (grad,), strict=True
            ):
                sums.add(output, gradient)
            for name, _, sources in reversed(nodes):
                backward, count = backwards.pop()
                gradient = sums.take(name, count)
                if gradient is None or name not in wanted:
                    continue
                needs = [s is not None and _node_of(s) in wanted for s in sources]
                gradients: Any = backward(gradient, any(needs))
                if len(sources) == 1:
                    gradients = (gradients,)
                if any(needs):
                    for source, need, part in zip(sources, needs, gradients, strict=True):
                        if need and source is not None:
                            sums.add(source, part)
                del gradient, gradients
            return (
                _one_or_all(sums.take(name, None) for name in self.inputs) if input_grad else None
            )

        return y, Backward(run)

    def _bound(self, inputs: Sequence[np.ndarray]) -> dict[str, Any]:
        if len(inputs) != len(self.inputs):
            raise TypeError(
                f"{type(self).__name__}: takes {len(self.inputs)} inputs "
                f"({', '.join(self.inputs)}), got {len(inputs)}"
            )
        return dict(zip(self.inputs, inputs, strict=True))


class _Sums:
    """Gradients of values, summed as they come."""

    def __init__(self) -> None:
        self._of: dict[str, np.ndarray] = {}

    def add(self, value: str, gradient: np.ndarray | None) -> None:
        # Never in place: what a layer gave back may be in use elsewhere.
        if gradient is not None:
            there = self._of.get(value)
            self._of[value] = gradient if there is None else add(there, gradient)

    def take(self, name: str, count: int | None) -> Any:
        """Of a node's output or, if it has several, of all of them; None if none has come."""
        if count is None:
            return self._of.pop(name, None)
        gradients = tuple(self._of.pop(f"{name}:{i}", None) for i in range(count))
        return None if all(g is None for g in gradients) else gradients


def _wanted(nodes: Sequence[Node], inputs: Sequence[str]) -> set[str]:
    """The inputs and nodes whose outputs' gradients somebody wants."""
    wanted = set(inputs)
    for name, module, sources in nodes:
        if any(s is not None and _node_of(s) in wanted for s in sources) or any(
            p.requires_grad for p in module.parameters()
        ):
            wanted.add(name)
    return wanted


def _node_of(value: str) -> str:
    return value.partition(":")[0]


def _one_or_all(values: Iterable[Any]) -> Any:
    several = tuple(values)
    return several[0] if len(several) == 1 else several
