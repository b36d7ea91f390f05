"""Checkpoints before torch 0.2: a tar archive of the storages, the tensors and a pickle."""

from __future__ import annotations

from typing import Any, BinaryIO

from cnnfast.io.elements import item_size
from cnnfast.io.torch_checkpoint.section import Section, read_block
from cnnfast.io.torch_checkpoint.symbols import SYMBOLS, Kind, storage, view
from cnnfast.io.torch_checkpoint.tensors import Blocks, Storage, View
from cnnfast.io.torch_checkpoint.unpickler import load as unpickle

_BLOCK = 512  # bytes, in which a tar archive counts
_DIMENSIONS = 64


def begins(beginning: bytes) -> bool:
    return beginning[257:262] == b"ustar"


def load(file: BinaryIO, size: int) -> tuple[object, Blocks]:
    """Give what the pickle says, and the blocks it refers to."""
    members = _members(file, size)
    for name in ("storages", "tensors", "pickle"):
        if name not in members:
            raise ValueError(f"the tar archive has no member {name!r}")
    storages, places = _storages(Section(file, *members["storages"]))
    tensors = _tensors(Section(file, *members["tensors"]), storages)

    def find(identifier: Any) -> object:
        number = int(identifier)
        return tensors[number] if number in tensors else storages[number]

    tree = unpickle(Section(file, *members["pickle"]), SYMBOLS, find)
    return tree, Blocks(lambda key: read_block(file, *places[key]))


def _members(file: BinaryIO, size: int) -> dict[str, tuple[int, int]]:
    """Where in a tar archive each of its files starts, and how long it is."""
    members = {}
    position = 0
    while position + _BLOCK <= size:
        file.seek(position)
        header = file.read(_BLOCK)
        if not any(header):
            break
        name = header[:100].rstrip(b"\0").decode("latin1")
        length = int(header[124:136].strip(b"\0 "), 8)
        start = position + _BLOCK
        if not 0 <= length <= size - start:
            raise ValueError(f"member {name!r} claims {length} bytes, the file has {size}")
        if header[156:157] in (b"0", b"\0"):  # a file; others tell its date and the like
            members[name] = start, length
        position = start + -(-length // _BLOCK) * _BLOCK
    return members


def _storages(section: Section) -> tuple[dict[int, Storage], dict[str, tuple[int, int]]]:
    """Give the storages by their numbers, and where in the file the block of each is."""
    storages, places = {}, {}
    for _ in range(_count(unpickle(section, {}))):
        number, location, kind = _entry(unpickle(section, SYMBOLS), 3)
        (count,) = section.unpack("<q")
        storages[number] = storage("storage", kind, str(number), location, count)
        length = count * item_size(kind.name)
        places[str(number)] = section.skip(length), length
    parts = unpickle(section, {})
    if not isinstance(parts, list):
        raise ValueError("the tar archive has no list of the parts of storages")
    for part in parts:
        number, whole, first, count = _entry(part, 4)
        found = _known(storages, whole)
        part_of = (None, first, count)
        storages[number] = storage("storage", Kind(found.kind), found.key, None, 0, part_of)
    return storages, places


def _tensors(section: Section, storages: dict[int, Storage]) -> dict[int, View]:
    tensors = {}
    for _ in range(_count(unpickle(section, {}))):
        number, its_storage, _ = _entry(unpickle(section, SYMBOLS), 3)
        rank, _ = section.unpack("<ii")
        if not 0 <= rank <= _DIMENSIONS:
            raise ValueError(f"the tar archive has a tensor of {rank} dimensions")
        sizes = section.unpack(f"<{2 * rank + 1}q")
        shape, strides, first = sizes[:rank], sizes[rank:-1], sizes[-1]
        tensors[number] = view(_known(storages, its_storage), first, shape, strides)
    return tensors


def _count(found: object) -> int:
    if type(found) is not int:
        raise ValueError(f"the tar archive has a {type(found).__name__} in the place of a count")
    return found


def _entry(found: object, length: int) -> tuple[Any, ...]:
    """Check that this is a tuple of so many, the first one a number."""
    if type(found) is not tuple or len(found) != length or type(found[0]) is not int:
        raise ValueError("the tar archive has an entry that makes no sense")
    return found


def _known(storages: dict[int, Storage], number: object) -> Storage:
    if type(number) is not int or number not in storages:
        raise ValueError("the tar archive refers to a storage that is not in it")
    return storages[number]
