"""The tensors of an ONNX file as arrays.

What a tensor says of its shape, and of where its bytes are, is a claim of whoever wrote the file.
It is checked against the bytes that are there before memory is taken for an array.
"""

from __future__ import annotations

import math
import os
import stat
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

# Types with several elements to a byte.
_BITS = {
    getattr(TensorProto, name): bits
    for name, bits in (("INT4", 4), ("UINT4", 4), ("FLOAT4E2M1", 4), ("INT2", 2), ("UINT2", 2))
    if hasattr(TensorProto, name)
}


class Tensors:
    """Reads tensors, and the files beside the model that some of them lie in.

    Parameters
    ----------
    folder : Path
        Of the model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, int, int], bytes] = {}
        self._taken: defaultdict[str, int] = defaultdict(int)

    def array(self, tensor: TensorProto) -> np.ndarray:
        """Give the tensor's values; ValueError if it claims anything that is not so."""
        name = f"tensor {tensor.name!r}"
        dtype = dtype_of(tensor.data_type, name)
        shape = tuple(tensor.dims)
        if any(size < 0 for size in shape):
            raise ValueError(f"{name} claims the shape {shape}")
        count = math.prod(shape)  # Python's integers: it cannot wrap
        needed = _bytes_of(tensor.data_type, dtype, count)
        if tensor.data_location == TensorProto.EXTERNAL:
            content = self._external(tensor, name, needed)
        elif tensor.HasField("raw_data"):
            content = tensor.raw_data
        else:
            _check_field(tensor, name, count)
            return _shaped(name, numpy_helper.to_array, tensor)
        if len(content) != needed:
            raise ValueError(
                f"{name} claims {dtype} {shape}, {needed} bytes, but has {len(content)}"
            )
        if tensor.data_type in _BITS or sys.byteorder == "big":
            inline = TensorProto(dims=shape, data_type=tensor.data_type, raw_data=content)
            return _shaped(name, numpy_helper.to_array, inline)
        values = np.frombuffer(content, dtype)
        return _shaped(name, values.reshape, shape)

    def _external(self, tensor: TensorProto, name: str, needed: int) -> bytes:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
        except ValueError:
            raise ValueError(f"{name}: offset and length must be numbers, got {entries}") from None
        if offset < 0 or length != needed:
            raise ValueError(
                f"{name} claims {needed} bytes, but its external data {length} from {offset} on"
            )
        key = location, offset, length
        if key not in self._read:
            self._read[key] = self._read_file(name, location, offset, length)
        return self._read[key]

    def _read_file(self, name: str, location: str, offset: int, length: int) -> bytes:
        path = self._inside(name, location)
        # Neither to follow a link put there meanwhile, nor to wait for one who writes to a pipe.
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | flags)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise ValueError(f"{name}: {location!r} must be a plain file, and no hard link")
            if offset + length > status.st_size:
                raise ValueError(
                    f"{name} claims bytes {offset} to {offset + length} of {location!r}, which "
                    f"has {status.st_size}"
                )
            # Overlapping claims would take the same bytes many times.
            self._taken[location] += length
            if self._taken[location] > status.st_size:
                raise ValueError(
                    f"{name}: the tensors in {location!r} claim more bytes together than the "
                    f"{status.st_size} it has"
                )
            file.seek(offset)
            return file.read(length)

    def _inside(self, name: str, location: str) -> Path:
        """Check that `location` names a file in the model's folder, without links on the way."""
        parts = PurePosixPath(location).parts
        windows = PureWindowsPath(location)
        if not parts or ".." in windows.parts or windows.drive or windows.root or "\0" in location:
            raise ValueError(
                f"{name}: external data must lie in the model's folder, got {location!r}"
            )
        path = self._folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise ValueError(f"{name}: external data may not lie behind a link: {location!r}")
        return path


def dtype_of(data_type: int, name: str) -> np.dtype:
    """NumPy's type of a tensor's; ValueError for a number that is no type, or for strings."""
    try:
        dtype = helper.tensor_dtype_to_np_dtype(data_type)
    except KeyError:
        raise ValueError(f"{name} has the data type {data_type}, which is none") from None
    if dtype.kind == "O":
        raise ValueError(f"{name} holds strings, not numbers")
    return dtype


def _bytes_of(data_type: int, dtype: np.dtype, count: int) -> int:
    bits = _BITS.get(data_type)
    return count * dtype.itemsize if bits is None else (count * bits + 7) // 8


def _check_field(tensor: TensorProto, name: str, count: int) -> None:
    """Check the number of values that do not come as raw bytes."""
    field = helper.tensor_dtype_to_field(tensor.data_type)
    found = len(getattr(tensor, field))
    if tensor.data_type in _BITS:
        count = (count * _BITS[tensor.data_type] + 7) // 8
    elif tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        count *= 2
    if found != count:
        raise ValueError(
            f"{name} claims the shape {tuple(tensor.dims)}, {count} values, but has {found}"
        )


def _shaped(name: str, make: Callable[[Any], np.ndarray], argument: Any) -> np.ndarray:
    """Call what shapes an array: NumPy knows limits (2**32 x 2**32 x 0) that a product hides."""
    try:
        return make(argument)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
