"""The IDX file format of MNIST: two zero bytes, a type code, a rank, the sizes, then the elements.

Everything is big-endian. A header is only a claim: memory is taken for bytes that were really
read, and never for more of them than the header claims.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np

_DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, gzip-compressed or not (its first bytes say, not its name).

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    numpy.ndarray
        A new, writable, C-contiguous array of the shape the header gives, in native byte order:
        uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    ValueError
        The file is not IDX, is truncated, holds more or less than its header claims, or is a
        corrupt gzip stream.
    OSError
        The file cannot be opened or read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pair-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 2, 20, 30]))
    ...     read_idx(path)
    array([20, 30], dtype=uint8)
    """
    path = Path(path)
    with open(path, "rb") as file:
        if file.peek(2)[:2] != _GZIP_MAGIC:
            return _read(file, path)
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
                return _read(unzipped, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"read_idx: {path}: corrupt gzip stream: {error}") from error


def _read(stream: BufferedIOBase, path: Path) -> np.ndarray:
    dtype, shape = _read_header(stream, path)
    claimed = math.prod(shape) * dtype.itemsize  # Python's integers: it cannot wrap
    content = _read_at_most(stream, claimed)
    if len(content) < claimed:
        raise ValueError(
            f"read_idx: {path}: found {len(content)} bytes of data, expected the {claimed} that "
            f"the header claims, {dtype.name} {shape}"
        )
    # Reaching the end of a gzip stream is also what verifies its checksum.
    if stream.read(1):
        raise ValueError(
            f"read_idx: {path}: found more bytes after the data, expected only the {claimed} that "
            f"the header claims, {dtype.name} {shape}"
        )
    try:
        array: np.ndarray = np.ndarray(shape, dtype, buffer=content)
    except ValueError as error:  # too many dimensions, or huge ones beside a zero
        raise ValueError(
            f"read_idx: {path}: found shape {shape}, expected one that NumPy can hold: {error}"
        ) from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: BufferedIOBase, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(
            f"read_idx: {path}: truncated header: found {len(magic)} bytes, expected at least 4"
        )
    zeros, code, rank = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0" or code not in _DTYPES:
        codes = ", ".join(f"{code:02x}" for code in _DTYPES)
        raise ValueError(
            f"read_idx: {path}: bad magic: found bytes {magic.hex(' ')}, expected 00 00, "
            f"a type code out of {codes}, and the number of dimensions"
        )
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(
            f"read_idx: {path}: truncated header: found {4 + len(sizes)} bytes, expected the "
            f"{4 + 4 * rank} of a header with {rank} dimensions"
        )
    return _DTYPES[code], tuple(np.frombuffer(sizes, ">u4").tolist())


def _read_at_most(stream: BufferedIOBase, size: int) -> bytearray:
    # In chunks, because read(size) would allocate what a lying header asks for before it looks.
    content = bytearray()
    while chunk := stream.read(min(size - len(content), _CHUNK)):
        content += chunk
    return content
