"""Array elements out of bytes, as formats other than NumPy's store them."""

from __future__ import annotations

from typing import Literal

import numpy as np

#: The kinds of dtype that weights are of: bool, integers, floats, complex.
NUMBERS = "biufc"


def item_size(kind: str) -> int:
    """Give the bytes of an element; `kind` is a name of NumPy's, or ``"bfloat16"``."""
    return 2 if kind == "bfloat16" else np.dtype(kind).itemsize


def decode(content: np.ndarray, kind: str, byte_order: Literal["<", ">"] = "<") -> np.ndarray:
    """Take bytes as elements of this `kind`, in native byte order.

    float16 and bfloat16 become float32, in which every value of theirs is exact. Other numbers
    stay in the memory of `content`, if they can.
    """
    if kind == "bool":
        return content != 0  # any byte may be in the file, a bool of NumPy is 0 or 1
    if kind == "bfloat16":
        upper = content.view(f"{byte_order}u2").astype(np.uint32)
        upper <<= 16
        return upper.view(np.float32)
    numbers = content.view(np.dtype(kind).newbyteorder(byte_order))
    return widened(numbers.astype(kind, copy=False))


def widened(array: np.ndarray) -> np.ndarray:
    """Give float16 as float32, anything else as it is."""
    if array.dtype != np.float16:
        return array
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return array.astype(np.float32)
