"""Containers in containers, as checkpoints have them, into one dict of names to arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnnfast.io.torch_checkpoint.symbols import Variable, as_view
from cnnfast.io.torch_checkpoint.tensors import Blocks, Storage, View

_DEPTH = 100  # containers in containers
# A pickle can refer to one container from many places. What that unfolds to is held against the
# file: so many bytes for a name beside its characters, at most so many times the file's.
_NAME = 100
_RATIO = 100


def flatten(tree: object, blocks: Blocks, size: int) -> dict[str, np.ndarray]:
    """Give every array and number of `tree`, out of a file of `size` bytes, a name.

    It is the keys of dicts and the indices of lists on the way to it, joined by dots.
    """
    if type(tree) not in (dict, list, tuple):
        raise ValueError("the pickle holds no dict or list, from which tensors could get names")
    state: dict[str, np.ndarray] = {}
    cost = 0
    for name, leaf in _entries("", tree, 0):
        cost += _NAME + len(name)
        if cost > _RATIO * size:
            raise ValueError(f"the pickle unfolds to more than a file of {size} bytes can justify")
        array = _array(leaf, blocks)
        if array is None:
            continue
        if name in state:
            raise ValueError(f"two entries are called {name!r} once containers are made flat")
        state[name] = array
    return state


def _entries(prefix: str, node: Any, depth: int) -> Iterator[tuple[str, object]]:
    """Go through a container and all in it, the containers as well as what they hold."""
    if depth > _DEPTH:
        raise ValueError(f"the pickle has containers in containers, more than {_DEPTH} deep")
    for key, value in node.items() if type(node) is dict else enumerate(node):
        name = f"{prefix}{key}"
        yield name, value
        if type(value) in (dict, list, tuple):
            yield from _entries(f"{name}.", value, depth + 1)


def _array(leaf: object, blocks: Blocks) -> np.ndarray | None:
    """Give what has a place in an array; None is for containers, text, types and the like."""
    if isinstance(leaf, View | Variable):
        return blocks.array(as_view(leaf))
    if isinstance(leaf, Storage):
        return blocks.elements(leaf)
    if isinstance(leaf, bool | float | complex | np.generic):
        return np.array(leaf)
    if isinstance(leaf, int):
        for dtype in (np.int64, np.uint64):
            if np.iinfo(dtype).min <= leaf <= np.iinfo(dtype).max:
                return np.array(leaf, dtype)
        raise ValueError(f"the pickle has an integer of {leaf.bit_length()} bits")
    return None
