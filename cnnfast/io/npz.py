"""Weights in NumPy's ``.npz`` format: a zip archive with one ``.npy`` member for each array.

Whatever a zip directory or a ``.npy`` header says is a claim of whoever wrote the file. All of it
is checked, against the size of the file in the end, before memory is taken for an array.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from cnnfast.functional._memory import empty
from cnnfast.io.archive import DAMAGED, checked_members, fill
from cnnfast.io.atomic import replacing
from cnnfast.io.elements import NUMBERS, widened

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NPY_HEADER = 10_000  # bytes, more than a header of numbers ever has


def write(state: Mapping[str, np.ndarray], path: Path) -> None:
    """Do what `cnnfast.save_weights` promises."""
    members = [(_member(name), array) for name, array in state.items()]
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for member, array in members:
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read(path: Path) -> dict[str, np.ndarray]:
    """Do what `cnnfast.load_weights` promises."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGED as error:
            raise ValueError(f"not a zip archive, or a truncated one: {error}") from error
        with archive:
            members = checked_members(archive, size, _METHODS)
            for member in members:
                if not member.filename.endswith(".npy"):
                    raise ValueError(
                        f"member {member.filename!r}: not an .npy file, all members must be"
                    )
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in members
            }


def _member(name: str) -> zipfile.ZipInfo:
    # Without the time of day in it, the same weights give the same file.
    member = zipfile.ZipInfo(f"{name}.npy")
    if member.filename != f"{name}.npy":  # cut at a NUL, say
        raise ValueError(f"save_weights: {name!r} cannot be a name in a zip archive")
    return member


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    try:
        with archive.open(member) as stream:
            shape, fortran_order, dtype, header = _read_header(stream)
            claimed = math.prod(shape) * dtype.itemsize  # Python's integers: it cannot wrap
            holds = member.file_size - header
            if claimed != holds:
                raise ValueError(
                    f"the header claims {dtype} {shape}, {claimed} bytes of data, "
                    f"but {holds} follow it"
                )
            content = empty(shape[::-1] if fortran_order else shape, dtype)
            fill(content, stream)
            array = content.T if fortran_order else content
    except DAMAGED as error:
        raise ValueError(f"member {member.filename!r}: {error}") from error
    return widened(array.astype(dtype.newbyteorder("="), copy=False))


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Give shape, memory order, dtype, and the bytes that all this took."""
    magic = stream.read(8)
    readers: dict[bytes, tuple[int, Callable]] = {
        b"\x93NUMPY\x01\x00": (2, np.lib.format.read_array_header_1_0),
        b"\x93NUMPY\x02\x00": (4, np.lib.format.read_array_header_2_0),
    }
    if magic not in readers:
        raise ValueError(f"starts with {magic!r}, not as an .npy file of version 1 or 2")
    width, read = readers[magic]
    prefix = stream.read(width)
    length = int.from_bytes(prefix, "little")
    if length > _NPY_HEADER:
        raise ValueError(f"the header claims {length} bytes, at most {_NPY_HEADER} are read")
    text = stream.read(length)
    try:
        shape, fortran_order, dtype = read(io.BytesIO(prefix + text))
    except Exception as error:  # a parser of hostile text: RecursionError, TokenError, ...
        raise ValueError(f"the header cannot be read: {error}") from error
    if dtype.kind not in NUMBERS:
        raise ValueError(f"dtype {dtype}, must be numbers")
    if any(dimension < 0 for dimension in shape):
        raise ValueError(f"the header claims a shape of {shape}")
    return shape, fortran_order, dtype, len(magic) + width + length
