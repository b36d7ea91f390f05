"""The one place where arrays handed to a function are checked; kernels trust what they get."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Sequence

import numpy as np

FLOATS = FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

AXES = {
    1: "(features,)",
    2: "(N, features)",
    3: "(N, C, L)",
    4: "(N, C, H, W)",
    5: "(N, C, D, H, W)",
    6: "(OH, OW, K, C, R, S)",
}


def float_array(function: str, name: str, value: np.ndarray, ndim: int | None = None) -> np.ndarray:
    """Check that `value` is a float32 or float64 array of `ndim` dimensions that a kernel can read.

    Strides may be anything, negative included, and the memory may be read-only. Only what no
    kernel can address, elements off their natural alignment, is copied.

    Raises
    ------
    TypeError
        For anything but a NumPy array of native float32 or float64.
    ValueError
        For another number of dimensions.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{function}: {name} must be a NumPy array, got {type(value).__name__}")
    if type(value) is not np.ndarray:
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{function}: {name} is a masked array; fill it first (x.filled(0))")
        value = np.asarray(value)
    dtype = value.dtype
    if dtype is not FLOAT32 and dtype is not FLOAT64 and dtype not in FLOATS:
        raise TypeError(
            f"{function}: {name} must be float32 or float64, got {value.dtype} "
            f"(convert it with .astype(numpy.float32))"
        )
    if ndim is not None and value.ndim != ndim:
        raise ValueError(
            f"{function}: {name} must have {ndim} dimensions {AXES[ndim]}, got shape {value.shape}"
        )
    if not value.flags.aligned:
        value = value.copy(order="K")
    return value


def same_dtype(function: str, first: str, x: np.ndarray, **others: np.ndarray | None) -> None:
    """Raise TypeError unless every array of `others` (None is skipped) has the dtype of `x`."""
    for name, array in others.items():
        if array is not None and array.dtype != x.dtype:
            raise TypeError(
                f"{function}: {name} is {array.dtype} but {first} is {x.dtype}; "
                "all arrays must have one dtype"
            )


def same_shape(function: str, name: str, array: np.ndarray, shape: Sequence[int], why: str) -> None:
    """Raise ValueError unless `array` has `shape`; `why` says where that shape comes from."""
    if array.shape != tuple(shape):
        raise ValueError(f"{function}: {name} has shape {array.shape}, but {why} is {tuple(shape)}")


def nonempty(function: str, name: str, array: np.ndarray, first: int = 1) -> None:
    """Raise ValueError if a dimension of `array` from number `first` on is 0 (a batch may be)."""
    if 0 in array.shape[first:]:
        which = "dimension" if first == 0 else "dimension except the batch"
        raise ValueError(f"{function}: {name} may have no empty {which}, got shape {array.shape}")


def ceiling(function: str, relu: bool | float) -> float:
    """Where a ReLU cuts off: nowhere is infinity, and 0 is for none."""
    if isinstance(relu, (bool, np.bool_)):
        return math.inf if relu else 0
    if relu == math.inf:
        return relu
    return number(function, "relu", relu, 0)


def number(
    function: str, name: str, value: float, low: float = -math.inf, high: float = math.inf
) -> float:
    """Check that `value` is a finite real number in low..high."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{function}: {name} must be a number, got {value!r}")
    if not (low <= value <= high and math.isfinite(value)):
        rule = "finite" if math.isinf(low) else f"in {low}..{high}"
        raise ValueError(f"{function}: {name} must be {rule}, got {value!r}")
    return float(value)


def matching_gradient(
    function: str, grad: np.ndarray, name: str, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Check that `grad` and `x` are float arrays of one shape and dtype."""
    x = float_array(function, name, x)
    grad = float_array(function, "grad", grad)
    same_dtype(function, name, x, grad=grad)
    same_shape(function, "grad", grad, x.shape, f"the shape of {name}")
    return grad, x


def check_needs(function: str, needs: Collection[str]) -> None:
    """Raise ValueError if `needs` names anything but "x", "weight" and "bias"."""
    if (
        isinstance(needs, str)
        or not isinstance(needs, Collection)
        or any(not isinstance(need, str) or need not in ("x", "weight", "bias") for need in needs)
    ):
        raise ValueError(
            f'{function}: needs must be a collection of "x", "weight" and "bias", got {needs!r}'
        )
