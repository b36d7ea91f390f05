"""A network as an ONNX file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from onnx import ModelProto, ValueInfoProto, helper

# These modules fill the table of writers.
import cnnfast.io.onnx.export.activation
import cnnfast.io.onnx.export.conv
import cnnfast.io.onnx.export.linear
import cnnfast.io.onnx.export.norm
import cnnfast.io.onnx.export.pool
import cnnfast.io.onnx.export.resize  # noqa: F401
from cnnfast._version import version
from cnnfast.io.atomic import replacing
from cnnfast.io.onnx.export.nodes import Layer, Nodes, Value, Writer, writer_of
from cnnfast.nn import Module
from cnnfast.nn.node import Node
from cnnfast.nn.trace import Trace, trace

Shape = Sequence[int | None]

# The first with Gelu; ONNX Runtime reads it since 1.17, of January 2024.
OPSET = 20
IR_VERSION = 9
LARGEST = 2**31 - 1  # bytes that a protobuf message may have


def export(
    model: Module, path: str | os.PathLike[str], input_shape: Shape | Sequence[Shape]
) -> None:
    """Do what `cnnfast.export_onnx` promises."""
    shapes = _checked_shapes(input_shape)
    traced = trace(model)
    if len(shapes) != len(traced.inputs):
        raise ValueError(
            f"export_onnx: input_shape must be {len(traced.inputs)} shapes, for "
            f"{', '.join(traced.inputs)}, got {input_shape!r}"
        )
    _refuse_unknown(traced.calls)
    size = sum(parameter.data.nbytes for parameter in model.parameters())
    if size > LARGEST:
        raise ValueError(
            f"export_onnx: the parameters take {size:,} bytes, and an ONNX file holds at most "
            f"{LARGEST:,}"
        )
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    written = _model_proto(model, traced, shapes, dtype)
    with replacing(Path(path)) as file:
        file.write(written.SerializeToString())


def _checked_shapes(input_shape: Any) -> list[tuple[int | None, ...]]:
    try:
        several = all(isinstance(shape, (tuple, list)) for shape in input_shape)
        shapes = [tuple(shape) for shape in (input_shape if several else [input_shape])]
    except TypeError:
        shapes = []
    if not shapes or not all(_is_shape(shape) for shape in shapes):
        raise ValueError(
            "export_onnx: input_shape must be a batch (or None), channels and so on, all at "
            f"least 1, got {input_shape!r}"
        )
    return shapes


def _is_shape(shape: tuple) -> bool:
    batch, *others = shape or (0,)
    return all(isinstance(n, int) and n > 0 for n in ([] if batch is None else [batch]) + others)


def _refuse_unknown(calls: list[Node]) -> None:
    unknown: dict[str, list[str]] = {}
    for call in calls:
        if writer_of(call.module) is None:
            unknown.setdefault(type(call.module).__name__, []).append(call.name or "the model")
    if unknown:
        raise NotImplementedError(
            "export_onnx: nothing is known about how to write "
            + ", ".join(f"{kind} ({', '.join(names)})" for kind, names in unknown.items())
        )


def _model_proto(
    model: Module, traced: Trace, shapes: list[tuple[int | None, ...]], dtype: np.dtype
) -> ModelProto:
    proto = ModelProto(ir_version=IR_VERSION, producer_name="cnnfast", producer_version=version)
    proto.opset_import.add(version=OPSET)
    graph, dynamic = proto.graph, any(shape[0] is None for shape in shapes)
    graph.name = type(model).__name__
    # Two, because a batch of one has no variance, which some normalisations want.
    zeros = [np.zeros([2 if n is None else n for n in shape], dtype) for shape in shapes]
    inputs, outputs = _write(Nodes(graph, model), traced, zeros)
    graph.input.extend(_info(value, dynamic) for value in inputs)
    graph.output.extend(_info(value, dynamic) for value in outputs)
    return proto


def _info(value: Value, dynamic: bool) -> ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    batch = ["N"] if dynamic else value.shape[:1]
    return helper.make_tensor_value_info(value.name, kind, [*batch, *value.shape[1:]])


def _write(nodes: Nodes, traced: Trace, zeros: list[np.ndarray]) -> tuple[list[Value], list[Value]]:
    """Write every call, and give the values that go in and out."""
    numbers = range(len(traced.outputs)) if len(traced.outputs) > 1 else [""]
    names = [nodes.unique(f"output{number}") for number in numbers]
    run = _Run(nodes, traced, zeros, dict(zip(traced.outputs, names, strict=True)))
    for call in traced.calls:
        run.write(call)
    outputs = []
    for output, name in zip(traced.outputs, names, strict=True):
        if output not in run.values:
            raise NotImplementedError(
                f"export_onnx: {output or 'the model'} gives several values; only a Graph can say "
                "which of them are outputs"
            )
        value = run.values[output]
        if value.name != name:  # an input as it is, or one value under several names
            nodes.add("Identity", [value.name], [name])
        outputs.append(value._replace(name=name))
    return [run.values[name] for name in traced.inputs], outputs


class _Run:
    """A network's run, call by call, to see what its values are like while it is written.

    Attributes
    ----------
    values : dict
        By the names that they have in the network.
    """

    def __init__(
        self, nodes: Nodes, traced: Trace, zeros: list[np.ndarray], wanted: dict[str, str]
    ) -> None:
        self.values: dict[str | None, Value] = {}
        self._arrays: dict[str | None, Any] = {}
        self._nodes, self._wanted = nodes, wanted
        self._uses = Counter(source for call in traced.calls for source in call.sources)
        for name, x in zip(traced.inputs, zeros, strict=True):
            self._keep(name, nodes.unique(name), x)

    def write(self, call: Node) -> None:
        name, module, sources = call
        layer = Layer(self._nodes, name, module)
        written = cast(Writer, writer_of(module))(layer, *[self.values[s] for s in sources])
        y = module(*[self._arrays[s] for s in sources])
        if isinstance(written, str):
            wanted = self._wanted.get(name) or self._nodes.unique(name)
            self._keep(name, layer.rename(written, wanted), y)
        else:
            for i, part in enumerate(y):
                self._keep(f"{name}:{i}", written[i], part)
        self._uses.subtract(sources)
        for source in set(sources):
            if not self._uses[source]:
                del self._arrays[source]

    def _keep(self, value: str, name: str, array: np.ndarray) -> None:
        self.values[value] = Value(name, array.shape, array.dtype)
        if self._uses[value]:
            self._arrays[value] = array
