"""Weights in ``.safetensors``: a JSON header of names, types, shapes and offsets, then the data.

The library of that name (an optional extra) checks headers against the file and writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from cnnfast.io.atomic import replacing
from cnnfast.io.elements import decode

_KINDS = {
    "BOOL": "bool",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
_METADATA = "__metadata__"  # the header's own entry


def write(state: Mapping[str, np.ndarray], path: Path) -> None:
    """Do what `cnnfast.save_weights` promises."""
    content = _library("save_weights").numpy.save(
        {_writable_name(name): _plain(name, array) for name, array in state.items()}
    )
    with replacing(path) as file:
        file.write(content)


def read(path: Path) -> dict[str, np.ndarray]:
    """Do what `cnnfast.load_weights` promises."""
    library = _library("load_weights")
    content = path.read_bytes()
    try:
        entries = library.deserialize(content)
    except library.SafetensorError as error:
        raise ValueError(str(error)) from error
    _refuse_repeated_names(content)
    return {name: _array(name, **entry) for name, entry in entries}


def _library(function: str) -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"{function}: a .safetensors file needs safetensors: "
            'python -m pip install "cnnfast[safetensors]"'
        ) from error
    return safetensors


def _writable_name(name: str) -> str:
    if name == _METADATA:
        raise ValueError(f"save_weights: {name!r} cannot be a name in a .safetensors file")
    return name


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """Give C order: the library writes the memory as it lies."""
    plain = np.asarray(array, order="C")
    if plain.dtype.name not in _KINDS.values():
        raise TypeError(f"save_weights: {name}: a .safetensors file cannot hold {plain.dtype}")
    return plain


def _refuse_repeated_names(content: bytes) -> None:
    """Raise if the header has a key twice, of which the library would take the last."""
    end = 8 + int.from_bytes(content[:8], "little")
    json.loads(content[8:end], object_pairs_hook=_unrepeated)


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries: dict[str, object] = {}
    for name, value in pairs:
        if name in entries:
            raise ValueError(f"the header has {name!r} twice")
        entries[name] = value
    return entries


def _array(name: str, dtype: str, shape: list[int], data: bytearray) -> np.ndarray:
    if dtype not in _KINDS:
        raise ValueError(f"{name!r} has elements of type {dtype}, which NumPy has not")
    try:
        return decode(np.frombuffer(data, np.uint8), _KINDS[dtype]).reshape(shape)
    except ValueError as error:  # more dimensions than NumPy has, or huge ones beside a zero
        raise ValueError(f"{name!r}: {error}") from error
