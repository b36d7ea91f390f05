"""One node of an ONNX graph, as the operators' handlers see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, defs, helper

from cnnfast.io.onnx.tensors import Tensors
from cnnfast.nn import Parameter

_INTEGERS = tuple(
    getattr(TensorProto, name)
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
)


class UnsupportedError(Exception):
    """A node needs what there is not; the loader collects these."""


class Constants:
    """The values that the file gives, and the parameters made of them.

    Parameters
    ----------
    tensors : Tensors
    """

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.arrays: dict[str, np.ndarray] = {}
        #: What the file says of the types of other values.
        self.types: dict[str, int] = {}
        self._parameters: dict[tuple[str, str], Parameter] = {}

    def define(self, wish: str, array: np.ndarray) -> str:
        """Add a value under a name like `wish` that no other has."""
        while wish in self.arrays:
            wish += "'"
        self.arrays[wish] = array
        return wish

    def parameter(
        self, name: str, change: str, make: Callable[[np.ndarray], np.ndarray]
    ) -> Parameter:
        """Give the parameter for a value, changed by `make`: one for all who ask for `change`."""
        key = name, change
        if key not in self._parameters:
            array = self.arrays[name]
            if array.dtype.itemsize == 2:
                array = array.astype(np.float32)
            self._parameters[key] = Parameter(make(array))
        return self._parameters[key]


class OnnxNode:
    """A node: what it takes and gives, and its attributes as Python's values.

    Attributes
    ----------
    type : str
        The operator.
    version : int
        Of the operator: the opset in which its definition last changed, up to the model's.
    inputs : list of str or None
        Names of the values it takes; None where an optional one is left out. Those at the end that
        are left out are not there.
    outputs : int
        How many it must give: up to the last that somebody takes. With 1 its module gives an
        array, else a tuple.
    """

    def __init__(
        self, proto: NodeProto, outputs: list[str], schema: defs.OpSchema, constants: Constants
    ) -> None:
        self.type = proto.op_type
        self.version = schema.since_version
        self.inputs: list[str | None] = [name or None for name in named(proto.input)]
        self.outputs = len(outputs)
        self._name = outputs[0]
        self._schema, self._constants = schema, constants
        self._attributes = {a.name: a for a in proto.attribute}
        self._read: set[str] = set()
        if len(self._attributes) < len(proto.attribute):
            raise ValueError("an attribute occurs twice")
        if not schema.min_input <= len(self.inputs) <= schema.max_input:
            raise ValueError(
                f"takes {schema.min_input} to {schema.max_input} inputs, got {len(self.inputs)}"
            )
        if self.outputs > schema.max_output:
            raise ValueError(f"gives {schema.max_output} outputs, asked for {self.outputs}")
        for name, formal in zip(self.inputs, schema.inputs, strict=False):
            if name is None and formal.option != defs.OpSchema.FormalParameterOption.Optional:
                raise ValueError(f"input {formal.name} is missing")

    def attribute(self, name: str, default: Any = None) -> Any:
        """Give an attribute: numbers, strings, lists of them, or an array.

        If the file does not set it, what the standard says, or else `default`.
        """
        self._read.add(name)
        known = self._schema.attributes.get(name)
        if name in self._attributes:
            proto = self._attributes[name]
            if known is not None and proto.type != known.type.value:  # type: ignore[attr-defined]
                raise ValueError(f"attribute {name} has the wrong type")
        elif known is not None and known.default_value.type:
            proto = known.default_value
        elif known is not None and known.required:
            raise ValueError(f"attribute {name} is missing")
        else:
            return default
        value = helper.get_attribute_value(proto)
        if proto.type == AttributeProto.TENSOR:
            return self._constants.tensors.array(value)
        if proto.type == AttributeProto.STRING:
            return value.decode("utf-8", "replace")
        if proto.type in (AttributeProto.INTS, AttributeProto.FLOATS):
            return list(value)
        if proto.type == AttributeProto.FLOAT:
            return float(str(np.float32(value)))  # 1e-05, not the 9.999999747378752e-06 it is
        if proto.type == AttributeProto.INT:
            return value
        raise UnsupportedError(f"attribute {name} of type {proto.type}")

    def ignore(self, *names: str) -> None:
        """Pass over attributes that make no difference."""
        self._read.update(names)

    def unread(self) -> list[str]:
        """The attributes that the file sets and nobody has asked for."""
        return [name for name in self._attributes if name not in self._read]

    def has(self, index: int) -> bool:
        """Whether the input with this number is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int) -> np.ndarray | None:
        """Give an input's value if the file does; None if it is left out, or computed."""
        return self._constants.arrays.get(self.inputs[index] or "") if self.has(index) else None

    def is_integer(self, index: int) -> bool:
        """Whether the file says of an input that it holds integers.

        It says that of the network's inputs; of what is in between only as far as it likes.
        """
        data_type = self._constants.types.get(self.inputs[index] or "")
        return data_type in _INTEGERS

    def parameter(
        self,
        index: int,
        change: str = "",
        make: Callable[[np.ndarray], np.ndarray] = lambda array: array,
    ) -> Parameter:
        """Make a parameter of a constant input, or give the one that another node has made of it.

        If the layer wants something else than the constant itself, `make` makes it, and `change`
        names what it does.
        """
        return self._constants.parameter(self.inputs[index] or "", change, make)

    def define(self, what: str, array: Any, dtype: Any = None) -> str:
        """Turn an array that was no input into one: give the name of the value."""
        return self._constants.define(f"{self._name}_{what}", np.asarray(array, dtype))

    def unsupported(self, what: str) -> UnsupportedError:
        """Give the exception to raise for what there is not."""
        return UnsupportedError(what)


def named(names: Iterable[str]) -> list[str]:
    """Names up to the last that is not empty."""
    names = list(names)
    while names and not names[-1]:
        names.pop()
    return names
