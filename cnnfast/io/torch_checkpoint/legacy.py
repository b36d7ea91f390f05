"""Checkpoints before torch 1.6: pickles one behind the other, then the storages."""

from __future__ import annotations

from typing import Any, BinaryIO

from cnnfast.io.elements import item_size
from cnnfast.io.torch_checkpoint.section import Section, read_block
from cnnfast.io.torch_checkpoint.symbols import SYMBOLS, storage
from cnnfast.io.torch_checkpoint.tensors import Blocks, Storage
from cnnfast.io.torch_checkpoint.unpickler import load as unpickle

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001


def begins(beginning: bytes) -> bool:
    return beginning.startswith(b"\x80")  # a pickle; its number is looked at on loading


def load(file: BinaryIO, size: int) -> tuple[object, Blocks]:
    """Give what the main pickle says, and the blocks it refers to."""
    section = Section(file, 0, size)
    if unpickle(section, {}) != _MAGIC:
        raise ValueError("a pickle, but no checkpoint of torch")
    if unpickle(section, {}) != _VERSION:
        raise ValueError(f"a checkpoint of another version than {_VERSION}")
    unpickle(section, {})  # about the machine; numbers are little-endian whatever it was
    kinds: dict[str, str] = {}

    def find(identifier: Any) -> Storage:
        found = storage(*identifier)
        kinds.setdefault(found.key, found.kind)
        return found

    tree = unpickle(section, SYMBOLS, find)
    keys = unpickle(section, {})
    if not isinstance(keys, list) or any(type(key) is not str or key not in kinds for key in keys):
        raise ValueError("the file has storages that its pickle does not refer to")
    places = {}
    for key in keys:
        (count,) = section.unpack("<q")
        length = count * item_size(kinds[key])
        places[key] = section.skip(length), length
    if len(places) < len(kinds):
        raise ValueError("the pickle refers to a storage that is not in the file")
    return tree, Blocks(lambda key: read_block(file, *places[key]))
