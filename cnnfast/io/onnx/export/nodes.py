"""What the writers of layers write with: nodes, initialisers, and names for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import GraphProto, helper

from cnnfast.nn import Module, Parameter


class Value(NamedTuple):
    """What a node gives: its name in the file, and what it is like at the exported size."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> Any:
        """Extents of an image."""
        return self.shape[2:]


class Nodes:
    """The nodes and initialisers of a graph, written layer by layer.

    Parameters
    ----------
    graph : onnx.GraphProto
        Where they go. Written in place: large arrays are not copied from message to message.
    model : Module
        Its parameters and buffers give initialisers of the names that they have in `state_dict`,
        if a node takes them.
    """

    def __init__(self, graph: GraphProto, model: Module) -> None:
        self.graph = graph
        self._states: dict[tuple[str, tuple[int, ...]], str] = {}
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._parameters = {id(p): name for name, p in model.named_parameters()}
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """Give the name, or if something has it already, one like it."""
        free, count = name, 0
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free

    def state(self, owner: Module, attribute: str, shape: tuple[int, ...] | None) -> str:
        """Give the initialiser for a parameter or a buffer, reshaped if there is a `shape`."""
        value = getattr(owner, attribute)
        if isinstance(value, Parameter):
            name, array = self._parameters[id(value)], value.data
        else:
            path = self._paths[id(owner)]
            name, array = f"{path}.{attribute}" if path else attribute, value
        array = array if shape is None else array.reshape(shape)
        key = name, array.shape
        if key not in self._states:
            # What several layers share may have to come in several shapes, under several names.
            self._states[key] = self.add_initializer(self.unique(name), array)
        return self._states[key]

    def add_initializer(self, name: str, array: np.ndarray) -> str:
        tensor = self.graph.initializer.add(
            name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype)
        )
        tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        return name

    def add(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Append a node, named as its first output is."""
        self.graph.node.append(helper.make_node(op, inputs, outputs, outputs[0], **attributes))


class Layer:
    """One call of a layer, for its writer to write.

    Attributes
    ----------
    path : str
    module : Module
    """

    module: Any  # a writer knows which

    def __init__(self, nodes: Nodes, path: str, module: Module) -> None:
        self._nodes, self.path, self.module = nodes, path, module
        self._first = len(nodes.graph.node)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Write a node, and give the name of its output."""
        return self.outputs(1, op, *inputs, **attributes)[0]

    def outputs(self, count: int, op: str, *inputs: str, **attributes: Any) -> list[str]:
        """Write a node of several outputs, and give their names."""
        outputs = [self._inside(op) for _ in range(count)]
        self._nodes.add(op, inputs, outputs, **attributes)
        return outputs

    def rename(self, result: str, name: str) -> str:
        """Give the layer's last node, if its output is the `result`, the name of the layer."""
        own = self._nodes.graph.node[self._first :]
        if not own or own[-1].output[0] != result:
            return result
        own[-1].name = own[-1].output[0] = name
        return name

    def state(self, attribute: str, shape: tuple[int, ...] | None = None) -> str:
        """Give the initialiser for a parameter or a buffer, reshaped if there is a `shape`."""
        return self._nodes.state(self.module, attribute, shape)

    def states(self, *attributes: str) -> list[str]:
        """Give the initialisers for those that the layer has."""
        return [self.state(name) for name in attributes if getattr(self.module, name) is not None]

    def constant(self, name: str, values: Any, dtype: Any = np.int64) -> str:
        """Write an initialiser that is no parameter."""
        return self._nodes.add_initializer(self._inside(name), np.array(values, dtype))

    def _inside(self, name: str) -> str:
        return self._nodes.unique(f"{self.path}/{name}" if self.path else name)


# Takes the layer and the values it is called on, and gives the name of what it makes of them, or
# all names if the layer makes several values.
Writer = Callable[..., str | list[str]]
_WRITERS: dict[type[Module], Writer] = {}


def writes(*kinds: type[Module]) -> Callable[[Writer], Writer]:
    """Make a function the writer of these layers."""

    def register(writer: Writer) -> Writer:
        _WRITERS.update(dict.fromkeys(kinds, writer))
        return writer

    return register


def writer_of(module: Module) -> Writer | None:
    """Find the writer of a layer; one that computes something of its own has none."""
    kind = type(module)
    for base in kind.__mro__:
        if base in _WRITERS:
            return _WRITERS[base] if kind.__call__ is base.__call__ else None
    return None
