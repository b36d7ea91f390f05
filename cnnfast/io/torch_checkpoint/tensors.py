"""Tensors as torch keeps them: a shape and strides over a stretch of a storage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfast.io.elements import decode, item_size


class Storage(NamedTuple):
    """A stretch of the elements that a block of bytes in the file has."""

    key: str  # of the block
    kind: str
    first: int
    size: int


class View(NamedTuple):
    """A tensor whose elements are not read yet; where it starts and strides count elements."""

    storage: Storage
    first: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Blocks:
    """The blocks of bytes in a file, each read and converted once, when it is first needed."""

    def __init__(
        self, read: Callable[[str], np.ndarray], byte_order: Literal["<", ">"] = "<"
    ) -> None:
        self._read = read
        self._byte_order = byte_order
        self._bytes: dict[str, np.ndarray] = {}
        self._elements: dict[tuple[str, str], np.ndarray] = {}

    def elements(self, storage: Storage) -> np.ndarray:
        """Give all elements of a storage, in one dimension."""
        key, kind = storage.key, storage.kind
        if key not in self._bytes:
            self._bytes[key] = self._read(key)
        if (key, kind) not in self._elements:
            content = self._bytes[key]
            whole = content.size - content.size % item_size(kind)
            self._elements[key, kind] = decode(content[:whole], kind, self._byte_order)
        elements = self._elements[key, kind]
        end = storage.first + storage.size
        if end > elements.size:
            raise ValueError(
                f"storage {key!r} claims {end} elements of {kind}, the file has {elements.size}"
            )
        return elements[storage.first : end]

    def array(self, view: View) -> np.ndarray:
        """Give a tensor's elements, in the memory of its storage."""
        elements = self.elements(view.storage)
        count = math.prod(view.shape)  # Python's integers: it cannot wrap
        if count == 0:
            return np.empty(view.shape, elements.dtype)
        steps = [(size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)]
        end = view.first + sum(steps) + 1
        # Each element once, or strides of 0 would make a small file huge as soon as it is copied.
        if max(end, count) > elements.size:
            raise ValueError(
                f"a tensor of shape {view.shape} and strides {view.strides}, from element "
                f"{view.first} on, does not fit into its storage of {elements.size} elements"
            )
        # Along an axis of one, torch leaves any stride.
        strides = [min(stride, elements.size) * elements.itemsize for stride in view.strides]
        return as_strided(elements[view.first :], view.shape, strides)
