"""What the course's functions take."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike


def settings(function: str, name: str, param: Mapping[str, int], *keys: str) -> list[int]:
    """Take `keys` from a conv_param or pool_param."""
    if not isinstance(param, Mapping) or any(key not in param for key in keys):
        raise ValueError(f"{function}: {name} must be a dict with {', '.join(keys)}, got {param!r}")
    return [param[key] for key in keys]


def promoted(function: str, **arrays: ArrayLike) -> list[np.ndarray]:
    """Convert arrays to their common type, as NumPy's arithmetic would, but always to a float."""
    found = {name: np.asanyarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(
                f"{function}: {name} must hold real numbers of at most 64 bits, got {array.dtype}"
            )
    common = np.result_type(*(array.dtype for array in found.values()))
    if common.kind != "f":
        common = np.dtype(np.float64)
    common = np.promote_types(common, np.float32)
    return [array.astype(common, copy=False) for array in found.values()]
