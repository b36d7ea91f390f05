"""Weights in NumPy's ``.npz`` format: a zip archive with one ``.npy`` member for each array.

Whatever a zip directory or a ``.npy`` header says is a claim of whoever wrote the file. All of it
is checked, against the size of the file in the end, before memory is taken for an array.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from cnnfast.io.atomic import replacing

_KINDS = "biufc"  # bool, integers, floats, complex: numbers, which is what weights are
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = 30  # bytes in front of a member's name and data
_NPY_HEADER = 10_000  # bytes, more than a header of numbers ever has
_CHUNK = 1 << 20
# Deflate shrinks real weights by a tenth and zeros a thousandfold. A file that unpacks to more
# than both of these was made to fill memory.
_RATIO = 100
_SMALL = 64 << 20
# What zipfile, zlib and NumPy raise for bytes that make no sense to them.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)


def write(state: Mapping[str, np.ndarray], path: Path) -> None:
    """Do what `cnnfast.save_weights` promises."""
    members = [(_member(name, state[name]), state[name]) for name in state]
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for member, array in members:
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read(path: Path) -> dict[str, np.ndarray]:
    """Do what `cnnfast.load_weights` promises."""
    where = f"load_weights: {path}"
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise ValueError(f"{where}: not a zip archive, or a truncated one: {error}") from error
        with archive:
            members = archive.infolist()
            _check_directory(where, members, size)
            return {
                member.filename.removesuffix(".npy"): _read_member(where, archive, member)
                for member in members
            }


def _member(name: str, array: np.ndarray) -> zipfile.ZipInfo:
    """Check one entry of a state, and give the zip member for it."""
    if not isinstance(name, str):
        raise TypeError(f"save_weights: names must be strings, got {name!r}")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS:
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"save_weights: {name} must be an array of numbers, got {found}")
    # Without the time of day in it, the same weights give the same file.
    member = zipfile.ZipInfo(f"{name}.npy")
    if member.filename != f"{name}.npy":  # cut at a NUL, say
        raise ValueError(f"save_weights: {name!r} cannot be a name in a zip archive")
    return member


def _check_directory(where: str, members: list[zipfile.ZipInfo], size: int) -> None:
    """Hold what the zip directory claims against the `size` of the file."""
    seen: set[str] = set()
    for member in members:
        name = f"{where}: member {member.filename!r}"
        if member.filename in seen:
            raise ValueError(f"{name}: the archive holds it twice")
        seen.add(member.filename)
        if not member.filename.endswith(".npy"):
            raise ValueError(f"{name}: not an .npy file, all members must be")
        if member.flag_bits & 1:
            raise ValueError(f"{name}: encrypted")
        if member.compress_type not in _METHODS:
            raise ValueError(
                f"{name}: compression method {member.compress_type}, must be stored or deflated"
            )
        stored = member.compress_type == zipfile.ZIP_STORED
        if stored and member.file_size != member.compress_size:
            raise ValueError(
                f"{name}: claims {member.file_size} bytes, holds {member.compress_size}"
            )
    # One behind the other they must lie, inside the file: overlapping members would let the same
    # bytes be unpacked many times.
    end, before = 0, "the start of the file"
    for member in sorted(members, key=lambda member: member.header_offset):
        name = f"{where}: member {member.filename!r}"
        if member.header_offset < end:
            raise ValueError(f"{name}: overlaps {before}")
        end = member.header_offset + _LOCAL_HEADER + member.compress_size
        before = f"member {member.filename!r}"
        if end > size:
            raise ValueError(f"{name}: claims bytes up to {end}, the file has {size}")
    claimed = sum(member.file_size for member in members)
    if claimed > max(_RATIO * size, _SMALL):
        raise ValueError(
            f"{where}: claims to unpack to {claimed} bytes, more than {_RATIO} times its {size}"
        )


def _read_member(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    where = f"{where}: member {member.filename!r}"
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
            array: np.ndarray = np.empty(shape, dtype, order="F" if fortran_order else "C")
            _fill(array.T if fortran_order else array, stream)
    except _DAMAGED as error:
        raise ValueError(f"{where}: {error}") from error
    return array.astype(dtype.newbyteorder("="), copy=False)


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
    if dtype.kind not in _KINDS:
        raise ValueError(f"dtype {dtype}, must be numbers")
    if any(dimension < 0 for dimension in shape):
        raise ValueError(f"the header claims a shape of {shape}")
    return shape, fortran_order, dtype, len(magic) + width + length


def _fill(array: np.ndarray, stream: IO[bytes]) -> None:
    """Read the whole of a C-contiguous array, and up to the end, where the checksum is."""
    content = array.reshape(-1).view(np.uint8)
    done = 0
    while done < content.size:
        chunk = stream.read(min(content.size - done, _CHUNK))
        if not chunk:
            raise ValueError(f"truncated: {done} of {content.size} bytes of data are there")
        content[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    if stream.read(1):
        raise ValueError(f"more than the {content.size} bytes of data it claims")
