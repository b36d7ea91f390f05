"""Checkpoints since torch 1.6: a zip archive of one pickle and one member for each storage."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO, Literal

import numpy as np

from cnnfast.io.archive import DAMAGED, checked_members, fill
from cnnfast.io.torch_checkpoint.symbols import SYMBOLS, storage
from cnnfast.io.torch_checkpoint.tensors import Blocks
from cnnfast.io.torch_checkpoint.unpickler import load as unpickle

_BYTE_ORDERS: dict[bytes, Literal["<", ">"]] = {b"little": "<", b"big": ">"}


def begins(beginning: bytes) -> bool:
    return beginning.startswith(b"PK\3\4")


def load(file: BinaryIO, size: int) -> tuple[object, Blocks]:
    """Give what the pickle says, and the blocks it refers to."""
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGED as error:
        raise ValueError(f"a truncated or damaged zip archive: {error}") from error
    if any(name.endswith("/constants.pkl") for name in archive.namelist()):
        raise ValueError("a TorchScript archive, which holds a program; save model.state_dict()")
    records = _Records(archive, size)
    order = records.read("byteorder").tobytes() if "byteorder" in records else b"little"
    if order not in _BYTE_ORDERS:
        raise ValueError(f"byte order {order[:20]!r}, must be little or big")
    pickle = io.BytesIO(records.read("data.pkl").tobytes())
    tree = unpickle(pickle, SYMBOLS, lambda identifier: storage(*identifier))
    return tree, Blocks(lambda key: records.read(f"data/{key}"), _BYTE_ORDERS[order])


class _Records:
    """The members of an archive, by their names in the folder that all of them are in."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self.archive = archive
        # torch compresses nothing, so that no member is larger than the file.
        members = checked_members(archive, size, (zipfile.ZIP_STORED,))
        folder = members[0].filename.partition("/")[0] + "/" if members else ""
        self.members = {
            member.filename.removeprefix(folder): member
            for member in members
            if member.filename.startswith(folder)
        }

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read(self, name: str) -> np.ndarray:
        if name not in self:
            raise ValueError(f"the archive has no record {name!r}")
        member = self.members[name]
        if getattr(member, "CRC", None) == 0:
            del member.CRC  # torch can be told to leave it out; zipfile then checks none
        content = np.empty(member.file_size, np.uint8)
        try:
            with self.archive.open(member) as stream:
                fill(content, stream)
        except DAMAGED as error:
            raise ValueError(f"record {name!r}: {error}") from error
        return content
