"""Files that are read from front to back, by what they themselves say comes next."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np


class Section:
    """A part of a file. No method takes more memory than that part has bytes left.

    It reads on where the file is, so only one section of a file can be in use at a time.
    """

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._left = size
        file.seek(start)

    def read(self, size: int) -> bytes:
        content = self._file.read(min(size, self._left))
        self._left -= len(content)
        return content

    def readline(self) -> bytes:
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line

    def unpack(self, form: str) -> tuple[Any, ...]:
        """Read numbers, in the notation of `struct`."""
        content = self.read(struct.calcsize(form))
        if len(content) < struct.calcsize(form):
            raise ValueError("truncated")
        return struct.unpack(form, content)

    def skip(self, size: int) -> int:
        """Pass over so many bytes, and give where in the file they start."""
        if not 0 <= size <= self._left:
            raise ValueError(f"a storage claims {size} bytes, the file has {self._left} more")
        start = self._file.tell()
        self._file.seek(size, 1)
        self._left -= size
        return start


def read_block(file: BinaryIO, start: int, size: int) -> np.ndarray:
    """Read bytes that are known to be in the file."""
    content = np.empty(size, np.uint8)
    file.seek(start)
    if file.readinto(content) < size:  # type: ignore[attr-defined]
        raise ValueError("truncated while it was read")
    return content
