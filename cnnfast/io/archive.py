"""Zip archives from elsewhere: what a directory says is held against the size of the file.

Only then is memory taken for what a member claims to hold.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from typing import IO

import numpy as np

# What zipfile and zlib raise for bytes that make no sense to them.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)
_LOCAL_HEADER = 30  # bytes in front of a member's name and data
_CHUNK = 1 << 17
# Deflate shrinks real weights by a tenth and zeros a thousandfold. A file that unpacks to more
# than both of these was made to fill memory.
_RATIO = 100
_SMALL = 64 << 20
_METHOD_NAMES = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


def checked_members(
    archive: zipfile.ZipFile, size: int, methods: Collection[int]
) -> list[zipfile.ZipInfo]:
    """Give the members of an archive in a file of `size` bytes, or raise a ValueError.

    Each has a name of its own, is compressed by one of the `methods`, and lies inside the file
    behind the one before: overlapping members would let the same bytes be unpacked many times.
    """
    members = archive.infolist()
    seen: set[str] = set()
    for member in members:
        name = f"member {member.filename!r}"
        if member.filename in seen:
            raise ValueError(f"{name}: the archive holds it twice")
        seen.add(member.filename)
        if member.flag_bits & 1:
            raise ValueError(f"{name}: encrypted")
        if member.compress_type not in methods:
            raise ValueError(
                f"{name}: compression method {member.compress_type}, must be "
                + " or ".join(_METHOD_NAMES[method] for method in methods)
            )
        stored = member.compress_type == zipfile.ZIP_STORED
        if stored and member.file_size != member.compress_size:
            raise ValueError(
                f"{name}: claims {member.file_size} bytes, holds {member.compress_size}"
            )
    end, before = 0, "the start of the file"
    for member in sorted(members, key=lambda member: member.header_offset):
        name = f"member {member.filename!r}"
        if member.header_offset < end:
            raise ValueError(f"{name}: overlaps {before}")
        end = member.header_offset + _LOCAL_HEADER + member.compress_size
        before = name
        if end > size:
            raise ValueError(f"{name}: claims bytes up to {end}, the file has {size}")
    claimed = sum(member.file_size for member in members)
    if claimed > max(_RATIO * size, _SMALL):
        raise ValueError(
            f"claims to unpack to {claimed} bytes, more than {_RATIO} times its {size}"
        )
    return members


def fill(array: np.ndarray, stream: IO[bytes]) -> None:
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
