"""Single numbers of NumPy's, which training loops like to leave in their checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np

_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_ORDERS = ("<", ">", "=", "|")


class NumberType:
    """What stands for `numpy.dtype`: made of a code first, told its byte order then."""

    order = "="

    def __init__(self, code: Any, _align: Any = 0, _copy: Any = 0) -> None:
        if code not in _CODES:
            raise ValueError("the pickle has an array of NumPy, or a scalar that is no number")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def scalar(kind: Any, content: Any) -> np.generic:
    """Do what ``numpy.core.multiarray.scalar`` does, with bytes or with text in their place."""
    if (
        type(kind) is not NumberType
        or kind.order not in _ORDERS
        or type(content) not in (bytes, str)
        or len(content) != np.dtype(kind.code).itemsize
    ):
        raise ValueError("the pickle has a scalar of NumPy that makes no sense")
    if type(content) is str:
        content = content.encode("latin1")
    return np.frombuffer(content, kind.order + kind.code)[0]
