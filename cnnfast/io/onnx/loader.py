"""An ONNX file to a network."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, defs

import cnnfast.io.onnx.operators  # noqa: F401  (they register themselves)
from cnnfast.io.onnx.node import Constants, OnnxNode, UnsupportedError, named
from cnnfast.io.onnx.operation import Constant, Widened, is_half
from cnnfast.io.onnx.registry import OPERATORS
from cnnfast.io.onnx.tensors import Tensors
from cnnfast.nn import Graph, Module

_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def load(path: str | os.PathLike[str]) -> Graph:
    """Do what `cnnfast.load_onnx` promises."""
    path = Path(path)
    try:
        model = parse(path)
    except ValueError as error:
        raise ValueError(f"load_onnx: {path}: {error}") from error
    return build(model, path.parent, f"load_onnx: {path}")


def parse(path: Path) -> ModelProto:
    """Read a file, but none of those that it names."""
    try:
        return ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError("not an ONNX file, or a truncated one") from error


def build(model: ModelProto, folder: Path, where: str) -> Graph:
    """Make a network of a model whose other files are in `folder`; `where` begins messages."""
    try:
        return _Builder(model, folder).graph()
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    except NotImplementedError as error:
        raise NotImplementedError(f"{where}: {error}") from error


def initialisers(path: Path) -> dict[str, np.ndarray]:
    """The constants of a file's graph, floats of half precision widened."""
    graph = parse(path).graph
    _check_text(graph)
    tensors, state = Tensors(path.parent), dict[str, np.ndarray]()
    for tensor in graph.initializer:
        if tensor.name in state:
            raise ValueError(f"two constants have the name {tensor.name!r}")
        array = tensors.array(tensor)
        state[tensor.name] = array.astype(np.float32) if is_half(array) else array.copy()
    return state


class _Builder:
    """Collects the modules of a graph and, where there is none, why."""

    def __init__(self, model: ModelProto, folder: Path) -> None:
        self.proto: GraphProto = model.graph
        if not self.proto.output:
            raise ValueError("there is no graph that gives anything; is the file truncated?")
        _check_text(self.proto)
        self.opset = _opset(model)
        self.tensors = Tensors(folder)
        self.constants = Constants(self.tensors)
        for value in (*self.proto.value_info, *self.proto.input):
            self.constants.types[value.name] = value.type.tensor_type.elem_type
        self.half = _computes_in_half(self.proto)
        self.taken = {name for node in self.proto.node for name in node.input}
        self.taken.update(output.name for output in self.proto.output)
        self.names = _Names()
        self.missing: defaultdict[str, list[str]] = defaultdict(list)
        #: Where in the network each value of the file is: an input, a node, or one of its outputs.
        self.places: dict[str, str] = {}
        self.placed: dict[str, tuple[Module, list[str | None]]] = {}

    def graph(self) -> Graph:
        self._read_constants()
        inputs = self._read_inputs()
        for number, proto in enumerate(self.proto.node):
            if proto.op_type != "Constant":
                self._read_node(proto, self._name_of(proto) or str(number))
        if self.missing:
            lines = [f"{what}: {_some(nodes)}" for what, nodes in sorted(self.missing.items())]
            raise NotImplementedError("not supported:\n  " + "\n  ".join(lines))
        nodes = {
            name: (module, *map(self._place, sources))
            for name, (module, sources) in self.placed.items()
        }
        outputs = [self._place(output.name) for output in self.proto.output]
        for name in tuple(self.places):
            if name in self.constants.arrays:
                nodes[self.places[name]] = (Constant(self.constants.arrays[name]),)
        return Graph(nodes, inputs, [output for output in outputs if output is not None])

    # ------------------------------------------------------------------ reading

    def _read_constants(self) -> None:
        """The initialisers, and the nodes that do nothing but give a value."""
        if self.proto.sparse_initializer:
            self.missing["sparse initialisers"].append(self.proto.sparse_initializer[0].values.name)
        for tensor in self.proto.initializer:
            self._define(tensor.name, self.tensors.array(tensor))
        for proto in self.proto.node:
            if proto.op_type == "Constant" and proto.domain in ("", "ai.onnx"):
                output = proto.output[0]
                try:
                    node = OnnxNode(proto, [output], self._schema(proto), self.constants)
                    self._define(output, _constant(node))
                except UnsupportedError as error:
                    self.missing[f"Constant: {error}"].append(output)
                    self.constants.arrays[output] = np.empty(0)

    def _define(self, name: str, array: np.ndarray) -> None:
        if name in self.constants.arrays:
            raise ValueError(f"two constants have the name {name!r}")
        self.constants.arrays[name] = array

    def _read_inputs(self) -> list[str]:
        inputs = []
        for value in self.proto.input:
            if value.name in self.constants.arrays:
                continue  # up to version 3 of the format initialisers are inputs too
            if value.name in self.places:
                raise ValueError(f"two inputs have the name {value.name!r}")
            if value.type.WhichOneof("value") not in ("tensor_type", None):
                self.missing["inputs that are not tensors"].append(value.name)
            self.places[value.name] = self.names.unique(value.name)
            inputs.append(self.places[value.name])
        return inputs

    def _read_node(self, proto: NodeProto, name: str) -> None:
        known = OPERATORS.get(proto.op_type) if proto.domain in ("", "ai.onnx") else None
        outputs = self._outputs(proto)
        place = self.names.unique(name)
        self._place_outputs(outputs, place)
        if known is None:
            domain = f"{proto.domain}." if proto.domain else ""
            self.missing[f"operator {domain}{proto.op_type}"].append(name)
            return
        try:
            node = OnnxNode(proto, outputs, self._schema(proto), self.constants)
            module, sources = known.handler(node)
        except UnsupportedError as error:
            self.missing[f"{proto.op_type}: {error}"].append(name)
            return
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"node {name!r} ({proto.op_type}): {error}") from error
        for attribute in node.unread():
            self.missing[f"{proto.op_type}: attribute {attribute}"].append(name)
        if known.kernels and self.half:
            module = Widened(module)
        self.placed[place] = module, list(sources)

    def _name_of(self, proto: NodeProto) -> str:
        """What a node is called: as its weights if it has any, so that the state's names fit."""
        for value in proto.input:
            if value.endswith(".weight") and value in self.constants.arrays:
                return value.removesuffix(".weight")
        return proto.name or next(iter(proto.output), "")

    def _outputs(self, proto: NodeProto) -> list[str]:
        """The outputs of a node up to the last that somebody takes; "" for those nobody does."""
        if not named(proto.output):
            raise ValueError(f"node {proto.name!r} ({proto.op_type}) gives nothing")
        taken = named(name if name in self.taken else "" for name in proto.output)
        return taken or list(proto.output[:1])

    def _place_outputs(self, outputs: list[str], place: str) -> None:
        for index, output in enumerate(outputs):
            if not output:
                continue
            if output in self.places or output in self.constants.arrays:
                raise ValueError(f"two nodes give {output!r}, or one gives what is a constant")
            self.places[output] = place if len(outputs) == 1 else f"{place}:{index}"

    def _schema(self, proto: NodeProto) -> defs.OpSchema:
        try:
            return defs.get_schema(proto.op_type, self.opset, "")
        except defs.SchemaError:
            raise UnsupportedError(f"there is none in opset {self.opset}") from None

    def _place(self, value: str | None) -> str | None:
        """Where a value is; a constant gets its node when somebody takes it."""
        if value is None:
            return None
        if value not in self.places:
            if value not in self.constants.arrays:
                raise ValueError(f"something takes {value!r}, which nothing gives")
            self.places[value] = self.names.unique(value)
        return self.places[value]


class _Names:
    """Makes attribute names of what the file calls its nodes and values."""

    def __init__(self) -> None:
        taken = {*dir(Graph), "inputs", "outputs", "_sources", "_steps"}
        self._count = dict.fromkeys(taken, 1)

    def unique(self, name: str) -> str:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
        while plain in self._count:
            self._count[plain] += 1
            plain = f"{plain}_{self._count[plain]}"
        self._count[plain] = 1
        return plain


def _check_text(graph: GraphProto) -> None:
    """Check that names are text: what is not UTF-8 the parser gives as bytes."""
    for part in (*graph.input, *graph.output, *graph.value_info, *graph.initializer, *graph.node):
        texts = [part.name]
        if isinstance(part, NodeProto):
            texts += [part.op_type, part.domain, *part.input, *part.output]
            texts += [attribute.name for attribute in part.attribute]
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(f"{text!r} cannot be a name")


def _opset(model: ModelProto) -> int:
    versions = {o.version for o in model.opset_import if o.domain in ("", "ai.onnx")} or {1}
    opset = max(versions)
    newest = defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        raise NotImplementedError(
            f"not supported:\n  opset {opset}: the installed onnx knows 1 to {newest}"
        )
    return opset


def _constant(node: OnnxNode) -> np.ndarray:
    """The value of a Constant node."""
    value = node.attribute("value")
    if value is not None:
        return value
    for name, dtype in (("float", np.float32), ("int", np.int64)):
        for key in (f"value_{name}", f"value_{name}s"):
            value = node.attribute(key)
            if value is not None:
                return np.array(value, dtype)
    raise UnsupportedError("a value that is sparse, or a string")


def _computes_in_half(graph: GraphProto) -> bool:
    """Whether there can be values of half precision."""
    values = [*graph.input, *graph.output, *graph.value_info]
    return (
        any(value.type.tensor_type.elem_type in _HALF for value in values)
        or any(tensor.data_type in _HALF for tensor in graph.initializer)
        or any(
            a.t.data_type in _HALF or (a.name in ("to", "dtype") and a.i in _HALF)
            for node in graph.node
            for a in node.attribute
        )
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
