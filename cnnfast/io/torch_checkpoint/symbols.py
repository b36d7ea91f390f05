"""All names that a checkpoint's pickle may ask for, and what is in their place here.

Nothing here copies what it is given: a pickle can refer to one large list from many places.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cnnfast.io.elements import item_size
from cnnfast.io.torch_checkpoint.scalar import NumberType, scalar
from cnnfast.io.torch_checkpoint.tensors import Storage, View
from cnnfast.io.torch_checkpoint.unpickler import Symbols, as_dict

_DIMENSIONS = 64  # as many as NumPy has


class Kind(NamedTuple):
    """What stands for a type of element: ``torch.float32``, or ``torch.FloatStorage``."""

    name: str


class Variable:
    """What a pickle of torch before 0.4 has for a parameter or a tensor, and fills in later."""

    view: View | None = None

    def __init__(self, data: object = None, requires_grad: bool = True) -> None:
        if data is not None:
            self.view = as_view(data)

    def __setstate__(self, state: Any) -> None:
        if len(state) == 4:
            self.view = view(*state)
        elif len(state) == 5:
            self.view = as_view(state[0])
        # Otherwise it is about learning alone.


def as_view(data: object) -> View:
    if isinstance(data, Variable):
        data = data.view
    if not isinstance(data, View):
        raise ValueError(f"the pickle has a {type(data).__name__} in the place of a tensor")
    return data


# ---------------------------------------------------------------------------- what is checked


def storage(tag: Any, kind: Any, key: Any, _location: Any, count: Any, part: Any = None) -> Storage:
    """Give the storage for a persistent id of torch's."""
    if tag != "storage" or type(kind) is not Kind or type(key) is not str:
        raise ValueError("the pickle refers to something that is no storage")
    _, first, count = (None, 0, count) if part is None else part
    if not _are_sizes(first, count):
        raise ValueError("the pickle has a storage that makes no sense")
    return Storage(key, kind.name, first, count)


def view(
    its_storage: Any,
    first: Any,
    shape: Any,
    strides: Any,
    _grad: Any = 0,
    _hooks: Any = 0,
    flags: Any = 0,
) -> View:
    """Give a tensor, with what can be checked without the file."""
    if (
        type(its_storage) is not Storage
        or not len(shape) == len(strides) <= _DIMENSIONS
        or not _are_sizes(first, *shape, *strides)
    ):
        raise ValueError("the pickle has a tensor that makes no sense")
    if flags:
        raise ValueError("the pickle has a tensor that is conjugate or negative only by a flag")
    return View(its_storage, first, tuple(shape), tuple(strides))


def _are_sizes(*sizes: Any) -> bool:
    return all(type(size) is int and 0 <= size < 2**63 for size in sizes)


# ---------------------------------------------------------------------------- what is called


def _ordered_dict(pairs: Any = None) -> dict[Any, Any]:
    if pairs is None:
        return {}
    entries = as_dict(pairs)  # as Python 2 pickles them
    list.clear(pairs)  # a second dict out of the same list would be a copy
    return entries


def _untyped_view(
    untyped: Any,
    first: Any,
    shape: Any,
    strides: Any,
    _grad: Any,
    _hooks: Any,
    kind: Any,
    flags: Any = 0,
) -> View:
    if type(untyped) is not Storage or type(kind) is not Kind:
        raise ValueError("the pickle has a tensor that makes no sense")
    size = untyped.size // item_size(kind.name)
    return view(untyped._replace(kind=kind.name, size=size), first, shape, strides, flags=flags)


def _parameter(data: Any, _grad: Any, _hooks: Any, _attributes: Any = None) -> View:
    return as_view(data)


def _with_attributes(function: Any, _type: Any, arguments: Any, _attributes: Any) -> View:
    return as_view(function(*arguments))


def _device(_name: Any, _index: Any = 0) -> None:
    return None


def _same(items: Any = ()) -> Any:
    return items


def _as_text(text: Any, _encoding: Any) -> Any:
    """Bytes, in the way of protocol 2."""
    return text


_KINDS = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}
_MODULES = ("torch", "torch.cuda")

SYMBOLS: Symbols = {
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _same,
    "builtins.set": _same,
    "__builtin__.set": _same,
    "_codecs.encode": _as_text,
    "numpy.dtype": NumberType,
    "numpy.core.multiarray.scalar": scalar,
    "numpy._core.multiarray.scalar": scalar,
    "torch.Size": _same,
    "torch.device": _device,
    "torch.Tensor": Variable,
    "torch.nn.parameter.Parameter": Variable,
    "torch._utils._rebuild_tensor": view,
    "torch._utils._rebuild_tensor_v2": view,
    "torch._utils._rebuild_tensor_v3": _untyped_view,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.storage.UntypedStorage": Kind("uint8"),
    **{f"torch.{kind}": Kind(kind) for kind in (*_KINDS.values(), "uint16", "uint32", "uint64")},
    **{f"{m}.{name}Storage": Kind(kind) for m in _MODULES for name, kind in _KINDS.items()},
    **{f"{m}.{name}Tensor": Variable for m in _MODULES for name in _KINDS},
}
